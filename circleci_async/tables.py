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
    """Return models as flat rows, a dict each: `polars.DataFrame(rows(items))`, `pandas.DataFrame(rows(items))`.

    Of more than 100 rows tell polars to look at all of them, for it takes a column that begins with 100 times None to
    be of nothing else: `polars.DataFrame(rows(items), infer_schema_length=None)`.

    - A field that is a model becomes columns of its own, named `outer.inner`; all None where it is None.
    - Lists and free maps become JSON text.
    - Dates stay aware datetimes; enums, paths and exceptions become text.
    - All rows have the same keys, in the same order, whatever is None. Of items of several kinds, each row has all of
      their keys. A mapping (a row of a usage export) is taken as it is.

    Raises `InvalidArgument` for an item that is neither a model nor a mapping, and for a list that is still to be
    fetched (`await` its `collect()` first).
    """
    if isinstance(items, AsyncIterable):
        raise InvalidArgument("items: they are still to be fetched; give `await paged.collect()`")
    if isinstance(items, str | bytes | Mapping) or not hasattr(items, "__iter__"):
        raise InvalidArgument(f"items={items!r}: give a list of models")
    found = [_row(item) for item in items]
    if len({tuple(row) for row in found}) > 1:
        every = dict.fromkeys(key for row in found for key in row)
        return [{**every, **row} for row in found]
    return found


def _row(item: object) -> dict[str, Any]:
    if isinstance(item, Mapping):
        return dict(cast(Mapping[str, Any], item))
    kind: Any = type(item)
    if not attrs.has(kind):
        raise InvalidArgument(f"items: a row can't be made of a {kind.__name__}; give models, such as `Pipeline`")
    return {column: _cell(functools.reduce(_step, path, item)) for column, path in _columns(kind)}


@functools.cache
def _columns(kind: type[attrs.AttrsInstance]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the columns of a class, each with the way to its value."""
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
