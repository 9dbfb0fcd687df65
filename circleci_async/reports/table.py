"""The tables of a report."""

from collections.abc import Iterable, Iterator, Sequence
from types import NoneType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, get_args, overload

import attrs

if TYPE_CHECKING:
    from polars import DataFrame

__all__ = ["InsightsTable"]

T = TypeVar("T")


def column_types(kind: type) -> dict[str, type]:
    """Return the type of each column of a class of rows, without None."""
    fields = attrs.fields(attrs.resolve_types(kind))
    return {
        each.name: next((part for part in get_args(each.type) if part is not NoneType), each.type) for each in fields
    }


class InsightsTable(Sequence[T], Generic[T]):  # noqa: PLW1641  # unhashable, as a list
    """The rows of one table: a sequence of models of one class, also without rows."""

    def __init__(self, kind: type[T], items: Iterable[T] = ()) -> None:
        self.kind: type[T] = kind
        """The class of the rows."""
        self._items: tuple[T, ...] = tuple(items)

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        kind: Any = self.kind
        return [each.name for each in attrs.fields(kind)]

    def rows(self) -> list[dict[str, Any]]:
        """Return a dict for each row: text, numbers, bools, and times in UTC; None for what is not known."""
        names = self.columns
        return [{name: getattr(item, name) for name in names} for item in self._items]

    def frame(self) -> "DataFrame":
        """Return a polars `DataFrame` with typed columns, also without rows.

        Raises `ConfigurationError` without the extra `report`.
        """
        from ..harvest import parquet  # only now: a report without frames does not need it

        return parquet.frame([[tuple(row.values()) for row in self.rows()]], column_types(self.kind))

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> "InsightsTable[T]": ...
    def __getitem__(self, index: int | slice) -> "T | InsightsTable[T]":
        if isinstance(index, slice):
            return InsightsTable(self.kind, self._items[index])
        return self._items[index]

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, InsightsTable):
            return NotImplemented
        table = cast("InsightsTable[object]", other)
        return self.kind is table.kind and self._items == table._items

    def __repr__(self) -> str:
        return f"<{len(self)} rows of {self.kind.__name__}>"


def sorted_table(kind: type[T], rows: Iterable[T], *keys: str) -> InsightsTable[T]:
    """Return a table in the order of project, workflow and other columns."""

    def key(row: T) -> tuple[Any, ...]:
        return tuple(getattr(row, name) for name in ("project", "workflow", *keys))

    return InsightsTable(kind, sorted(rows, key=key))
