"""`usage export`: builds and their cost, as CSV or JSON."""

import asyncio
import csv
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, TextIO
from uuid import UUID

from ..core.when import to_datetime
from ..errors import CircleCIError
from ..reports.wording import counted
from .arguments import Interval, argument, option, parse_path, parse_time, polling
from .formatting import size
from .output import Output

if TYPE_CHECKING:
    from .. import CircleCI
    from ..models import UsageProgress

Row = dict[str, Any]

DAYS = 30
"""Default length of the exported period."""


async def export(
    circle: "CircleCI",
    out: Output,
    organization: Annotated[str, argument("ORG", "Slug (gh/acme), page URL or id of the organization.")],
    start: Annotated[
        str | None,
        option(
            f"Start: 30d, 2026-11-01 or 2026-11-01T10:00 (UTC); by default {DAYS} days before --end.", metavar="WHEN"
        ),
    ] = None,
    end: Annotated[str | None, option("End, at most 31 days after --start; by default now.", metavar="WHEN")] = None,
    into: Annotated[
        Path | None,
        option("Destination file, created when complete; by default stdout.", metavar="FILE", parser=parse_path),
    ] = None,
    export_id: Annotated[str | None, option("Resume an existing export.", metavar="ID")] = None,
    interval: Interval = None,
) -> None:
    """Export the usage of an organization, as CSV; with --json, as an array of objects.

    An export takes CircleCI minutes to hours. Its id is printed on stderr; pass it to --export-id to resume after
    Ctrl-C.
    """
    polls: dict[str, Any] = polling(interval)
    raw = not out.is_json  # CSV as CircleCI wrote it
    now = datetime.now(UTC)
    last = to_datetime(parse_time("--end", end), now) or now
    first = to_datetime(parse_time("--start", start), now) or last - timedelta(days=DAYS)
    organization_id = await _organization_id(circle, organization)
    with _destination(out, into) as stream, _ExportStatus(out) as status:
        if export_id is None:
            rows = circle.usage.export(organization_id, first, last, on_progress=status.update, raw=raw, **polls)
        else:
            export = await circle.usage.wait(organization_id, export_id, on_progress=status.update, **polls)
            rows = circle.usage.rows(export, on_progress=status.update, raw=raw)
        printed = _closing(rows, before=(lambda: None) if into else status.stop)  # not between rows on a terminal
        try:
            if out.is_json:
                await Output(is_json=True, is_verbose=out.is_verbose, stream=stream).array(printed)
            else:
                await _write_csv(printed, stream)
        except CircleCIError as error:
            if error.export_id:
                error.add_note(f"resume with --export-id {error.export_id}")
            raise
        except asyncio.CancelledError:
            if status.export_id:
                out.note(f"the export continues; resume with --export-id {status.export_id}")
            raise
    if into is not None:
        out.note(f"{counted(status.rows, 'row')} in {into}")


async def _organization_id(circle: "CircleCI", organization: str) -> str:
    """Return the id of an organization that is given by its id, its slug, or its URL."""
    from ..slug import OrgSlug

    try:
        return str(UUID(organization))
    except ValueError:
        slug = OrgSlug.parse(organization)
    return (await circle.organizations.get(slug)).id


async def _closing(rows: AsyncGenerator[Row, None], *, before: Callable[[], None]) -> AsyncIterator[Row]:
    """Iterate rows and close their generator; call `before` ahead of each."""
    async with aclosing(rows):
        async for row in rows:
            before()
            yield row


async def _write_csv(rows: AsyncIterator[Row], stream: TextIO) -> None:
    writer: csv.DictWriter[str] | None = None
    async for row in rows:
        if writer is None:
            writer = csv.DictWriter(stream, list(row), lineterminator="\n")
            writer.writeheader()
        if row.keys() != set(writer.fieldnames):
            raise CircleCIError("the parts of this export have different columns: use --json")
        writer.writerow(row)


@contextmanager
def _destination(out: Output, into: Path | None) -> Generator[TextIO, None, None]:
    """Yield stdout, or a file that gets its name when it is complete."""
    if into is None:
        yield out.stream
        return
    from ..downloads.replaced_file import replaced_file

    with replaced_file("--into", into) as path, path.open("w", encoding="utf-8", newline="") as stream:
        yield stream


class _ExportStatus:
    """Prints the id of the export on stderr, and on a terminal its progress."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self.export_id: str | None = None
        self._status = out.errors.status("requesting an export") if out.shows_progress else None
        self.rows = 0

    def __enter__(self) -> Self:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Remove the status from the terminal. Idempotent."""
        if self._status:
            self._status.stop()
            self._status = None

    def update(self, progress: "UsageProgress") -> None:
        self.rows = progress.rows
        if self.export_id is None:
            self.export_id = progress.export_id
            self._out.note(f"export {progress.export_id}")
        if self._status:
            shown = f"export {progress.state}"
            if progress.parts_total:  # nothing can be received before
                received = f"{counted(progress.rows, 'row')}, {size(progress.bytes)}"
                shown += f": part {progress.parts_done}/{progress.parts_total}, {received}"
            self._status.update(shown)
