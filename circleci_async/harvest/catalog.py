"""The catalog of a harvest: a table with one row per finished file, for DuckDB, polars and other programs."""

import asyncio
import csv
import os
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import islice
from operator import attrgetter
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Final, TextIO, TypeAlias

from ..core.arguments import local_path
from ..downloads.replaced_file import replaced_file
from ..errors import InvalidArgument, LedgerError
from . import parquet
from .destination.place import HarvestDestination, Place, resolve
from .ledger.schema import connect_to_read
from .ledger.values import valid_text
from .open_ledger import readable
from .report import FINISHED_FILES, HarvestedFile, Rows, file_maker

if TYPE_CHECKING:
    from polars import DataFrame

__all__ = ["HarvestCatalog", "harvest_catalog"]

BATCH_SIZE: Final = 5_000
"""Rows that are converted at a time."""

_OPERATIONS: Final = 10_000
"""Operations of SQLite after which a reader checks whether it is interrupted."""

_FIELDS: Final[dict[str, tuple[str, type]]] = {
    "project": ("project", str),
    "branch": ("branch", str),
    "tag": ("tag", str),
    "revision": ("revision", str),
    "pipeline": ("pipeline", int),
    "pipeline_id": ("pipeline_id", str),
    "workflow": ("workflow", str),
    "job": ("job", str),
    "number": ("number", int),
    "node": ("node", int),
    "kind": ("kind", str),
    "path": ("artifact", str),
    "target": ("target", str),
    "location": ("location", str),
    "size": ("size", int),
    "sha256": ("sha256", str),
    "etag": ("etag", str),
    "created_at": ("created_at", datetime),
    "fetched_at": ("finished_at", datetime),
    "url": ("url", str),
}
"""The columns, each with the attribute of `HarvestedFile` that it shows, and its type."""

_LOCATION: Final = list(_FIELDS).index("location")
_TYPES: Final = {name: kind for name, (_, kind) in _FIELDS.items()}

_QUERY: Final = f"{FINISHED_FILES} ORDER BY jobs.project, pipeline, workflow, jobs.number, node, path, target"

_Row: TypeAlias = tuple[Any, ...]


class HarvestCatalog(Rows[HarvestedFile]):
    """The finished files of a harvest, in the order of project, pipeline, workflow, job number, node and path.

    Reads the ledger on each access, so that a million files take no memory. Two catalogs of the same files are equal.
    Reading and writing blocks: in a service, call `await asyncio.to_thread(catalog.write_parquet, path)`.
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place, _QUERY, (), file_maker(place))
        self._interrupted: Event = Event()

    def __len__(self) -> int:
        self._length = None  # a running harvest adds files
        return super().__len__()

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(_FIELDS)

    def rows(self) -> Generator[dict[str, Any]]:
        """Yield a dict for each file: text, integers, and times in UTC; None for what is not known.

        `path` is the artifact's path in the job, `target` its path below the destination, and `location` where the file
        is. `branch`, `tag`, `revision`, `pipeline_id` and `created_at` are None for files that an older version of this
        package harvested.
        """
        for row in self._rows():
            yield dict(zip(_FIELDS, row, strict=True))

    def frame(self) -> "DataFrame":
        """Return all rows as a polars `DataFrame`. Raises `ConfigurationError` without the extra `report`."""
        return parquet.frame(self._batches(), _TYPES)

    def write_parquet(self, path: str | os.PathLike[str]) -> int:
        """Write a Parquet file, and return the number of rows. Takes the same memory for any number of them.

        An existing file is replaced once the new one is complete. Needs the extra `report`. Raises
        `ConfigurationError` without it, `InvalidArgument`, `LedgerError`, and `CircleCIError` if the file cannot be
        written.
        """
        parquet.check_installed()
        with self._new_file(path) as file:
            return parquet.write(self._batches(), _TYPES, file)

    def write_csv(self, path: str | os.PathLike[str] | TextIO) -> int:
        """Write a CSV file in UTF-8, or to a text stream, and return the number of rows.

        Times are in ISO 8601, and fields that are not known are empty. Text is in double quotes if it contains a comma,
        a double quote, which is doubled, or a line break. An existing file is replaced once the new one is complete.
        Raises `InvalidArgument`, `LedgerError`, and `CircleCIError` if the file cannot be written.
        """
        if not isinstance(path, str | os.PathLike):
            return self._write_csv(path)
        with self._new_file(path) as file, file.open("w", encoding="utf-8", newline="") as stream:
            return self._write_csv(stream)

    def interrupt(self) -> None:
        """End all reading and writing, also in other threads, with a `LedgerError`. Idempotent."""
        self._interrupted.set()

    def _write_csv(self, stream: TextIO) -> int:
        # Older Pythons quote a carriage return only if the end of a line contains one.
        writer = csv.writer(_Lines(stream), lineterminator="\r\n")
        writer.writerow(_FIELDS)
        count = 0
        for row in self._rows():
            writer.writerow([value.isoformat() if isinstance(value, datetime) else value for value in row])
            count += 1
        return count

    def _rows(self) -> Generator[_Row]:
        return (_row(file) for file in self)

    def _batches(self) -> Iterator[list[_Row]]:
        with closing(self._rows()) as rows:
            while batch := list(islice(rows, BATCH_SIZE)):
                yield batch

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Connection]:
        if self._interrupted.is_set():
            raise LedgerError(f"the catalog of {self._place} was interrupted: call `harvest_catalog` again")
        with super()._reading() as sql:
            sql.set_progress_handler(self._interrupted.is_set, _OPERATIONS)
            yield sql

    @contextmanager
    def _new_file(self, path: str | os.PathLike[str]) -> Generator[Path]:
        target = local_path("path", path)
        if self._is_of_harvest(target):
            raise InvalidArgument(f"path must not be a file of the harvest, got {str(target)!r}: choose another path")
        with replaced_file("path", target) as file:
            yield file

    def _is_of_harvest(self, path: Path) -> bool:
        """Return whether a path belongs to the ledger or is a harvested file."""
        file = path.parent.resolve() / path.name
        for folder in filter(None, (self._place.ledger, self._place.folder)):
            if not file.is_relative_to(folder.resolve()):
                continue
            target = file.relative_to(folder.resolve()).as_posix()
            if target.startswith(".harvest") or (folder == self._place.folder and self._has(target)):
                return True
        return False

    def _has(self, target: str) -> bool:
        with self._reading() as sql:
            query = "SELECT 1 FROM artifacts WHERE lower(target) = lower(?)"
            return sql.execute(query, (valid_text(target),)).fetchone() is not None


class _Lines:
    """Receives the lines of a CSV writer, and ends each with a line feed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        self._stream.write(line.removesuffix("\r\n") + "\n")


_values = attrgetter(*(attribute for attribute, _ in _FIELDS.values()))


def _row(file: HarvestedFile) -> _Row:
    row: list[Any] = list(_values(file))
    row[_LOCATION] = valid_text(row[_LOCATION])  # the only text that is not from the ledger
    return tuple(row)


async def harvest_catalog(into: HarvestDestination, *, ledger: str | os.PathLike[str] | None = None) -> HarvestCatalog:
    """Return the catalog of the harvest in a destination. Sends no request to CircleCI and changes nothing.

    Can be read while a harvest is running: it contains the files that are finished at each access. `ledger`: the folder
    of the ledger, if the harvest was given one. Raises `InvalidArgument`, and `LedgerError` if the destination contains
    no harvest, or its ledger cannot be read.
    """
    place = await readable(resolve(into, ledger))
    (await asyncio.to_thread(connect_to_read, place.ledger)).close()
    return HarvestCatalog(place)
