"""The ledger's file: its tables, its version, and what its errors mean."""

import errno
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ..errors import LedgerError

LEDGER_NAME: Final = ".harvest.sqlite"
VERSION: Final = 1

DISK_IS_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

MAKE_ROOM: Final = "make room, and harvest again to go on"

CHECKPOINT: Final = 4_000
"""Pages (of 4 KiB) after which SQLite moves what was written into the ledger itself, and waits for the disk."""

BUSY = 10.0
"""Seconds to wait for somebody who looks into the ledger."""

_APPLICATION: Final = 0x48525653
"""Written into the file's header: this is a harvest's ledger and nothing else."""

_TABLES = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    selection TEXT NOT NULL,
    began TEXT NOT NULL,
    ended TEXT
);

-- A job, and whether its artifacts are listed: 'begun', 'open' (whole, but the job still ran) or 'whole'.
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    workflow TEXT NOT NULL,
    pipeline INTEGER NOT NULL,
    listed TEXT NOT NULL,
    run INTEGER NOT NULL,
    UNIQUE (project, number)
);

-- An artifact: 'listed' (nobody asked for it), 'found' (to be fetched), 'fetched' (it waits for its place, until all of
-- its job are known), 'done', 'failed', or 'gone' (listed no more).
-- It names the runs that saw it listed, asked for it and fetched it, its turn in the queue, and how often it failed.
-- Of one that is found, size and etag are those of its partial file, if that can be resumed.
CREATE TABLE artifacts (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs,
    node INTEGER NOT NULL,
    path TEXT NOT NULL,
    url TEXT NOT NULL,
    safe INTEGER NOT NULL,
    target TEXT,
    state TEXT NOT NULL,
    listed_by INTEGER NOT NULL,
    run INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    size INTEGER,
    sha256 TEXT,
    etag TEXT,
    finished TEXT,
    fetched_by INTEGER,
    error TEXT,
    UNIQUE (job, node, path)
);
CREATE UNIQUE INDEX places ON artifacts (lower(target));
CREATE INDEX queue ON artifacts (turn) WHERE state = 'found';
CREATE INDEX unsettled ON artifacts (job) WHERE state = 'fetched';

-- A list that could not be walked to its end: 'pipelines', 'workflows', 'jobs' or 'artifacts'.
CREATE TABLE listings (
    selection TEXT NOT NULL,
    kind TEXT NOT NULL,
    project TEXT NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    detail TEXT NOT NULL,
    run INTEGER NOT NULL,
    error TEXT,
    PRIMARY KEY (selection, kind, project, key)
);
"""


class DiskFull(LedgerError):
    """There is no room for what is to be written."""


def connect(root: Path) -> sqlite3.Connection:
    """Open the ledger of a destination, and make it if there is none. Raises `LedgerError`."""
    path = root / LEDGER_NAME
    with explained(root):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT}")
            connection.execute("BEGIN IMMEDIATE")
            if _is_empty(connection):
                _make(connection)
            connection.execute("COMMIT")
            _check_version(connection, path)
            if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise _damaged(path)
        except BaseException:
            connection.close()
            raise
    return connection


def connect_to_read(root: Path) -> sqlite3.Connection:
    """Open the ledger of a destination to look into it. Raises `LedgerError`, also if there is none."""
    path = root / LEDGER_NAME
    if not path.is_file():
        raise LedgerError(f"there is no harvest in {root}: it holds no {LEDGER_NAME}")
    with explained(root):
        # The first way needs room for an index beside the ledger, the second one to write into it, the third nothing.
        for way in ("mode=ro", "mode=rw"):
            with suppress(sqlite3.OperationalError):
                return _open_to_read(path, way)
        return _open_to_read(path, "immutable=1")


def _open_to_read(path: Path, way: str) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?{way}"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, timeout=1)
    try:
        if way == "mode=rw":
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # with this the index is in memory
        _check_version(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def explained(root: Path) -> Generator[None]:
    """Raise SQLite's errors as `LedgerError`."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, root / LEDGER_NAME) from error


def _make(connection: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";\n"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def explain(error: sqlite3.Error, path: Path) -> LedgerError:
    """Return what an error of SQLite means for the ledger, and what is to be done."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
        return _damaged(path)
    if code == sqlite3.SQLITE_FULL:
        return DiskFull(f"the disk is full: {path} can't be written; {MAKE_ROOM}")
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
        return LedgerError(f"{path} can't be written ({error}): check the rights of the folder and of the file")
    return LedgerError(f"{path} can't be used: {error}")


def _is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema").fetchone() is None


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION:
        raise LedgerError(f"{path} is no ledger of a harvest: give another destination")
    if version > VERSION:
        raise LedgerError(
            f"{path} was written by a newer version of circleci_async (its format is {version}, this one knows"
            f" {VERSION}): update circleci_async"
        )


def _damaged(path: Path) -> LedgerError:
    return LedgerError(
        f"{path} is damaged: move it away, with the files {path.name}-wal and {path.name}-shm, and harvest again; all"
        " files will be fetched anew"
    )
