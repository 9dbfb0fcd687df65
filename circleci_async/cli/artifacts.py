"""`artifacts list` and `artifacts download`: files stored by jobs."""

import asyncio
import errno
import os
import re
from collections.abc import Sequence
from contextlib import aclosing
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from ..errors import CircleCIError, InvalidArgument
from ..reports.wording import counted
from ..untrusted_text import printable
from .arguments import JobUrlOrProject, OptionalNumber, argument, concurrency_option, option, parse_path
from .build_ref import JobTarget, pipeline_id
from .formatting import duration, size
from .output import Column, Output
from .progress import DownloadProgressBar
from .runner import os_error_text, print_error

if TYPE_CHECKING:
    from .. import CircleCI
    from ..downloads.report import DownloadReport
    from ..models import Artifact

CONCURRENT_LISTS = 8


async def list_(circle: "CircleCI", out: Output, target: JobUrlOrProject, number: OptionalNumber = None) -> None:
    """List the artifacts of a job."""
    await out.list(circle.artifacts.list(*JobTarget.parse(target, number)), ARTIFACTS, none="no artifacts")


async def download(
    circle: "CircleCI",
    out: Output,
    target: Annotated[str | None, argument("URL | PROJECT", "Page URL of a job, or a project.")] = None,
    number: OptionalNumber = None,
    pipeline: Annotated[
        str | None,
        option(
            "Instead of one job, all jobs of a pipeline, each into its own folder: its id or page URL.",
            metavar="ID | URL",
        ),
    ] = None,
    into: Annotated[
        Path,
        option(
            "Destination folder; created if it does not exist.", metavar="DIR", show_default=True, parser=parse_path
        ),
    ] = Path(),
    match: Annotated[
        list[str] | None, option("Only matching paths; * matches '/' too. Repeatable.", metavar="GLOB")
    ] = None,
    concurrency: Annotated[int, concurrency_option("Concurrent downloads.")] = 16,
) -> int | None:
    """Download the artifacts of a job, or of all jobs of a pipeline.

    Existing files are replaced. A failed or interrupted download leaves no partial file under its final name.
    """
    if pipeline is not None and target is None:
        listed = await _artifacts_of_pipeline(circle, await pipeline_id(circle, pipeline))
    elif pipeline is None and target is not None:
        listed = [("", each) async for each in circle.artifacts.list(*JobTarget.parse(target, number))]
    else:
        raise InvalidArgument("either a job (PROJECT and NUMBER, or its URL) or --pipeline must be given")
    matching = [
        _placed(folder, each)
        for folder, each in listed
        if not match or any(fnmatchcase(each.path, glob) for glob in match)
    ]
    if not matching:
        out.note(f"no artifact of {len(listed)} matches" if listed else "no artifacts")
    else:
        make_folder("--into", into)
    report = await _fetch(circle, out, matching, into, concurrency)
    _show_report(out, report, into)
    return 1 if report.failed else 0


def make_folder(option: str, folder: Path) -> None:
    """Create the destination folder that an option names, if it does not exist."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise CircleCIError(f"{option} must be a folder that can be written: {os_error_text(error, folder)}") from error


async def _artifacts_of_pipeline(circle: "CircleCI", pipeline_id: str) -> "list[tuple[str, Artifact]]":
    """Return the artifacts of all jobs of a pipeline, each with the folder of its job, `NUMBER-NAME`."""
    from ..core.fan_out import fan_out

    jobs = {  # a rerun lists the jobs that it reuses again
        (job.project_slug, job.job_number): f"{job.job_number}-{_folder_name(job.name)}"
        async for workflow in circle.pipelines.workflows(pipeline_id)
        async for job in circle.workflows.jobs(workflow.id)
        if job.job_number and job.project_slug and job.type != "approval"
    }
    found: list[tuple[str, Artifact]] = []
    lists = fan_out(jobs, lambda job: circle.artifacts.list(*job).collect(), concurrency=CONCURRENT_LISTS)
    async with aclosing(lists) as outcomes:
        async for job, artifacts in outcomes:
            if isinstance(artifacts, Exception):
                raise artifacts
            found += [(jobs[job], each) for each in artifacts]
    return found


def _placed(folder: str, artifact: "Artifact") -> "Artifact":
    """Return the artifact with its path below `folder` and its parallel node; "" changes nothing."""
    from attrs import evolve

    if not folder:
        return artifact
    node = f"node-{artifact.node_index}/" if artifact.node_index else ""
    return evolve(artifact, path=f"{folder}/{node}{artifact.path}", node_index=0)


async def _fetch(
    circle: "CircleCI", out: Output, artifacts: "Sequence[Artifact]", into: Path, concurrency: int
) -> "DownloadReport":
    """Download artifacts with a progress bar; if interrupted, print how many are complete."""
    with DownloadProgressBar(out, len(artifacts)) as bar:
        try:
            return await circle.artifacts.download_all(artifacts, into, concurrency=concurrency, on_progress=bar.update)
        except asyncio.CancelledError:
            out.note(f"stopped: {bar.finished:,} of {counted(len(artifacts), 'file')} are complete")
            raise


def _show_report(out: Output, report: "DownloadReport", into: Path) -> None:
    """Print the result of a download."""
    if out.is_json:
        out.data(_as_data(report))
        return
    for failure in report.failed:
        if isinstance(failure.error, CircleCIError):
            print_error(out, failure.error, str(failure).removesuffix(str(failure.error)))
        else:
            out.error(str(failure))
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
    Column("URL", lambda artifact: artifact.url, is_fixed=True),
)
