"""Usage exports of organizations, and their rows, from any source, as rows of a report."""

import asyncio
import csv
import gzip
import math
import os
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Collection, Generator, Iterable, Mapping
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, TypeVar, cast

from attrs import frozen

from ..core.arguments import is_number, local_path
from ..core.fan_out import map_concurrently, stream
from ..core.session import Session
from ..endpoints.insights import ROUNDING
from ..endpoints.organizations import Organizations
from ..endpoints.usage import MAX_AGE, MAX_SPAN, Usage
from ..errors import CircleCIError, InvalidArgument
from ..models.insights_tables import InsightsUsage
from ..models.projects import Project
from ..models.usage import UsageExport
from ..slug import ProjectSlug
from ..usage.columns import typed
from ..usage.export import INTERVAL, MAX_EXPORT_TIME, ExportWait, check_completed, rows_of, with_export_id
from ..usage.progress import UsageProgressTracker
from .failure import InsightsFailure
from .progress import InsightsProgressTracker
from .reading import FATAL
from .window import Window

T = TypeVar("T")

UsageRows: TypeAlias = Iterable[Mapping[str, object]] | AsyncIterable[Mapping[str, object]]

InsightsUsageSource: TypeAlias = bool | UsageExport | str | os.PathLike[str] | UsageRows
"""The usage of a report: True for an export that CircleCI makes now, a completed export, the path of its CSV file, or
its rows, as mappings of the names of columns to values or to their text."""

Rows: TypeAlias = AsyncGenerator[Mapping[str, object]]

BATCH = 1_000
"""Rows of a file that are read at once."""


def usage_source(usage: InsightsUsageSource | None) -> Callable[[Session], Rows] | None:
    """Return what iterates the rows that the argument `usage` names; None for True, False and None.

    Raises `InvalidArgument`, also for a file that is not a usage export. Reads the start of a file.
    """
    given: Any = usage
    if given is None or isinstance(given, bool):
        return None
    if isinstance(given, UsageExport):
        check_completed(given)
        return lambda session: export_rows(session, given)
    rows = local_rows(given)
    return lambda _: rows()


def export_rows(session: Session, export: UsageExport) -> Rows:
    """Iterate the rows of a completed export."""
    tracker = UsageProgressTracker(export.usage_export_job_id, None)
    return cast(Rows, rows_of(session, export, tracker, raw=False))


def local_rows(usage: str | os.PathLike[str] | UsageRows) -> Callable[[], Rows]:
    """Return what iterates the rows of a file, or the given rows. Raises `InvalidArgument`, as `usage_source` does."""
    given: Any = usage
    if isinstance(given, str | os.PathLike):
        path = local_path("usage", cast("str | os.PathLike[str]", given))
        with _csv_file(path):  # check it
            return lambda: _rows_of_file(path)
    if isinstance(given, Iterable | AsyncIterable) and not isinstance(given, Mapping | bytes):
        rows = cast("Iterable[object] | AsyncIterable[object]", given)
        if isinstance(rows, Collection):
            for number, row in enumerate(rows):
                _check_row(number, row)
        return lambda: _checked_rows(rows)
    raise InvalidArgument(
        "usage must be True, a completed UsageExport, the path of the CSV file of an export, or its rows as mappings,"
        f" got {given!r}"
    )


def _check_row(number: int, row: object) -> Mapping[str, object]:
    if not isinstance(row, Mapping):
        raise InvalidArgument(f"usage[{number}] must be a mapping of columns to values, got {row!r}")
    return cast("Mapping[str, object]", row)


async def _checked_rows(rows: Iterable[object] | AsyncIterable[object]) -> Rows:
    number = 0
    async with aclosing(stream(rows)) as each:
        async for row in each:
            yield _check_row(number, row)
            number += 1


@contextmanager
def _csv_file(path: Path) -> Generator["csv.DictReader[str]"]:
    """Open the CSV file of an export, which can be compressed."""
    try:
        with path.open("rb") as raw, gzip.open(raw) if path.suffix == ".gz" else raw as binary:
            reader = csv.DictReader(TextIOWrapper(cast(BinaryIO, binary), encoding="utf-8-sig", newline=""))
            if not {"PROJECT_ID", "PROJECT_NAME"} & set(reader.fieldnames or ()):
                raise _unreadable(path, "it has no column PROJECT_ID or PROJECT_NAME")
            yield reader
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    except (EOFError, UnicodeDecodeError, csv.Error):
        raise _unreadable(path, "it is not a CSV file in UTF-8") from None


def _unreadable(path: Path, why: str) -> InvalidArgument:
    return InvalidArgument(f"usage must be the CSV file of a usage export, got {str(path)!r}: {why}")


async def _rows_of_file(path: Path) -> Rows:
    with _csv_file(path) as reader:
        while rows := await asyncio.to_thread(list, islice(reader, BATCH)):
            for row in rows:
                yield row


class UsageFilter:
    """Collects the rows of the given projects, branch and window. A repeated job is collected once."""

    def __init__(self, projects: Mapping[str, Project | None], branch: str | None, window: Window) -> None:
        """`projects`: by slug; None for one that could not be read."""
        self.found: list[InsightsUsage] = []
        self._branch = branch
        self._window = window
        self._by_id: dict[str, str] = {}
        self._by_name: dict[tuple[str, str], str] = {}
        self._seen: set[str] = set()
        for slug, project in projects.items():
            parsed = ProjectSlug.parse(slug)
            self._by_name[_key(parsed.organization, parsed.name)] = slug
            if project is not None:
                self._by_name[_key(project.organization_name, project.name)] = slug
                if project.id is not None:
                    self._by_id[project.id] = slug
        self._identified = set(self._by_id.values())

    def add(self, row: Mapping[str, object]) -> None:
        """Add a row, if it belongs to the report."""
        cells = _Cells(row)
        project = self._project(cells)
        if project is None:
            return
        usage = cells.usage(project)
        if usage.started_at is None or usage.started_at not in self._window:
            return
        if (self._branch is not None and usage.branch != self._branch) or usage.job_id in self._seen:
            return
        if usage.job_id is not None:
            self._seen.add(usage.job_id)
        self.found.append(usage)

    async def add_all(self, rows: Rows, on_rows: Callable[[int], object] = lambda _: None) -> None:
        """Add rows, and call `on_rows` with the number of rows of each batch."""
        count = 0
        try:
            async with aclosing(rows):
                async for row in rows:
                    self.add(row)
                    count += 1
                    if count == BATCH:
                        on_rows(count)
                        count = 0
                        await asyncio.sleep(0)  # rows in memory never wait
        finally:
            on_rows(count)

    def _project(self, cells: "_Cells") -> str | None:
        id = cells.text("PROJECT_ID")
        if id is not None and id in self._by_id:
            return self._by_id[id]
        slug = self._by_name.get(_key(cells.text("ORGANIZATION_NAME") or "", cells.text("PROJECT_NAME") or ""))
        is_another = id is not None and slug in self._identified  # of the same name, but with another id
        return None if is_another else slug


def _key(organization: str, name: str) -> tuple[str, str]:
    return organization.lower(), name.lower()


@frozen
class _Cells:
    """A row whose values are converted as they are read. A value of another type is None."""

    row: Mapping[str, object]

    def _value(self, column: str) -> object:
        value = self.row.get(column)
        return typed({column: value})[column] if isinstance(value, str) else value

    def text(self, column: str) -> str | None:
        value = self._value(column)
        return value if isinstance(value, str) else None

    def integer(self, column: str) -> int | None:
        value = self._value(column)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def number(self, column: str) -> float | None:
        value: Any = self._value(column)
        return float(value) if is_number(value) and math.isfinite(value) else None

    def time(self, column: str) -> datetime | None:
        value = self._value(column)
        if not isinstance(value, datetime):
            return None
        try:
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        except OverflowError:
            return None

    def usage(self, project: str) -> InsightsUsage:
        queued_at, started_at = self.time("JOB_RUN_QUEUED_AT"), self.time("JOB_RUN_STARTED_AT")
        waited = (started_at - queued_at).total_seconds() if queued_at and started_at else None
        return InsightsUsage(
            project=project,
            workflow=self.text("WORKFLOW_NAME") or "",
            job=self.text("JOB_NAME") or "",
            job_id=self.text("JOB_ID"),
            workflow_id=self.text("WORKFLOW_ID"),
            branch=self.text("VCS_BRANCH"),
            status=self.text("JOB_BUILD_STATUS"),
            resource_class=self.text("RESOURCE_CLASS"),
            executor=self.text("EXECUTOR"),
            parallelism=self.integer("PARALLELISM"),
            queued_at=queued_at,
            started_at=started_at,
            stopped_at=self.time("JOB_RUN_STOPPED_AT"),
            duration=self.number("JOB_RUN_SECONDS"),
            queue_duration=waited if waited is not None and waited >= 0 else None,
            credits_used=self.number("TOTAL_CREDITS"),
            median_cpu=self.number("MEDIAN_CPU_UTILIZATION_PCT"),
            max_cpu=self.number("MAX_CPU_UTILIZATION_PCT"),
            median_ram=self.number("MEDIAN_RAM_UTILIZATION_PCT"),
            max_ram=self.number("MAX_RAM_UTILIZATION_PCT"),
        )


async def make_exports(
    session: Session,
    organizations: Collection[str],
    window: Window,
    now: datetime,
    tracker: InsightsProgressTracker,
) -> tuple[list[UsageExport], list[InsightsFailure]]:
    """Create exports for the window, which are at most 31 days long, and wait until they are completed.

    Of several failures of an organization, the first is returned. Raises the errors in `FATAL`.
    """
    exported = Window(max(window.start, now - MAX_AGE + ROUNDING), min(window.end, now))
    pieces = exported.pieces(MAX_SPAN)
    exports: list[UsageExport] = []
    failures: dict[str, InsightsFailure] = {}

    async def make_all(organization: str) -> None:
        try:
            id = (await Organizations(session).get(organization)).id
        except FATAL:
            raise
        except CircleCIError as error:
            failed(organization, error)
        else:
            await map_concurrently(pieces, lambda piece: make(organization, id, piece), concurrency=len(pieces))

    async def make(organization: str, id: str, piece: Window) -> None:
        try:
            exports.append(await _completed(session, id, piece, tracker))
        except FATAL:
            raise
        except CircleCIError as error:
            failed(organization, error)

    def failed(organization: str, error: CircleCIError) -> None:
        failures.setdefault(organization, InsightsFailure(project=organization, kind="usage", error=error))

    if pieces and organizations:
        await map_concurrently(organizations, make_all, concurrency=len(organizations))
    return exports, list(failures.values())


async def _completed(
    session: Session, organization_id: str, window: Window, progress: InsightsProgressTracker
) -> UsageExport:
    wait = ExportWait(session, organization_id, INTERVAL, MAX_EXPORT_TIME)
    created = await Usage(session).create_export(organization_id, start=window.start, end=window.end)
    tracker = UsageProgressTracker(
        created.usage_export_job_id, lambda export: progress.export(export.export_id, export.state)
    )
    tracker.update(state=created.state)
    with with_export_id(tracker.export_id):
        return await wait.until_completed(tracker, is_new=True)
