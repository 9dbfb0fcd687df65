"""Stores in memory whose requests fail, and the runs that write a ledger into them."""

import gzip
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import circleci_async as ca
from circleci_async.harvest.destination.bucket import Bucket, StoredObject
from circleci_async.harvest.destination.stores import open_bucket
from circleci_async.harvest.ledger.remote.lease import LEASE
from circleci_async.harvest.ledger.remote.reading import fetch_to_read
from circleci_async.harvest.ledger.remote.remote_ledger import RemoteLedger
from circleci_async.harvest.ledger.remote.table_info import read_tables
from circleci_async.harvest.ledger.schema import LEDGER_NAME


class FaultyBucket(Bucket):
    """A bucket of which some requests fail.

    `before(action, key)` is called before each request, and `after` when the store has done it: an error that `after`
    raises is a lost response. `ahead`: how far the clock of the store is ahead of ours.
    """

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(bucket._store, bucket.location)
        self.before: Callable[[str, str], None] = lambda action, key: None
        self.after: Callable[[str, str], None] = lambda action, key: None
        self.ahead = timedelta()
        self.ages: dict[str, timedelta] = {}
        self.requests: list[tuple[str, str]] = []

    def go_down(self) -> None:
        """Let all requests fail from now on, as for a process whose host is cut off."""

        def fail(action: str, key: str) -> None:
            raise ca.StoreError(f"cannot {action} {key}: no connection")

        self.before = fail

    def come_up(self, *, later: timedelta = timedelta()) -> None:
        """Let requests succeed again, after so much time."""
        self.before = self.after = lambda action, key: None
        self.ages = {LEASE: later}

    def _did(self, action: str, key: str) -> None:
        self.requests.append((action, key))
        self.after(action, key)

    def _timed(self, status: StoredObject) -> StoredObject:
        return status._replace(modified_at=status.modified_at + self.ahead - self.ages.get(status.key, timedelta()))

    def head(self, key: str) -> StoredObject | None:
        self.before("head", key)
        status = super().head(key)
        self._did("head", key)
        return None if status is None else self._timed(status)

    def read(self, key: str, *, max_bytes: int) -> tuple[bytes, StoredObject] | None:
        self.before("read", key)
        found = super().read(key, max_bytes=max_bytes)
        self._did("read", key)
        return None if found is None else (found[0], self._timed(found[1]))

    def put(self, key: str, content: bytes | IO[bytes], metadata: Mapping[str, str] | None = None) -> str | None:
        self.before("put", key)
        etag = super().put(key, content, metadata)
        self._did("put", key)
        return etag

    def create(self, key: str, content: bytes) -> str | None:
        self.before("create", key)
        etag = super().create(key, content)
        self._did("create", key)
        return etag

    def replace(self, key: str, content: bytes, etag: str) -> str | None:
        self.before("replace", key)
        new = super().replace(key, content, etag)
        self._did("replace", key)
        return new

    def delete(self, keys: Any) -> None:
        names = list(keys)
        for name in names:
            self.before("delete", name)
            super().delete([name])
            self._did("delete", name)


def new_bucket(folder: Path) -> FaultyBucket:
    """Return an empty bucket, or the one of an earlier call with this folder."""
    return FaultyBucket(open_bucket("into", f"memory:{folder}"))


def keys(bucket: Bucket) -> list[str]:
    return sorted(each.key.removeprefix(".harvest/") for each in bucket.list(".harvest"))


def document(bucket: Bucket, key: str) -> dict[str, Any]:
    found = bucket.read(key, max_bytes=100_000)
    assert found is not None
    values: dict[str, Any] = json.loads(found[0])
    return values


def segment(bucket: Bucket, number: int) -> list[Any]:
    """Return the lines of a segment."""
    found = bucket.read(f".harvest/segments/{number:012}.jsonl.gz", max_bytes=10**8)
    assert found is not None
    return [json.loads(line) for line in gzip.decompress(found[0]).splitlines()]


def content(folder: Path) -> dict[str, list[Any]]:
    """Return all rows of a ledger, with their rowids."""
    with closing(sqlite3.connect(folder / LEDGER_NAME)) as sql:
        return {
            name: sql.execute(
                f"SELECT {'rowid, ' if table.key == ('rowid',) else ''}* FROM {name} ORDER BY {', '.join(table.key)}"
            ).fetchall()
            for name, table in read_tables(sql).items()
        }


class Run:
    """A run that holds the ledger of a bucket. What `on_lost` gets is in `lost`."""

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self.lost: list[ca.CircleCIError] = []
        self.folder = folder
        self.remote = RemoteLedger(bucket, folder, on_lost=self.lost.append)

    async def execute(self, statement: str, *values: Any) -> None:
        await self.remote.writer.execute(lambda sql: sql.execute(statement, values).rowcount)

    async def set(self, name: str, value: str = "") -> None:
        await self.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", name, value)


@asynccontextmanager
async def running(bucket: Bucket, folder: Path) -> AsyncIterator[Run]:
    """Run with the ledger of a bucket."""
    folder.mkdir(exist_ok=True)
    run = Run(bucket, folder)
    async with run.remote:
        yield run


async def read(bucket: Bucket, folder: Path) -> dict[str, list[Any]]:
    """Return all rows as a reader gets them."""
    folder.mkdir(exist_ok=True)
    return content(await fetch_to_read(bucket, folder))


async def settings(bucket: Bucket, folder: Path) -> list[str]:
    return sorted(name for _, name, _ in (await read(bucket, folder))["settings"])
