"""Short HTML of models and tables, which notebooks show."""

from collections.abc import Iterable
from datetime import datetime
from html import escape
from itertools import islice
from typing import Any, Final, cast

import attrs

from ..untrusted_text import shown

MAX_ROWS: Final = 10
"""Rows that are shown of a table."""

MAX_CELL: Final = 100
"""Characters that are shown of a value."""


def model_html(model: object) -> str:
    """Return a table of the fields of a model. Fields that are not in its repr are left out."""
    kind: Any = type(model)
    lines = [
        f"<tr><th>{escape(field.name)}</th><td>{_field(field, getattr(model, field.name))}</td></tr>"
        for field in attrs.fields(kind)
        if field.repr
    ]
    return f"<table><caption>{escape(kind.__name__)}</caption>{''.join(lines)}</table>"


def rows_html(columns: Iterable[str], rows: Iterable[Iterable[object]], total: int) -> str:
    """Return a table of the first rows, and the number of all rows if there are more."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row)}</tr>" for row in islice(rows, MAX_ROWS))
    rest = f"<p>… {total:,} rows</p>" if total > MAX_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"


def _field(field: "attrs.Attribute[Any]", value: object) -> str:
    return _cell(value) if field.repr is True else escape(shown(cast(Any, field.repr)(value), MAX_CELL))


def _cell(value: object) -> str:
    if value is None:
        text = ""
    elif isinstance(value, str):
        text = str(value)
    elif isinstance(value, float):
        text = repr(round(value, 4))
    elif isinstance(value, datetime):
        text = value.isoformat(sep=" ", timespec="seconds")
    elif isinstance(value, list | tuple | dict | set | frozenset):
        count = len(cast("list[object]", value))
        text = f"{count:,} item{'' if count == 1 else 's'}"
    else:
        text = repr(value)
    return escape(shown(text, MAX_CELL))
