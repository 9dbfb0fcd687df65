"""`report`: what the runs of projects cost, where they fail, and whether it gets better."""

import asyncio
import secrets
import tempfile
import webbrowser
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from ..errors import InvalidArgument
from ..untrusted_text import printable
from .arguments import argument, check_length, concurrency_option, option, parse_destination, parse_path
from .output import Output
from .progress import InsightsProgressBar
from .report_summary import show_summary
from .runner import print_error

if TYPE_CHECKING:
    from .. import CircleCI, InsightsFailure, InsightsReport


async def report(
    circle: "CircleCI",  # None with --from
    out: Output,
    slugs: Annotated[
        list[str] | None,
        argument("PROJECT", "Projects, such as gh/acme/api, or organizations, such as gh/acme."),
    ] = None,
    into: Annotated[
        Path | None,
        option("Write the page to this file: HTML; needs the extra 'report'.", metavar="FILE", parser=parse_path),
    ] = None,
    window: Annotated[
        str, option("How far back: 90d, 2w or 12h.", "--window", metavar="WINDOW", show_default=True)
    ] = "90d",
    branch: Annotated[str | None, option("Only runs of this branch; by default all.", metavar="BRANCH")] = None,
    exports_usage: Annotated[
        bool, option("Ask for a usage export, for queue times and CPU and memory use. It takes minutes.", "--usage")
    ] = False,
    usage: Annotated[
        Path | None,
        option(
            "Read a usage export that `usage export --into` wrote.", "--usage-file", metavar="FILE", parser=parse_path
        ),
    ] = None,
    history: Annotated[
        str | None,
        option(
            "Read what `insights collect` wrote to this folder or bucket, and send no request.",
            "--from",
            metavar="DIR | URL",
            parser=parse_destination,
        ),
    ] = None,
    opens: Annotated[bool, option("Open the page in the browser.", "--open")] = False,
    concurrency: Annotated[int, concurrency_option("Lists read concurrently.")] = 16,
) -> int:
    """Report what the runs of projects cost, where they fail, and whether it gets better.

    An organization stands for the projects that `circleci-async projects` lists; with --from and without PROJECT, all
    projects of the history are reported.

    Prints a summary; --into writes a page with charts and tables; --json prints all tables and answers. The exit code
    is 1 if anything could not be read; the report has the rest.
    """
    check_length("--window", window)
    if exports_usage and usage is not None:
        raise InvalidArgument("--usage and --usage-file exclude each other: use one of them")
    if opens and into is None:
        into = Path(tempfile.gettempdir(), f"circleci-report-{secrets.token_hex(4)}.html")
    with _page(into) as page:
        if history is not None:
            if exports_usage:
                raise InvalidArgument(
                    "--usage cannot be combined with --from, which sends no request: pass the file of an export with"
                    " --usage-file"
                )
            found = await _from_history(out, history, slugs, window, branch, usage)
        else:
            found = await _from_api(circle, out, slugs, window, branch, usage or exports_usage, concurrency)
        if page is not None:
            with out.errors.status("Drawing the page ...") if out.shows_progress else nullcontext():
                html = await asyncio.to_thread(found.html)
            page.write_text(html, encoding="utf-8", newline="\n")
    if out.is_json:
        out.data(_as_data(found, into))
    else:
        show_summary(out, found)
    print_failures(out, found.failures)
    if into is not None:
        out.say(f"\nThe page is {printable(str(into))}")
        if opens and not await asyncio.to_thread(webbrowser.open, into.resolve().as_uri()):
            out.note("no browser could be started: open the page yourself")
    return 1 if found.failures else 0


def print_failures(out: Output, failures: "Iterable[InsightsFailure]") -> None:
    """Print what could not be read, one error per line."""
    for failure in failures:
        what = "" if failure.kind == "project" else f"{failure.kind}: "
        workflow = "" if failure.workflow is None else f" {failure.workflow}"
        print_error(out, failure.error, f"{failure.project}{workflow}: {what}")


@contextmanager
def _page(into: Path | None) -> Generator[Path | None]:
    """Yield the path of the page, which gets its name when it is complete."""
    if into is None:
        yield None
        return
    from ..downloads.replaced_file import replaced_file
    from ..reports.charts import check_installed

    check_installed()
    with replaced_file("--into", into) as path:
        yield path


async def _from_history(
    out: Output, history: str, slugs: Sequence[str] | None, window: str, branch: str | None, usage: Path | None
) -> "InsightsReport":
    from .. import report_from_history

    with out.errors.status("Reading the history ...") if out.shows_progress else nullcontext():
        return await report_from_history(history, slugs or None, window=window, branch=branch, usage=usage)


async def _from_api(
    circle: "CircleCI",
    out: Output,
    slugs: Sequence[str] | None,
    window: str,
    branch: str | None,
    usage: Path | bool,
    concurrency: int,
) -> "InsightsReport":
    if not slugs:
        raise InvalidArgument("PROJECT is required: projects such as gh/acme/api, or an organization such as gh/acme")
    with InsightsProgressBar(out) as bar:
        return await circle.insights.report(
            slugs, window, branch, usage=usage, concurrency=concurrency, on_progress=bar.update
        )


def _as_data(found: "InsightsReport", into: Path | None) -> dict[str, Any]:
    return {
        "projects": found.projects,
        "start": found.start,
        "end": found.end,
        "branch": found.branch,
        "requests": found.requests,
        "answers": found.answers,
        "failures": found.failures,
        "notes": found.notes,
        **found.rows(),
        "previous": found.previous.rows(),
        "page": None if into is None else str(into),
    }
