"""Hashes every finished file again."""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, closing
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

from attrs import frozen

from ..core.fan_out import fan_out
from ..errors import DownloadError, LedgerBusy
from .lock import is_locked
from .schema import connect_to_read, explained
from .tree import Tree, checksum

__all__ = ["VerifyReport", "verify_harvest"]

T = TypeVar("T")

AT_ONCE = 4
"""Threads that read and hash."""

FILES_AT_ONCE = 64
"""Files that one of them is given at a time."""

MOST_NAMED = 1_000
"""Differences of a kind that a report names."""


@frozen(kw_only=True)
class VerifyReport:
    """Whether tree and ledger agree. Paths are below the destination; of very many differences, the first are named."""

    files: int
    """Files that are as the ledger says."""
    bytes: int
    """Of those."""
    changed: tuple[str, ...]
    """Files with other bytes than the ledger says."""
    missing: tuple[str, ...]
    """Files that the ledger knows, and that are not there or can't be read."""
    unknown: tuple[str, ...]
    """Files that the ledger does not know."""
    differences: int
    """How many there are, of all kinds."""
    seconds: float

    @property
    def is_sound(self) -> bool:
        """Whether there is no difference."""
        return not self.differences

    def raise_for_differences(self) -> None:
        """Raise `DownloadError`, which names the differences, if there are any."""
        if self.is_sound:
            return
        kinds = (("changed", self.changed), ("missing", self.missing), ("unknown", self.unknown))
        lines = [f"{kind}: {path!r}" for kind, paths in kinds for path in paths][:10]
        more = self.differences - len(lines)
        shown = "\n  ".join(lines + ([f"and {more} more"] if more else []))
        raise DownloadError(f"{self.differences} files are not as the ledger says:\n  {shown}")


async def verify_harvest(into: str | os.PathLike[str]) -> VerifyReport:
    """Read every finished file of a destination again, and compare it with the ledger. Nothing is changed.

    Raises `LedgerError` if there is no harvest or its ledger can't be read, `LedgerBusy` while one is at work.
    """
    root = Path(into)
    began = time.monotonic()
    connection = await asyncio.to_thread(connect_to_read, root)
    with closing(connection), explained(root):
        if await asyncio.to_thread(is_locked, root):
            raise LedgerBusy(f"a harvest is at work in {root}: verify when it has ended")
        findings = _Findings()
        tree = Tree(root)

        async def check(rows: list[_Row]) -> list[tuple[str, str, int]]:
            return await asyncio.to_thread(_check, tree, rows)

        async with aclosing(fan_out(_by_threads(_finished(connection)), check, concurrency=AT_ONCE)) as outcomes:
            async for _, outcome in outcomes:
                if isinstance(outcome, Exception):
                    raise outcome
                findings.add(outcome)
        async with aclosing(_by_threads(_unknown(connection, tree))) as batches:
            async for batch in batches:
                findings.add([("unknown", path, 0) for path in batch])
    return findings.report(time.monotonic() - began)


class _Row(NamedTuple):
    target: str
    size: int
    sha256: str


class _Findings:
    def __init__(self) -> None:
        self._paths: dict[str, list[str]] = {"changed": [], "missing": [], "unknown": []}
        self._files = self._bytes = self._differences = 0

    def add(self, outcomes: list[tuple[str, str, int]]) -> None:
        for kind, path, size in outcomes:
            if kind == "sound":
                self._files += 1
                self._bytes += size
                continue
            self._differences += 1
            if len(self._paths[kind]) < MOST_NAMED:
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


def _finished(connection: sqlite3.Connection) -> Iterator[_Row]:
    query = "SELECT target, size, sha256 FROM artifacts WHERE state = 'done' ORDER BY id"
    return map(_Row._make, connection.execute(query))


def _unknown(connection: sqlite3.Connection, tree: Tree) -> Iterator[str]:
    query = "SELECT 1 FROM artifacts WHERE lower(target) = lower(?) AND target = ? AND state = 'done'"
    for path in tree.files():
        is_text = path.isprintable() or path.encode("utf-8", "ignore").decode() == path
        if not is_text or connection.execute(query, (path, path)).fetchone() is None:
            yield path


def _check(tree: Tree, rows: list[_Row]) -> list[tuple[str, str, int]]:
    return [(_verdict(tree, row), row.target, row.size) for row in rows]


def _verdict(tree: Tree, row: _Row) -> str:
    size = tree.size(row.target)
    if size is None:
        return "missing"
    if size != row.size:
        return "changed"
    try:
        return "sound" if checksum(tree.path(row.target)) == (row.size, row.sha256) else "changed"
    except OSError:
        return "missing"


async def _by_threads(items: Iterator[T]) -> AsyncGenerator[list[T]]:
    """Yield the items some at a time, each time from a thread."""
    while some := await asyncio.to_thread(lambda: list(islice(items, FILES_AT_ONCE))):
        yield some
