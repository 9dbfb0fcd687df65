"""`harvest run`, `harvest status` and `harvest verify`: artifacts in bulk."""

import asyncio
import re
import shlex
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from .formatting import counted, duration, printable, size
from .harvest_watch import LAST_WORDS, HarvestLines, HarvestMeter
from .output import Output

if TYPE_CHECKING:
    from ..client import CircleCI
    from ..harvest.report import HarvestFailure, HarvestReport
    from ..harvest.status import HarvestStatus
    from ..harvest.verify import VerifyReport

MOST_SHOWN = 20
"""Failures or differences that are named one by one."""

MOST_IN_JSON = 1_000
"""Failures that the summary holds."""

_BYTES = re.compile(r"(\d+(?:\.\d+)?) ?([kmgt]?)(i?)b?", re.IGNORECASE)


def _bytes(text: str) -> int:
    found = _BYTES.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no number of bytes: give one such as 500000, 500MB or 2GiB")
    number, unit, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** " kmgt".index(unit.lower() or " "))


def _option(metavar: str, text: str, name: str | None = None, **more: Any) -> Any:
    names = () if name is None else (name,)
    return typer.Option(*names, metavar=metavar, help=text, show_default=False, **more)


Into = Annotated[Path, typer.Argument(metavar="DIR", help="What was harvested into.", show_default=False)]


async def run(
    circle: "CircleCI",
    out: Output,
    projects: Annotated[
        list[str], typer.Argument(metavar="PROJECT", help="Projects: gh/acme/api ...", show_default=False)
    ],
    into: Annotated[Path, _option("DIR", "Where to; made if need be.")],
    branch: Annotated[str | None, _option("GLOB", "Pipelines of these branches.")] = None,
    tag: Annotated[str | None, _option("GLOB", "Pipelines of these tags.")] = None,
    since: Annotated[str | None, _option("WHEN", "Pipelines no older: 7d, 12h, 30m, 2w or 2026-11-01.")] = None,
    until: Annotated[str | None, _option("WHEN", "Pipelines no younger.")] = None,
    workflow: Annotated[str | None, _option("GLOB", "Workflows of these names.")] = None,
    job: Annotated[str | None, _option("GLOB", "Jobs of these names.")] = None,
    status: Annotated[str | None, _option("STATUS", "Jobs that ended so: success, failed ...")] = None,
    path: Annotated[str | None, _option("GLOB", "Artifacts of these paths: '**/*.xml'.")] = None,
    latest: Annotated[
        bool,
        typer.Option(
            "--latest", help="Of each project only the newest pipeline that succeeded and has such artifacts."
        ),
    ] = False,
    pipeline_id: Annotated[list[str] | None, _option("ID", "Only this pipeline. Repeatable.")] = None,
    workflow_id: Annotated[list[str] | None, _option("ID", "Only this workflow. Repeatable.")] = None,
    layout: Annotated[
        str | None,
        _option(
            "TEMPLATE", "Where files go: {project}/{pipeline}/{workflow}/{job}-{number}/{node}/{path} unless given."
        ),
    ] = None,
    dedupe: Annotated[str | None, _option("hardlink", "Store files of the same bytes once, as hard links.")] = None,
    max_files: Annotated[int | None, _option("N", "Stop after so many files.", min=0)] = None,
    max_bytes: Annotated[int | None, _option("SIZE", "Stop before more than 500MB, 2GiB ...", parser=_bytes)] = None,
    min_free: Annotated[
        int | None, _option("SIZE", "Stop before the disk has less left; 256MiB by default.", parser=_bytes)
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=32, metavar="N", help="Files at once.")] = 32,
    tries: Annotated[
        int, typer.Option(min=1, metavar="N", help="Of each file, every time with all --attempts of its calls.")
    ] = 5,
) -> int:
    """Harvest the artifacts of projects: find all, fetch what is not there yet.

    A ledger in DIR knows what was fetched. So the same command again, whether nightly or after it was stopped or
    killed, fetches only what is new, failed or changed. Globs know * ? and [...]; in --path, * stays within one name,
    and **/ is any folders or none.

    With --json each line is an event, as it happens, and the last one is the summary. The exit code is 0 if all that
    was asked for is there, 1 if not: something failed, or a bound was reached.
    """
    from ..harvest.selection import Selection

    select = Selection(
        branch=branch,
        tag=tag,
        since=since,
        until=until,
        workflow=workflow,
        job=job,
        status=status,
        path=path,
        latest=latest,
        pipeline_id=pipeline_id or None,
        workflow_id=workflow_id or None,
    )
    watch = HarvestLines(out) if out.is_json else HarvestMeter(out)
    with watch:
        try:
            report = await circle.harvest(
                projects,
                into,
                select=select,
                layout=layout,
                concurrency=concurrency,
                attempts=tries,
                max_files=max_files,
                max_bytes=max_bytes,
                min_free=min_free,
                dedupe=cast(Literal["hardlink"] | None, dedupe),
                on_progress=watch.tell,
            )
        except asyncio.CancelledError:
            done, received = (watch.progress.done, watch.progress.bytes) if watch.progress else (0, 0)
            numbers = {"files": done, "bytes": received, "is_complete": False, "stopped": "interrupted"}
            await watch.conclude(numbers, patience=LAST_WORDS)
            kept = f"{counted(done, 'file')}, {size(received)}, came and are kept"
            out.note(f"stopped: {kept}; the same command again goes on")
            raise
        await watch.conclude(_report_as_data(report) if out.is_json else {})
    show_report(out, report, into)
    if report.error is not None:
        raise report.error
    return 0 if report.is_complete else 1


async def status(out: Output, into: Into) -> None:
    """Say where a harvest stands, by its ledger, and what failed.

    Nothing is asked of CircleCI, and no token is needed.
    """
    from ..harvest.status import harvest_status

    standing = await harvest_status(into)
    if out.is_json:
        out.data(await asyncio.to_thread(_status_as_data, standing))
        return
    out.fields(
        [
            ("State", _state(standing)),
            ("Files", f"{standing.done:,}, {size(standing.bytes)}"),
            ("Pending", f"{standing.pending:,}"),
            ("Failed", f"{standing.failed:,}"),
            *([("Gone", f"{standing.gone:,}")] if standing.gone else []),
            ("Runs", f"{standing.runs:,}"),
            ("Last began", standing.began_at),
            ("Last ended", standing.ended_at),
        ]
    )
    for failure in standing.failures:
        out.say(f"failed: {printable(str(failure))}")


async def verify(out: Output, into: Into) -> int:
    """Hash every harvested file again, and compare it with the ledger.

    Nothing is asked of CircleCI, and no token is needed. The exit code is 1 if a file is changed or missing, or if
    there is one that the ledger does not know. Names that begin with a dot are the harvest's own.
    """
    from ..harvest.verify import verify_harvest

    with out.errors.status("Hashing every file again ...") if out.shows_progress else nullcontext():
        report = await verify_harvest(into)
    show_verified(out, report, into)
    return 0 if report.is_intact else 1


def show_report(out: Output, report: "HarvestReport", into: Path) -> None:
    """Show people what became of a harvest."""
    if out.is_json:
        return
    _name(out, (str(failure) for failure in report.failed), len(report.failed), _command("status", into))
    skipped = len(report.skipped)
    out.say(
        f"{counted(len(report.files), 'file')}, {size(report.bytes)} in {duration(report.seconds)}, in"
        f" {printable(str(into))}{f'; {skipped:,} there already' if skipped else ''}"
    )
    if report.stopped is not None and report.error is None:
        out.note(f"stopped: {report.stopped}; the same command again goes on")
    elif not (report.files or skipped or report.failed or report.stopped):
        out.note("no artifacts are like that")


def show_verified(out: Output, report: "VerifyReport", into: Path) -> None:
    """Show whether tree and ledger agree."""
    if out.is_json:
        out.data(report)
        return
    kinds = (("changed", report.changed), ("missing", report.missing), ("unknown", report.unknown))
    lines = (f"{kind}: {path}" for kind, paths in kinds for path in paths)
    _name(out, lines, report.differences, _command("verify", into, "--json"))
    out.say(
        f"{counted(report.files, 'file')}, {size(report.bytes)}, as the ledger says"
        f"{'' if report.is_intact else f'; {report.differences:,} not'}, checked in {duration(report.seconds)}"
    )


def _name(out: Output, lines: Iterable[str], count: int, where: str) -> None:
    """Name what is wrong on stderr, as far as somebody would read it."""
    for line in islice(lines, MOST_SHOWN):
        out.error(line)
    if count > MOST_SHOWN:
        out.error(f"and {count - MOST_SHOWN:,} more", f"{where} tells of them.")


def _command(name: str, into: Path, *more: str) -> str:
    return " ".join(("circleci-async harvest", name, shlex.quote(str(into)), *more))


def _state(standing: "HarvestStatus") -> str:
    if standing.is_running:
        return "a harvest is at work"
    return "complete" if standing.is_complete else "incomplete; the same `harvest run` again goes on"


def _report_as_data(report: "HarvestReport") -> dict[str, Any]:
    return {
        "files": len(report.files),
        "skipped": len(report.skipped),
        "failed": len(report.failed),
        "bytes": report.bytes,
        "seconds": report.seconds,
        "is_complete": report.is_complete,
        "stopped": report.stopped,
        "error": report.error,
        "failures": _first(report.failed),
    }


def _status_as_data(standing: "HarvestStatus") -> dict[str, Any]:
    from attrs import asdict

    return {**asdict(standing, recurse=False), "failures": list(standing.failures)}


def _first(failures: "Sequence[HarvestFailure]") -> "list[HarvestFailure]":
    return list(islice(failures, MOST_IN_JSON))
