"""`harvest run`, `harvest status`, `harvest verify` and `harvest prune`: artifacts in bulk."""

import asyncio
import re
import shlex
from collections.abc import Iterable
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from ..errors import InvalidArgument, TransportError
from ..reports.wording import counted
from ..untrusted_text import printable
from .arguments import Projects, argument, concurrency_option, option, parse_destination, parse_path, parse_time
from .formatting import duration, size
from .output import Output
from .progress import HarvestEventLines, HarvestProgressBar
from .runner import print_error

if TYPE_CHECKING:
    from .. import CircleCI, HarvestReport, HarvestStatus, VerifyReport
    from ..harvest.kinds import HarvestKind

MAX_SHOWN = 20
"""Failures or differences printed one by one."""

MAX_IN_JSON = 1_000
"""Failures in the JSON summary."""

DRAIN = 2.0
"""Seconds to write the remaining JSON lines after an interrupt."""

_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?) ?([kmgt]?)(i?)b?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Parse a number of bytes with an optional unit, such as `2GiB`."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"expected a number of bytes such as 500000, 500MB or 2GiB, got {text!r}")
    number, unit, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** " kmgt".index(unit.lower() or " "))


Into = Annotated[str, argument("DEST", "Folder or bucket of the harvest.", parser=parse_destination)]

LedgerFolder = Annotated[
    Path | None,
    option("Folder of the ledger, instead of the destination.", "--ledger", metavar="DIR", parser=parse_path),
]


async def run(
    circle: "CircleCI",
    out: Output,
    projects: Projects,
    into: Annotated[
        str,
        option(
            "Destination: a folder, or a bucket such as s3://ci-archive/acme.", metavar="DEST", parser=parse_destination
        ),
    ],
    what: Annotated[
        str, option("What to take of each job: artifacts, logs, tests, builds; several with commas.", metavar="KINDS")
    ] = "artifacts",
    branch: Annotated[str | None, option("Pipelines of matching branches.", metavar="GLOB")] = None,
    tag: Annotated[str | None, option("Pipelines of matching tags.", metavar="GLOB")] = None,
    since: Annotated[
        str | None, option("Pipelines created since then: 7d, 12h, 30m, 2w or 2026-11-01.", metavar="WHEN")
    ] = None,
    until: Annotated[str | None, option("Pipelines created until then.", metavar="WHEN")] = None,
    workflow: Annotated[str | None, option("Workflows with matching names.", metavar="GLOB")] = None,
    job: Annotated[str | None, option("Jobs with matching names.", metavar="GLOB")] = None,
    status: Annotated[str | None, option("Jobs with this status: success, failed ...", metavar="STATUS")] = None,
    path: Annotated[str | None, option("Files with matching paths: '**/*.xml', 'logs/**'.", metavar="GLOB")] = None,
    latest: Annotated[
        bool, option("Of each project, only the newest successful pipeline that has matching files.", "--latest")
    ] = False,
    pipeline_id: Annotated[list[str] | None, option("Only this pipeline. Repeatable.", metavar="ID")] = None,
    workflow_id: Annotated[list[str] | None, option("Only this workflow. Repeatable.", metavar="ID")] = None,
    layout: Annotated[
        str | None,
        option(
            "Path of each file; by default {project}/{pipeline}/{workflow}/{job}-{number}/{node}/{path}. More fields:"
            " {created_at:%Y-%m-%d}, {branch}, {tag}, {revision}, {pipeline_id}.",
            metavar="TEMPLATE",
        ),
    ] = None,
    scrub: Annotated[
        list[str] | None,
        option("Replace matches in logs, tests and builds, besides common tokens. Repeatable.", metavar="REGEX"),
    ] = None,
    no_scrub: Annotated[bool, option("Replace nothing in logs, tests and builds.", "--no-scrub")] = False,
    ansi: Annotated[bool, option("Keep the escape codes in logs.", "--ansi")] = False,
    dedupe: Annotated[str | None, option("Store identical files once, as hard links.", metavar="hardlink")] = None,
    recheck: Annotated[
        str | None,
        option("Look for reruns in pipelines up to this age; 14d by default.", metavar="WHEN"),
    ] = None,
    max_files: Annotated[int | None, option("Stop after N files.", metavar="N", min=0)] = None,
    max_bytes: Annotated[
        int | None, option("Stop before exceeding 500MB, 2GiB ...", metavar="SIZE", parser=parse_size)
    ] = None,
    min_free: Annotated[
        int | None,
        option("Stop before less disk space is free; 256MiB by default.", metavar="SIZE", parser=parse_size),
    ] = None,
    ledger: LedgerFolder = None,
    concurrency: Annotated[int, concurrency_option("Concurrent downloads.")] = 32,
    file_attempts: Annotated[
        int, typer.Option(min=1, metavar="N", help="Attempts per file, each with all --attempts of its calls.")
    ] = 5,
) -> int:
    """Harvest the artifacts of projects, and their logs, tests and builds: find all, and download the missing ones.

    An organization stands for the projects that `circleci-async projects` lists.

    A ledger in DEST records the downloaded files. Run the same command again, every night or after it was interrupted,
    to download only what is new, failed or changed. Globs support *, ? and [...]; in --path, * does not match '/', and
    **/ matches any number of folders.

    With --json each line is an event, and the last one is the summary. The exit code is 0 if the harvest is complete,
    and 1 if anything failed or a limit was reached.
    """
    from .. import Selection

    if scrub and no_scrub:
        raise InvalidArgument("--scrub and --no-scrub exclude each other: use one of them")
    kinds = [word.strip() for word in what.split(",")]
    recheck_since = parse_time("--recheck", recheck)
    select = Selection(
        branch=branch,
        tag=tag,
        since=parse_time("--since", since),
        until=parse_time("--until", until),
        workflow=workflow,
        job=job,
        status=status,
        path=path,
        latest=latest,
        pipeline_id=pipeline_id or None,
        workflow_id=workflow_id or None,
    )
    with HarvestEventLines(out) if out.is_json else HarvestProgressBar(out) as view:
        try:
            report = await circle.harvest(
                projects,
                into,
                what=cast("list[HarvestKind]", kinds),
                ledger=ledger,
                select=select,
                layout=layout,
                scrub=False if no_scrub else scrub,
                ansi=ansi,
                concurrency=concurrency,
                attempts=file_attempts,
                max_files=max_files,
                max_bytes=max_bytes,
                min_free=min_free,
                dedupe=cast(Literal["hardlink"] | None, dedupe),
                recheck=recheck_since,
                on_progress=view.update,
            )
        except asyncio.CancelledError:
            files, received = (view.progress.done, view.progress.bytes) if view.progress else (0, 0)
            summary = {"files": files, "bytes": received, "is_complete": False, "stopped": "interrupted"}
            await view.finish(summary, timeout=DRAIN)
            out.note(f"stopped after {counted(files, 'file')}, {size(received)}: run the same command again to resume")
            raise
        await view.finish(_report_as_data(report) if out.is_json else {})
    if isinstance(view, HarvestProgressBar):
        _show_report(out, report, into, view, kinds)
    if report.error is not None:
        raise report.error
    return 0 if report.is_complete else 1


async def status(out: Output, into: Into, ledger: LedgerFolder = None) -> None:
    """Show the state of a harvest and its failures.

    Reads the ledger only: sends no request, and needs no token.
    """
    from .. import harvest_status

    state = await harvest_status(into, ledger=ledger)
    if out.is_json:
        out.data(await asyncio.to_thread(_status_as_data, state))
        return
    out.fields(
        [
            ("State", _describe(state)),
            ("Files", f"{state.done:,}, {size(state.bytes)}"),
            ("Pending", f"{state.pending:,}"),
            ("Failed", f"{state.failed:,}"),
            *([("Gone", f"{state.gone:,}")] if state.gone else []),
            *([("Pruned", f"{state.pruned:,}")] if state.pruned else []),
            *([("Calls due", f"{state.calls_due:,}")] if state.calls_due else []),
            ("Runs", f"{state.runs:,}"),
            ("Last began", state.began_at),
            ("Last ended", state.ended_at),
        ]
    )
    for failure in state.failures:
        out.say(f"failed: {printable(str(failure))}")


async def verify(
    out: Output,
    into: Into,
    deep: Annotated[bool, option("Read and hash every object of a bucket too.", "--deep")] = False,
    repair: Annotated[
        bool, option("Let the next harvest download changed and missing files again.", "--repair")
    ] = False,
    ledger: LedgerFolder = None,
) -> int:
    """Compare every harvested file with the ledger: hash it or, in a bucket, compare its size and metadata.

    Sends no request to CircleCI, and needs no token. The exit code is 1 if a file is changed, missing, or not in the
    ledger. Names that start with a dot are ignored.
    """
    from .. import verify_harvest

    with out.errors.status("Checking files ...") if out.shows_progress else nullcontext():
        report = await verify_harvest(into, ledger=ledger, deep=deep, repair=repair)
    _show_verify_report(out, report, into)
    if repair and (report.changed or report.missing):
        out.note("run `harvest run` again to download changed and missing files")
    return 1 if report.differences else 0


async def prune(
    out: Output,
    into: Into,
    older_than: Annotated[
        str, option("Files of pipelines created before then: 365d, 52w or 2026-01-31.", metavar="WHEN")
    ],
    dry_run: Annotated[bool, option("Print what would be deleted, and change nothing.", "--dry-run")] = False,
    ledger: LedgerFolder = None,
) -> int:
    """Delete the files of old pipelines.

    The ledger keeps that they are deleted on purpose: no harvest downloads them again, and `harvest verify` does not
    miss them. Sends no request, and needs no token. The exit code is 1 if a file cannot be deleted.
    """
    from .. import prune_harvest

    with out.errors.status("Deleting files ...") if out.shows_progress else nullcontext():
        report = await prune_harvest(into, older_than=older_than, dry_run=dry_run, ledger=ledger)
    if out.is_json:
        out.data(report)
    else:
        command = _command("prune", into, "--older-than", shlex.quote(older_than), "--json")
        _print_errors(out, report.failed, report.failures, command)
        would_be = "would be " if dry_run else ""
        out.say(f"{counted(report.files, 'file')}, {size(report.bytes)} {would_be}deleted from {printable(into)}")
    return 1 if report.failures else 0


def _show_report(
    out: Output, report: "HarvestReport", into: str, view: HarvestProgressBar, kinds: Iterable[str]
) -> None:
    """Print the result of a harvest for people."""
    if isinstance(report.error, TransportError) and not (report.files or report.skipped):
        return  # the host is unreachable, which is printed as the error of the command
    fatal = None if report.error is None else str(report.error)  # printed as the error of the command
    for failure in islice((each for each in report.failed if each.error != fatal), MAX_SHOWN):
        if error := view.error_of(failure):
            print_error(out, error, str(failure).removesuffix(failure.error))
        else:
            out.error(str(failure))
    _print_rest(out, len(report.failed), _command("status", into))
    skipped = len(report.skipped)
    separator = "\n" if out.is_fitted else "; "  # a long line would be wrapped
    requests = f"{separator}{counted(report.requests, 'request')}, {report.requests_saved:,} saved"
    out.say(
        f"{counted(len(report.files), 'file')}, {size(report.bytes)} in {duration(report.seconds)}, in"
        f" {printable(into)}{requests}"
        f"{f'; {skipped:,} already present' if skipped else ''}"
    )
    if replaced := sum(report.scrubbed.values()):
        *others, last = [kind for kind in ("logs", "tests", "builds") if kind in kinds]
        where = f"{', '.join(others)} and {last}" if others else last
        out.say(f"{counted(replaced, 'secret')} replaced in {where}")
    if report.stopped is not None and report.error is None:
        out.note(f"stopped: {report.stopped}: run the same command again to resume")
    elif not (report.files or skipped or report.failed or report.stopped):
        out.note("no matching artifacts" if list(kinds) == ["artifacts"] else "no matching files")


def _show_verify_report(out: Output, report: "VerifyReport", into: str) -> None:
    """Print whether the files match the ledger."""
    if out.is_json:
        out.data(report)
        return
    kinds = (("changed", report.changed), ("missing", report.missing), ("unknown", report.unknown))
    lines = (f"{kind}: {path}" for kind, paths in kinds for path in paths)
    _print_errors(out, lines, report.differences, _command("verify", into, "--json"))
    differences = f"; {counted(report.differences, 'difference')}" if report.differences else ""
    out.say(
        f"{counted(report.files, 'file')}, {size(report.bytes)} match the ledger{differences},"
        f" checked in {duration(report.seconds)}"
    )


def _print_errors(out: Output, lines: Iterable[str], count: int, command: str) -> None:
    """Print the first errors, and the command that lists all."""
    for line in islice(lines, MAX_SHOWN):
        out.error(line)
    _print_rest(out, count, command)


def _print_rest(out: Output, count: int, command: str) -> None:
    if count > MAX_SHOWN:
        out.error(f"and {count - MAX_SHOWN:,} more", f"list all: {command}")


def _command(name: str, into: str, *more: str) -> str:
    return " ".join(("circleci-async harvest", name, shlex.quote(into), *more))


def _describe(state: "HarvestStatus") -> str:
    if state.is_running:
        return "running"
    return "complete" if state.is_complete else "incomplete: run `harvest run` again to resume"


def _report_as_data(report: "HarvestReport") -> dict[str, Any]:
    return {
        "files": len(report.files),
        "skipped": len(report.skipped),
        "failed": len(report.failed),
        "bytes": report.bytes,
        "seconds": report.seconds,
        "requests": report.requests,
        "requests_saved": report.requests_saved,
        "scrubbed": dict(report.scrubbed),
        "is_complete": report.is_complete,
        "stopped": report.stopped,
        "error": report.error,
        "failures": list(islice(report.failed, MAX_IN_JSON)),
    }


def _status_as_data(state: "HarvestStatus") -> dict[str, Any]:
    from attrs import asdict, fields

    counters = asdict(state, recurse=False, filter=lambda field, _: field is not fields(type(state)).files)
    return {**counters, "failures": list(state.failures)}
