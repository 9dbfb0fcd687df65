"""Compares the finished files with the ledger, by their checksums."""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, closing
from itertools import islice
from typing import TypeVar

from attrs import frozen

from ..core.arguments import check_bool
from ..core.fan_out import fan_out
from ..downloads.file_threads import available_cores
from ..errors import CircleCIError, DownloadError
from ..untrusted_text import is_valid_unicode, shown_list
from .destination.files import FinishedFile, FinishedFiles
from .destination.opening import finished_files
from .destination.place import HarvestDestination, Place, resolve
from .destination.store_threads import StoreThreads
from .ledger.schema import connect_to_read, ledger_errors
from .open_ledger import check_not_running, open_ledger, readable

__all__ = ["VerifyReport", "verify_harvest"]

T = TypeVar("T")

BATCH_SIZE = 64
"""Files that a thread checks at a time."""

MAX_REQUESTS = 32
"""Requests to a bucket at the same time."""

MAX_NAMED = 1_000
"""Differences of one kind that a report names."""


@frozen(kw_only=True)
class VerifyReport:
    """The differences between files and ledger. Paths are relative to the destination; at most 1,000 of a kind."""

    files: int
    """Number of intact files."""
    bytes: int
    """Total size of the intact files."""
    changed: tuple[str, ...]
    """Files whose content differs from the ledger."""
    missing: tuple[str, ...]
    """Files of the ledger that do not exist or cannot be read."""
    unknown: tuple[str, ...]
    """Files that are not in the ledger."""
    differences: int
    """Number of differences of all kinds."""
    seconds: float

    @property
    def is_intact(self) -> bool:
        """Whether the files match the ledger."""
        return not self.differences

    def raise_for_differences(self) -> None:
        """Raise a `DownloadError` that lists the differences, if there are any."""
        if self.is_intact:
            return
        kinds = (("changed", self.changed), ("missing", self.missing), ("unknown", self.unknown))
        lines = [f"{kind}: {path!r}" for kind, paths in kinds for path in paths][:10]
        more = self.differences - len(lines)
        lines += [f"and {more} more"] if more else []
        raise DownloadError(shown_list(f"{self.differences} files differ from the ledger:", lines))


async def verify_harvest(
    into: HarvestDestination,
    *,
    ledger: str | os.PathLike[str] | None = None,
    deep: bool = False,
    repair: bool = False,
) -> VerifyReport:
    """Compare every finished file of a destination with the ledger. Changes nothing, except with `repair`.

    Hashes each file of a folder. Of a bucket, compares the sizes and checksums that the objects have as metadata, with
    one request each; `deep`: reads and hashes every object too.

    - `ledger`: the folder of the ledger, if the harvest was given one.
    - `repair`: record changed and missing files as failed, so that the next harvest with the same selection downloads
      them again, if CircleCI still has them.

    Raises `LedgerError` if the destination contains no harvest or its ledger cannot be read, and `LedgerBusy` while a
    harvest is running.
    """
    check_bool("deep", deep)
    check_bool("repair", repair)
    place = await readable(resolve(into, ledger))
    began = time.monotonic()
    connection = await asyncio.to_thread(connect_to_read, place.ledger)
    concurrency = available_cores() if place.bucket is None else MAX_REQUESTS
    threads = StoreThreads(concurrency)
    with closing(connection), closing(threads), ledger_errors(place.ledger):
        await check_not_running(place, "verify")
        differences = _Differences(keeps_lost=repair)

        async def check(rows: list[FinishedFile]) -> list[tuple[str, str, int]]:
            return await threads.run(_check, place, rows, deep=deep)

        async with aclosing(
            fan_out(_batches(threads, _finished(connection)), check, concurrency=concurrency)
        ) as outcomes:
            async for _, outcome in outcomes:
                if isinstance(outcome, Exception):
                    raise outcome
                differences.add(outcome)
        async with aclosing(_batches(threads, _unknown(connection, finished_files(place)))) as batches:
            async for batch in batches:
                differences.add([("unknown", path, 0) for path in batch])
    if differences.lost:
        await _record_as_failed(resolve(into, ledger), differences.lost)
    return differences.report(time.monotonic() - began)


async def _record_as_failed(place: Place, targets: list[str]) -> None:
    lost: list[CircleCIError] = []
    async with open_ledger(place, lost.append) as writer:
        await writer.execute(_mark_failed, targets)
    if lost:
        raise lost[0]


def _mark_failed(sql: sqlite3.Connection, targets: list[str]) -> None:
    sql.executemany(
        "UPDATE artifacts SET state = 'failed', error = 'the file was changed or deleted', size = NULL, etag = NULL"
        " WHERE lower(target) = lower(?) AND target = ? AND state = 'done'",
        [(target, target) for target in targets],
    )


class _Differences:
    def __init__(self, *, keeps_lost: bool) -> None:
        self.lost: list[str] = []
        """The changed and missing files, if they are kept."""
        self._keeps_lost = keeps_lost
        self._paths: dict[str, list[str]] = {"changed": [], "missing": [], "unknown": []}
        self._files = self._bytes = self._differences = 0

    def add(self, outcomes: list[tuple[str, str, int]]) -> None:
        for kind, path, size in outcomes:
            if kind == "intact":
                self._files += 1
                self._bytes += size
                continue
            self._differences += 1
            if self._keeps_lost and kind != "unknown":
                self.lost.append(path)
            if len(self._paths[kind]) < MAX_NAMED:
                self._paths[kind].append(path)

    def report(self, seconds: float) -> VerifyReport:
        return VerifyReport(
            files=self._files,
            bytes=self._bytes,
            changed=tuple(self._paths["changed"]),
            missing=tuple(self._paths["missing"]),
            unknown=tuple(self._paths["unknown"]),
            differences=self._differences,
            seconds=seconds,
        )


def _finished(connection: sqlite3.Connection) -> Iterator[FinishedFile]:
    query = "SELECT target, size, sha256 FROM artifacts WHERE state = 'done' ORDER BY id"
    return map(FinishedFile._make, connection.execute(query))


def _unknown(connection: sqlite3.Connection, files: FinishedFiles) -> Iterator[str]:
    query = "SELECT 1 FROM artifacts WHERE lower(target) = lower(?) AND target = ? AND state IN ('done', 'pruning')"
    for path in files.finished():
        if not is_valid_unicode(path) or connection.execute(query, (path, path)).fetchone() is None:
            yield path


def _check(place: Place, rows: list[FinishedFile], *, deep: bool) -> list[tuple[str, str, int]]:
    with closing(finished_files(place)) as files:
        return [(files.verdict(row, deep=deep), row.target, row.size) for row in rows]


async def _batches(threads: StoreThreads, items: Iterator[T]) -> AsyncGenerator[list[T]]:
    """Yield the items in batches, each read in a thread."""
    while batch := await threads.run(lambda: list(islice(items, BATCH_SIZE))):
        yield batch
