"""The tables of a history, where their files are, and how observations become rows.

Files are in Hive partitions by project and month, which DuckDB and polars read as they are. Two collections in any
order, or repeated, give the same rows.
"""

import re
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, unquote

import attrs
from attrs import frozen

from ...harvest import parquet
from ...models.insights_tables import InsightsFlakyTest, InsightsJobDay, InsightsRun, InsightsTest
from ..table import column_types
from ..window import KEPT

_NAME = re.compile(r"(?P<table>[a-z_]+)/project=(?P<project>[^/]+)/month=(?P<month>\d{4}-\d{2})/(?P=table)\.parquet")


@frozen(order=True)
class Partition:
    """The rows of one table, project and month."""

    table: str
    project: str
    """The slug."""
    month: str
    """Such as `2026-11`, in UTC."""

    @property
    def name(self) -> str:
        """The path of its file below the history: `runs/project=gh%2Facme%2Fapi/month=2026-11/runs.parquet`."""
        return f"{folder_of(self.table, self.project)}/month={self.month}/{self.table}.parquet"

    @classmethod
    def parse(cls, name: str) -> "Partition | None":
        """Return the partition with this name; None for any other file."""
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        found = cls(match["table"], unquote(match["project"]), match["month"])
        return found if found.name == name else None


def folder_of(table: str, project: str) -> str:
    """Return the folder of a table of a project, below the history."""
    return f"{table}/project={quote(project, safe='')}"


def month_of(day: date | datetime) -> str:
    """Return the month of a day, or of a time in UTC."""
    if isinstance(day, datetime):
        day = day.astimezone(UTC)
    return f"{day.year:04}-{day.month:02}"


T = TypeVar("T")


class HistoryTable(Generic[T]):
    """A table: the class of its rows, what identifies a row, and the columns that its files are sorted by."""

    def __init__(self, name: str, kind: type[T], identity: tuple[str, ...], order: tuple[str, ...] = ()) -> None:
        self.name = name
        self.kind = kind
        self.identity: Callable[[T], Hashable] = attrgetter(*identity)
        self._types = column_types(kind)
        self._order = attrgetter(*order, *self._types)
        fields: Any = attrs.fields(kind)  # type: ignore[arg-type]  # each is a class of attrs
        self._required = [index for index, field in enumerate(fields) if field.default is attrs.NOTHING]

    def __repr__(self) -> str:
        return f"<HistoryTable {self.name}>"

    def storable(self, row: T) -> T:
        """Return a row as it is after it was written and read: names and numbers of servers can be impossible."""
        changes = {
            name: value for name in self._types if (value := parquet.storable(old := getattr(row, name))) is not old
        }
        evolve: Any = attrs.evolve
        return evolve(row, **changes) if changes else row

    def sorted(self, rows: Iterable[T]) -> list[T]:
        """Return rows in the order of files, which depends on the rows only."""
        return sorted(rows, key=lambda row: [(value is not None, value) for value in self._order(row)])

    def dump(self, rows: Iterable[T]) -> bytes:
        """Return the Parquet file of rows."""
        values = attrgetter(*self._types)
        return parquet.dump([values(row) for row in rows], self._types)

    def load(self, content: bytes) -> list[T]:
        """Return the rows of a Parquet file. Raises `ValueError` if it is not one of this table."""
        rows = parquet.load(content, self._types)
        names = list(self._types)
        for row in rows:
            for index in self._required:
                if row[index] is None:
                    raise ValueError(f"{names[index]} is null")
        return [self.kind(**dict(zip(names, row, strict=True))) for row in rows]


_TEST: Final = ("project", "workflow", "job", "classname", "test_name")

RUNS: Final = HistoryTable("runs", InsightsRun, ("id",), ("created_at",))
JOBS: Final = HistoryTable("jobs", InsightsJobDay, ("id",), ("day",))
TESTS: Final = HistoryTable("tests", InsightsTest, (*_TEST, "file", "source"))
FLAKY_TESTS: Final = HistoryTable("flaky_tests", InsightsFlakyTest, _TEST, ("workflow_created_at",))


def changes(before: Sequence[T], after: Sequence[T]) -> tuple[list[T], list[T]]:
    """Return the added and the removed rows."""
    old, new = set(before), set(after)
    return [row for row in after if row not in old], [row for row in before if row not in new]


R = TypeVar("R", bound=InsightsRun | InsightsJobDay)


def merge_runs(stored: Iterable[InsightsRun], observed: Iterable[InsightsRun]) -> list[InsightsRun]:
    """Add runs, and replace those with the same id. A run that has stopped is not replaced by one that has not."""

    def is_newer(old: InsightsRun, new: InsightsRun) -> bool:
        return new.stopped_at is not None or old.stopped_at is None

    return _by_id(stored, observed, is_newer)


def merge_job_days(stored: Iterable[InsightsJobDay], observed: Iterable[InsightsJobDay]) -> list[InsightsJobDay]:
    """Add days, and replace those with the same id, unless the new row counts fewer runs."""
    return _by_id(stored, observed, lambda old, new: new.total_runs >= old.total_runs)


def merge_tests(
    stored: Iterable[InsightsTest], observed: Iterable[InsightsTest], workflows: Collection[str]
) -> list[InsightsTest]:
    """Replace the tests of workflows by those of their new snapshots."""
    return [*(test for test in stored if test.workflow not in workflows), *observed]


def merge_flaky_tests(
    stored: Iterable[InsightsFlakyTest], observed: Sequence[InsightsFlakyTest], month: str
) -> list[InsightsFlakyTest]:
    """Add the tests that flaked last in a month, and remove its rows whose flakes an observation counts, too."""
    rows = [*stored, *(each for each in observed if month_of(each.workflow_created_at) == month)]
    return without_counted(dict.fromkeys(rows), [*rows, *observed])


def without_counted(rows: Iterable[InsightsFlakyTest], others: Iterable[InsightsFlakyTest]) -> list[InsightsFlakyTest]:
    """Return the rows whose flakes none of the others counts: not fewer flakes of the same test, and up to a later one.

    CircleCI counts those of 90 days. Rows that are further apart have no flake in common.
    """
    by_test: dict[object, set[InsightsFlakyTest]] = {}
    for each in others:
        by_test.setdefault(FLAKY_TESTS.identity(each), set()).add(each)
    return [row for row in rows if not any(_counts(other, row) for other in by_test.get(FLAKY_TESTS.identity(row), ()))]


def _counts(other: InsightsFlakyTest, row: InsightsFlakyTest) -> bool:
    later = other.workflow_created_at - row.workflow_created_at
    if not timedelta(0) <= later <= KEPT or other.times_flaked < row.times_flaked or other == row:
        return False
    return later > timedelta(0) or other.times_flaked > row.times_flaked or repr(other) > repr(row)


def _by_id(stored: Iterable[R], observed: Iterable[R], is_newer: Callable[[R, R], bool]) -> list[R]:
    rows: dict[str, R] = {}
    for row in (*stored, *observed):
        old = rows.get(row.id)
        if old is None or is_newer(old, row):
            rows[row.id] = row
    return list(rows.values())
