"""`usage export`: what was built and what it cost, as CSV or JSON."""

import csv
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import aclosing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from ..errors import CircleCIError, InvalidArgument
from .formatting import counted, size
from .output import Output

if TYPE_CHECKING:
    from ..client import CircleCI
    from ..models.usage import UsageProgress

Row = dict[str, str]

DAYS = 30
"""That are exported unless told otherwise."""


async def export(
    circle: "CircleCI",
    out: Output,
    organization: Annotated[
        str, typer.Argument(metavar="ORG", help="The organization: its id, or gh/acme.", show_default=False)
    ],
    start: Annotated[
        str | None, typer.Option(metavar="DATE", help="From when, in UTC; 30 days before END.", show_default=False)
    ] = None,
    end: Annotated[
        str | None, typer.Option(metavar="DATE", help="Until when, at most 31 days later; now.", show_default=False)
    ] = None,
    into: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to; made when it is whole. stdout.", show_default=False)
    ] = None,
    export_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Take up an export that was left.", show_default=False)
    ] = None,
) -> None:
    """Export the usage of an organization, as CSV; with --json, as an array of objects.

    CircleCI takes minutes to hours for it. Its id is named on stderr: with --export-id you can go on after Ctrl-C.
    """
    last = _moment("--end", end) or datetime.now(UTC)
    first = _moment("--start", start) or last - timedelta(days=DAYS)
    organization_id = (await circle.organizations.get(organization)).id if "/" in organization else organization
    with _Watch(out) as watch, _target(out, into) as stream:
        if export_id is None:
            rows = circle.usage.export(organization_id, first, last, on_progress=watch.update)
        else:
            done = await circle.usage.wait(organization_id, export_id, on_progress=watch.update)
            rows = circle.usage.rows(done, on_progress=watch.update)
        try:
            if out.is_json:
                await Output(is_json=True, is_verbose=out.is_verbose, stream=stream).array(_every(rows))
            else:
                await _write_csv(rows, stream)
        except CircleCIError as error:
            if error.export_id:
                error.add_note(f"Go on with --export-id {error.export_id}.")
            raise
    if into is not None:
        out.note(f"{counted(watch.rows, 'row')} in {into}")


async def _every(rows: AsyncGenerator[Row, None]) -> AsyncIterator[Row]:
    async with aclosing(rows):
        async for row in rows:
            yield row


async def _write_csv(rows: AsyncGenerator[Row, None], stream: TextIO) -> None:
    writer: csv.DictWriter[str] | None = None
    async for row in _every(rows):
        if writer is None:
            writer = csv.DictWriter(stream, list(row), lineterminator="\n")
            writer.writeheader()
        if row.keys() != set(writer.fieldnames):
            raise CircleCIError("the parts of this export have different columns; --json can hold them all")
        writer.writerow(row)


@contextmanager
def _target(out: Output, into: Path | None) -> Generator[TextIO, None, None]:
    """Give where the rows go: stdout, or a file that has its name only when it is whole."""
    if into is None:
        yield out.stream
        return
    partial = into.with_name(f".{into.name}.{secrets.token_hex(4)}.part")
    try:
        with partial.open("x", encoding="utf-8", newline="") as stream:
            yield stream
        partial.replace(into)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


class _Watch:
    """Tells on stderr which export this is, and on a terminal how far it has come."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._named = False
        self._status = out.errors.status("asking for an export") if out.shows_progress else None
        self.rows = 0

    def __enter__(self) -> "_Watch":
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    def update(self, progress: "UsageProgress") -> None:
        self.rows = progress.rows
        if not self._named:
            self._named = True
            self._out.note(f"export {progress.export_id}")
        if self._status:
            parts = f"part {progress.parts_done}/{progress.parts_total}, " if progress.parts_total else ""
            self._status.update(f"{progress.state}: {parts}{counted(progress.rows, 'row')}, {size(progress.bytes)}")


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidArgument(f"{option} {text!r}: give a date such as 2026-05-04 or 2026-05-04T10:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
