"""Data frames and Parquet files of rows: the only module that imports polars."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..config.extras import is_installed
from ..errors import ConfigurationError
from .ledger.values import bounded_integer, valid_text

if TYPE_CHECKING:
    from polars import DataFrame, DataType

Batches: TypeAlias = Iterable[Sequence[tuple[Any, ...]]]

ROWS_PER_GROUP: Final = 20_000
"""Rows that a Parquet file stores together, and that are in memory at once."""

_PROBE_SIZE: Final = 1024 * 1024
"""Bytes that are written to a file that polars could not write."""

_CHECKSUM: Final = b"circleci-async sha256:"
"""Precedes the hexadecimal checksum of a file in its metadata, which is at its end."""

_CHECKSUM_SIZE: Final = hashlib.sha256().digest_size


def check_installed() -> None:
    """Raise a `ConfigurationError` if the extra `report` is missing. Does not import it."""
    if not is_installed("polars"):
        raise ConfigurationError(
            "data frames and Parquet need the extra 'report': install it with `pip install 'circleci-async[report]'`"
        )


def frame(batches: Batches, types: Mapping[str, type]) -> "DataFrame":
    """Return all rows as a data frame with typed columns, also of no rows. Raises `ConfigurationError`."""
    check_installed()
    import polars as pl

    make = _frame_maker(types)
    return pl.concat([make([]), *map(make, batches)])


def write(batches: Batches, types: Mapping[str, type], path: Path) -> int:
    """Write rows to a Parquet file in groups, and return their number.

    Raises the errors of `batches`, `OSError` and `ConfigurationError`.
    """
    check_installed()
    from polars.exceptions import PolarsError
    from polars.io.plugins import register_io_source

    make = _frame_maker(types)
    count = 0
    failure: Exception | None = None

    def frames(*_: object) -> "Iterator[DataFrame]":
        nonlocal count, failure
        try:
            for batch in batches:
                count += len(batch)
                yield make(batch)
        except Exception as error:  # noqa: BLE001  # raised below: polars can replace it with another error
            failure = error

    try:
        lazy = register_io_source(frames, schema=make([]).schema)
        lazy.sink_parquet(path, row_group_size=ROWS_PER_GROUP, maintain_order=True, engine="streaming")
    except (PolarsError, OSError) as error:
        failure = failure or _cause(error, path)
    if failure is not None:
        raise failure
    return count


def dump(rows: Sequence[tuple[Any, ...]], types: Mapping[str, type]) -> bytes:
    """Return a Parquet file of rows: the same bytes for the same rows. Raises `ConfigurationError`.

    The metadata of the file contains a checksum of the whole file.
    """
    check_installed()
    file = BytesIO()
    unset = (_CHECKSUM + bytes(_CHECKSUM_SIZE).hex().encode()).decode()
    _frame_maker(types)(rows).write_parquet(file, row_group_size=ROWS_PER_GROUP, metadata={"checksum": unset})
    start, digest = _checksum(file.getvalue())
    file.seek(start)
    file.write(digest)
    return file.getvalue()


def load(content: bytes, types: Mapping[str, type]) -> list[tuple[Any, ...]]:
    """Return the rows of a Parquet file, with these columns and types. Further columns are not read.

    Raises `ValueError` if the file is damaged, lacks a column, or has values of another type, and `ConfigurationError`.
    A wrong checksum is found before polars reads the file: damaged pages can make it end the process. Files of other
    programs have no checksum.
    """
    check_installed()
    import polars as pl
    from polars.exceptions import PanicException, PolarsError

    start, digest = _checksum(content)
    if start >= 0 and content[start : start + len(digest)] != digest:
        raise ValueError("the file is damaged: its checksum is wrong")
    schema = _schema(types)
    try:
        found = pl.read_parquet(BytesIO(content), columns=list(types), hive_partitioning=False).cast(schema)  # type: ignore[arg-type]  # a dict is invariant
    except (PolarsError, PanicException, OSError) as error:
        raise ValueError(str(error).partition("\n")[0]) from None
    times = [index for index, kind in enumerate(types.values()) if kind is datetime]
    # Python needs a database of time zones to convert times with one
    rows = found.with_columns(pl.col(pl.Datetime).dt.replace_time_zone(None)).select(list(types)).rows()
    return [_in_utc(row, times) for row in rows] if times else rows


def _checksum(content: bytes) -> tuple[int, bytes]:
    """Return where the checksum in a file is, or a negative number, and what it has to be."""
    start = content.rfind(_CHECKSUM) + len(_CHECKSUM)
    if start < len(_CHECKSUM):
        return -1, b""
    end = start + 2 * _CHECKSUM_SIZE
    digest = hashlib.sha256(content[:start])
    digest.update(content[end:])
    return start, digest.hexdigest().encode()


def _in_utc(row: tuple[Any, ...], times: list[int]) -> tuple[Any, ...]:
    values = list(row)
    for index in times:
        if values[index] is not None:
            values[index] = values[index].replace(tzinfo=UTC)
    return tuple(values)


def _frame_maker(types: Mapping[str, type]) -> "Callable[[Sequence[tuple[Any, ...]]], DataFrame]":
    import polars as pl
    from polars.exceptions import PolarsError

    schema = _schema(types)

    def make(rows: Sequence[tuple[Any, ...]]) -> "DataFrame":
        try:
            return pl.DataFrame(rows, schema=schema, orient="row")
        except (UnicodeEncodeError, PolarsError):  # rare, so that checking each value would be slower
            return pl.DataFrame([tuple(map(storable, row)) for row in rows], schema=schema, orient="row")

    return make


def storable(value: Any) -> Any:
    """Return a value that a column can contain: text with escaped surrogates, and integers of at most 64 bits."""
    if isinstance(value, str):
        return value if value.isascii() else valid_text(value)
    return bounded_integer(value) if type(value) is int else value


def _schema(types: Mapping[str, type]) -> "dict[str, DataType]":
    import polars as pl

    kinds: dict[type, DataType] = {
        str: pl.String(),
        int: pl.Int64(),
        float: pl.Float64(),
        bool: pl.Boolean(),
        date: pl.Date(),
        datetime: pl.Datetime("us", "UTC"),
    }
    return {name: kinds[kind] for name, kind in types.items()}


def _cause(error: Exception, path: Path) -> OSError:
    """Return the error of the system that made polars fail. Depending on the position, polars does not keep it."""
    try:
        with path.open("ab") as file:
            file.write(bytes(_PROBE_SIZE))
    except OSError as cause:
        return cause
    return OSError(str(error).partition("\n")[0])
