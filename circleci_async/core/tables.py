"""Models as rows of a table, for data frames and CSV files."""

import functools
from collections.abc import AsyncIterable, Iterable, Mapping
from datetime import date
from types import NoneType
from typing import Any, cast, get_args, get_origin

import attrs

from ..errors import InvalidArgument
from .codec import to_dict, to_json

__all__ = ["columns", "rows"]


def rows(items: Iterable[object], *, strip: str = "", **extra: object) -> list[dict[str, Any]]:
    """Return models as flat rows, one dict each: `polars.DataFrame(rows(items))`, `pandas.DataFrame(rows(items))`.

    Further keyword arguments become the first columns of each row: `rows(metrics, project="gh/acme/api")`. They replace
    columns of the same name. `strip` is removed from the start of names: with `strip="metrics."`, `metrics.total_runs`
    becomes `total_runs`.

    Pass `infer_schema_length=None` to polars for more than 100 rows: otherwise it infers the type of a column from the
    first 100, which can all be None.

    - A nested model becomes columns named `outer.inner`; all of them are None if the model is None.
    - Lists and maps become JSON text.
    - Dates stay aware datetimes; enums, ids, slugs, paths and exceptions become text.
    - All rows have the same keys in the same order, those of `columns`; for items of several classes, those of all. A
      mapping, such as a row of a usage export, keeps its keys and values.

    Raises `InvalidArgument` for an item that is neither a model nor a mapping, for a `Paged` list, whose method `rows`
    fetches it, and if `strip` would give two columns the same name.
    """
    _check_items(items)
    _check_strip(strip)
    first = {name: _cell(value) for name, value in extra.items()}
    table = [{**first, **_row(item, strip), **first} for item in items]
    if len({tuple(row) for row in table}) > 1:
        every = dict.fromkeys(key for row in table for key in row)
        return [{**every, **row} for row in table]
    return table


def columns(kind: type, *, strip: str = "", **extra: object) -> list[str]:
    """Return the names of the columns that `rows` makes of a model class, in the same order.

    With them, a data frame of no rows has its columns: `pandas.DataFrame(rows, columns=columns(WorkflowMetrics))`,
    `polars.DataFrame(rows, schema=columns(WorkflowMetrics))`. Pass the same keyword arguments as to `rows`.
    """
    _check_kind(kind)
    _check_strip(strip)
    names = tuple(name for name, _ in _columns(kind))
    return list(dict.fromkeys([*extra, *_stripped(names, strip)]))


def _check_items(items: object) -> None:
    if hasattr(items, "collect"):  # `Paged`
        raise InvalidArgument("items must be fetched first: call `await paged.rows()`, or pass `await paged.collect()`")
    if isinstance(items, AsyncIterable):
        raise InvalidArgument("items must be fetched first: pass `[item async for item in items]`")
    kind: Any = type(items)
    if attrs.has(kind):
        lists = " or ".join(f"`{name}`" for name in _list_names(kind))
        right = f"pass its {lists}" if lists else "pass `[item]`"
        raise InvalidArgument(f"items must be a list of models, got one {kind.__name__}: {right}")
    if isinstance(items, str | bytes | Mapping) or not hasattr(items, "__iter__"):
        raise InvalidArgument(f"items must be a list of models, got {items!r}")


def _list_names(kind: type[attrs.AttrsInstance]) -> list[str]:
    """Return the names of the fields that are lists of models."""
    return [
        field.name
        for field in attrs.fields(attrs.resolve_types(kind))
        if any(attrs.has(part) for part in get_args(field.type) if get_origin(field.type) is tuple)
    ]


def _check_kind(kind: object) -> None:
    if not (isinstance(kind, type) and attrs.has(kind)):
        raise InvalidArgument(f"kind must be the class of a model, such as Pipeline, got {kind!r}")


def _check_strip(strip: object) -> None:
    if not isinstance(strip, str):
        raise InvalidArgument(f"strip must be the start of names of columns, such as 'metrics.', got {strip!r}")


def _row(item: object, strip: str) -> dict[str, Any]:
    if isinstance(item, Mapping):
        row = cast(Mapping[str, Any], item)
        return dict(zip(_stripped(tuple(row), strip), row.values(), strict=True))
    kind: Any = type(item)
    if not attrs.has(kind):
        raise InvalidArgument(f"items must be models such as Pipeline, or mappings, got a {kind.__name__}")
    names, paths = zip(*_columns(kind), strict=True)
    return {
        name: _cell(functools.reduce(_step, path, item))
        for name, path in zip(_stripped(names, strip), paths, strict=True)
    }


@functools.cache
def _columns(kind: type[attrs.AttrsInstance]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the columns of a class, each with the path to its value."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for field in attrs.fields(attrs.resolve_types(kind)):
        inner = next((part for part in get_args(field.type) if part is not NoneType), field.type)
        if attrs.has(cast(type, inner)) and (inner is field.type or NoneType in get_args(field.type)):
            found += [(f"{field.name}.{column}", (field.name, *path)) for column, path in _columns(inner)]
        else:
            found.append((field.name, (field.name,)))
    return found


@functools.lru_cache(maxsize=256)
def _stripped(names: tuple[str, ...], strip: str) -> tuple[str, ...]:
    """Return the names without a prefix. Raises `InvalidArgument` if two would be equal, or one is left incomplete."""
    given: dict[str, str] = {}
    for name in names:
        short = name.removeprefix(strip)
        if short != name and (not short or ("." in short and not strip.endswith("."))):
            raise InvalidArgument(f"strip={strip!r} leaves {short!r} of the column {name!r}: end it with a dot")
        if short in given:
            raise InvalidArgument(
                f"strip={strip!r} gives the columns {given[short]!r} and {name!r} the same name: use another prefix"
            )
        given[short] = name
    return tuple(given)


def _step(value: object, name: str) -> object:
    return None if value is None else getattr(value, name)


def _cell(value: object) -> Any:
    if value is None or type(value) in {str, int, float, bool} or isinstance(value, date):
        return value
    plain = to_dict(value)
    return to_json(plain) if isinstance(plain, list | dict) else plain
