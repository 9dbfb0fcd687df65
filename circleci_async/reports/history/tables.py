"""The tables of a history, and their files."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

import attrs

from ...harvest import parquet
from ...models.insights_tables import InsightsFlakyTest, InsightsJobDay, InsightsRun, InsightsTest
from ..table import column_types

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
