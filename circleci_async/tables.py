"""Models as rows of a table, for data frames and CSV files."""

import functools
from collections.abc import AsyncIterable, Iterable, Mapping
from datetime import datetime
from types import NoneType
from typing import Any, cast, get_args

import attrs

from .core.codec import to_dict, to_json
from .errors import InvalidArgument

__all__ = ["rows"]


def rows(items: Iterable[object]) -> list[dict[str, Any]]:
    """Return models as flat rows, one dict each: `polars.DataFrame(rows(items))`, `pandas.DataFrame(rows(items))`.

    Pass `infer_schema_length=None` to polars for more than 100 rows: otherwise it infers the type of a column from the
    first 100, which can all be None.

    - A nested model becomes columns named `outer.inner`; all of them are None if the model is None.
    - Lists and maps become JSON text.
    - Dates stay aware datetimes; enums, paths and exceptions become text.
    - All rows have the same keys in the same order: those of all classes among the items. A mapping, such as a row of a
      usage export, is used unchanged.

    Raises `InvalidArgument` for an item that is neither a model nor a mapping, and for a `Paged` list, which must be
    fetched first.
    """
    if isinstance(items, AsyncIterable):
        raise InvalidArgument("items must be fetched first: pass `await paged.collect()`")
    if isinstance(items, str | bytes | Mapping) or not hasattr(items, "__iter__"):
        raise InvalidArgument(f"items must be a list of models, got {items!r}")
    table = [_row(item) for item in items]
    if len({tuple(row) for row in table}) > 1:
        every = dict.fromkeys(key for row in table for key in row)
        return [{**every, **row} for row in table]
    return table


def _row(item: object) -> dict[str, Any]:
    if isinstance(item, Mapping):
        return dict(cast(Mapping[str, Any], item))
    kind: Any = type(item)
    if not attrs.has(kind):
        raise InvalidArgument(f"items must be models such as Pipeline, or mappings, got a {kind.__name__}")
    return {column: _cell(functools.reduce(_step, path, item)) for column, path in _columns(kind)}


@functools.cache
def _columns(kind: type[attrs.AttrsInstance]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the columns of a class, each with the path to its value."""
    columns: list[tuple[str, tuple[str, ...]]] = []
    for field in attrs.fields(attrs.resolve_types(kind)):
        inner = next((part for part in get_args(field.type) if part is not NoneType), field.type)
        if attrs.has(cast(type, inner)) and (inner is field.type or NoneType in get_args(field.type)):
            columns += [(f"{field.name}.{column}", (field.name, *path)) for column, path in _columns(inner)]
        else:
            columns.append((field.name, (field.name,)))
    return columns


def _step(value: object, name: str) -> object:
    return None if value is None else getattr(value, name)


def _cell(value: object) -> Any:
    if value is None or type(value) in {str, int, float, bool} or isinstance(value, datetime):
        return value
    plain = to_dict(value)
    return to_json(plain) if isinstance(plain, list | dict) else plain
