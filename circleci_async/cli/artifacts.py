"""`artifacts list` and `artifacts download`: the files that jobs keep."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import aclosing
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InvalidArgument
from .account import Slug
from .formatting import counted, duration, printable, size
from .meter import Meter
from .output import Column, Output

if TYPE_CHECKING:
    from ..client import CircleCI
    from ..downloads.report import DownloadReport
    from ..models.artifacts import Artifact

LISTS_AT_ONCE = 8

Number = Annotated[int, typer.Argument(min=1, metavar="JOB_NUMBER", help="The number of a job.", show_default=False)]
Match = Annotated[
    list[str] | None,
    typer.Option(
        "--match", metavar="GLOB", help="Only paths that match; * goes beyond '/'. Repeatable.", show_default=False
    ),
]


async def list_(circle: "CircleCI", out: Output, slug: Slug, number: Number) -> None:
    """List the artifacts of a job."""
    await out.list(circle.artifacts.list(slug, number), ARTIFACTS, none="no artifacts")


async def download(
    circle: "CircleCI",
    out: Output,
    slug: Annotated[
        str | None, typer.Argument(metavar="PROJECT", help="The project: gh/acme/api ...", show_default=False)
    ] = None,
    number: Annotated[
        int | None,
        typer.Argument(min=1, metavar="JOB_NUMBER", help="... and the number of one of its jobs.", show_default=False),
    ] = None,
    pipeline: Annotated[
        str | None,
        typer.Option(
            metavar="PIPELINE_ID",
            help="Instead of one job, all of a pipeline, each into a folder of its own.",
            show_default=False,
        ),
    ] = None,
    into: Annotated[Path, typer.Option(metavar="DIR", help="Where to; made if need be.")] = Path(),
    match: Match = None,
    concurrency: Annotated[int, typer.Option(min=1, max=32, metavar="N", help="Files at once.")] = 16,
) -> int | None:
    """Download the artifacts of a job, or of all jobs of a pipeline.

    A file that is there already is replaced. What fails or is stopped leaves nothing under a final name.
    """
    if pipeline is not None and slug is None:
        listed = await artifacts_of_pipeline(circle, pipeline)
    elif pipeline is None and slug is not None and number is not None:
        listed = [("", each) async for each in circle.artifacts.list(slug, number)]
    else:
        raise InvalidArgument("give PROJECT and JOB_NUMBER, or --pipeline PIPELINE_ID")
    wanted = [
        placed(folder, each)
        for folder, each in listed
        if not match or any(fnmatchcase(each.path, glob) for glob in match)
    ]
    if not wanted:
        out.note(f"none of {counted(len(listed), 'artifact')} matches" if listed else "no artifacts")
    report = await fetch(circle, out, wanted, into, concurrency)
    show_report(out, report, into)
    return 1 if report.failed else 0


async def artifacts_of_pipeline(circle: "CircleCI", pipeline_id: str) -> "list[tuple[str, Artifact]]":
    """Return the artifacts of all jobs of a pipeline, each with the folder of its job, `NUMBER-NAME`."""
    from ..core.fan_out import fan_out

    jobs = {  # a rerun lists the jobs that it takes over once more
        (job.project_slug, job.job_number): f"{job.job_number}-{_folder_name(job.name)}"
        async for workflow in circle.pipelines.workflows(pipeline_id)
        async for job in circle.workflows.jobs(workflow.id)
        if job.job_number and job.project_slug and job.type != "approval"
    }
    found: list[tuple[str, Artifact]] = []
    lists = fan_out(jobs, lambda job: circle.artifacts.list(*job).collect(), concurrency=LISTS_AT_ONCE)
    async with aclosing(lists) as outcomes:
        async for job, artifacts in outcomes:
            if isinstance(artifacts, Exception):
                raise artifacts
            found += [(jobs[job], each) for each in artifacts]
    return found


def placed(folder: str, artifact: "Artifact") -> "Artifact":
    """Return an artifact that goes into `folder`, with the runs of parallel nodes inside it; "" changes nothing."""
    from attrs import evolve

    if not folder:
        return artifact
    node = f"node-{artifact.node_index}/" if artifact.node_index else ""
    return evolve(artifact, path=f"{folder}/{node}{artifact.path}", node_index=0)


async def fetch(
    circle: "CircleCI", out: Output, artifacts: "Sequence[Artifact]", into: Path, concurrency: int
) -> "DownloadReport":
    """Download artifacts with a progress bar; when stopped, say how many there are."""
    with Meter(out, len(artifacts)) as meter:
        try:
            return await circle.artifacts.download_all(
                artifacts, into, concurrency=concurrency, on_progress=meter.update
            )
        except asyncio.CancelledError:
            out.note(f"stopped: {meter.finished:,} of {counted(len(artifacts), 'file')} done; those are whole")
            raise


def show_report(out: Output, report: "DownloadReport", into: Path) -> None:
    """Show what became of a download."""
    if out.is_json:
        out.data(_as_data(report))
        return
    for failure in report.failed:
        out.error(f"{failure.artifact.path if failure.artifact else 'the list'}: {failure.error}")
    out.say(
        f"{counted(len(report.files), 'file')}, {size(report.bytes)} in {duration(report.seconds)}, in"
        f" {printable(str(into))}"
    )


def _as_data(report: "DownloadReport") -> dict[str, Any]:
    return {
        "files": [
            {
                "url": file.artifact.url,
                "path": file.path,
                "size": file.size,
                "sha256": file.sha256,
                "verified": file.verified,
                "resumed": file.resumed,
            }
            for file in report.files
        ],
        "failed": [{"url": each.artifact and each.artifact.url, "error": str(each.error)} for each in report.failed],
        "bytes": report.bytes,
        "seconds": report.seconds,
    }


def _folder_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name)


ARTIFACTS: "tuple[Column[Artifact], ...]" = (
    Column("Path", lambda artifact: artifact.path),
    Column("Node", lambda artifact: artifact.node_index, is_fixed=True, is_number=True),
    Column("Address", lambda artifact: artifact.url, is_wide=True),
)
