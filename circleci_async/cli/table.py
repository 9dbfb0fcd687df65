"""Lays out tables: which columns a terminal has room for, how wide they are, and where their cells are cut."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from .formatting import Cell, shown

T = TypeVar("T")

GAP = 2
"""Spaces between two columns."""

MIN_WIDTH = 12
"""Width to which the cells of a column are cut, by default, before the column is hidden."""


@dataclass(frozen=True)
class Column(Generic[T]):
    """A column of a table. A terminal without room for all hides the last ones."""

    title: str
    value: Callable[[T], Cell]
    is_fixed: bool = False
    """Never cut: shown in full or hidden."""
    is_number: bool = False
    """Aligned on the right on a terminal."""
    is_key: bool = False
    """Hidden after all others: the next command needs it."""
    is_path: bool = False
    """Cut on the left, as far as the values stay distinct: `…/api`."""
    min_width: int = MIN_WIDTH
    """Width to which cells are cut before the column is hidden."""


class Layout(NamedTuple):
    """The columns that are shown, by position, with their widths; and the titles of the hidden ones."""

    widths: dict[int, int]
    hidden: list[str]


def cells(rows: Sequence[T], columns: Sequence[Column[T]], *, exact: bool) -> list[list[str]]:
    """Return the texts of a table, by row, without the titles."""
    return [[shown(column.value(row), exact=exact) for column in columns] for row in rows]


def layout(columns: Sequence[Column[T]], texts: Sequence[Sequence[str]], width: int | None) -> Layout:
    """Return the layout of a table for a terminal of this width, or of one without a limit.

    The first column is always shown, then what the next command needs, then the others from left to right. The
    width that is left widens the columns that are cut, in the same order.
    """
    from rich.cells import cell_len

    full = [max(map(cell_len, (each.title, *(row[n] for row in texts)))) for n, each in enumerate(columns)]
    if width is None:
        return Layout(dict(enumerate(full)), [])
    order = sorted(range(len(columns)), key=lambda n: (n != 0, not columns[n].is_key))
    widths: dict[int, int] = {}
    left = width
    for n in order:
        room = left - GAP if widths else width
        needed = _min_width(columns[n], full[n], [row[n] for row in texts])
        if not widths or (columns[n].is_key and not columns[n].is_fixed and room >= MIN_WIDTH):
            needed = min(needed, room)
        if needed <= room:
            widths[n] = needed
            left = room - needed
    for n, cut in widths.items():
        widths[n] = min(full[n], cut + left)
        left -= widths[n] - cut
    return Layout(
        {n: widths[n] for n in sorted(widths)}, [each.title for n, each in enumerate(columns) if n not in widths]
    )


def fit(text: str, width: int, *, is_path: bool = False) -> str:
    """Cut a text to a width, on the right, or on the left if it is a path; an ellipsis marks the cut."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return text
    if not is_path:
        return f"{set_cell_size(text, width - 1)}…"
    start = next((n for n, char in enumerate(text) if char == "/" and cell_len(text[n:]) < width), None)
    if start is None:  # not even the last segment fits
        start = next(n for n in range(1, len(text) + 1) if cell_len(text[n:]) < width)
    return f"…{text[start:]}"


def _min_width(column: Column[T], full: int, texts: Sequence[str]) -> int:
    if column.is_fixed:
        return full
    return min(full, max(column.min_width, _distinct_width(texts) if column.is_path else 0))


def _distinct_width(paths: Sequence[str]) -> int:
    """Return the width to which paths can be cut on the left so that they stay distinct, in whole segments."""
    from rich.cells import cell_len

    split = {tuple(path.split("/")) for path in paths}
    for count in range(1, max(map(len, split), default=0) + 1):
        ends = {path[-count:] for path in split}
        if len(ends) == len(split):
            break
    else:
        return 0
    return max(cell_len("/".join(end)) for end in ends) + len("…/")
