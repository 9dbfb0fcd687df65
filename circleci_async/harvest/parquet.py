"""Data frames and Parquet files of rows: the only module that imports polars."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..config.extras import is_installed
from ..errors import ConfigurationError

if TYPE_CHECKING:
    from polars import DataFrame

Batches: TypeAlias = Iterable[Sequence[tuple[Any, ...]]]

ROWS_PER_GROUP: Final = 20_000
"""Rows that a Parquet file stores together, and that are in memory at once."""

_PROBE_SIZE: Final = 1024 * 1024
"""Bytes that are written to a file that polars could not write."""


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


def _frame_maker(types: Mapping[str, type]) -> "Callable[[Sequence[tuple[Any, ...]]], DataFrame]":
    import polars as pl

    kinds = {
        str: pl.String(),
        int: pl.Int64(),
        float: pl.Float64(),
        bool: pl.Boolean(),
        datetime: pl.Datetime("us", "UTC"),
    }
    schema = {name: kinds[kind] for name, kind in types.items()}
    return lambda rows: pl.DataFrame(rows, schema=schema, orient="row")


def _cause(error: Exception, path: Path) -> OSError:
    """Return the error of the system that made polars fail. Depending on the position, polars does not keep it."""
    try:
        with path.open("ab") as file:
            file.write(bytes(_PROBE_SIZE))
    except OSError as cause:
        return cause
    return OSError(str(error).partition("\n")[0])
