"""The ledger file: its tables, its version, and its errors."""

import errno
import sqlite3
import stat
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from ...errors import LedgerError

LEDGER_NAME: Final = ".harvest.sqlite"
DISK_FULL_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

CHECKPOINT_PAGES: Final = 4_000
"""Pages (of 4 KiB) in the write-ahead log after which SQLite checkpoints it, which waits for the disk."""

BUSY_TIMEOUT = 10.0
"""Seconds to wait for a lock that another process holds on the ledger."""

_APPLICATION_ID: Final = 0x48525653
"""In the header of the file: it is the ledger of a harvest."""

_TABLES = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    selection TEXT NOT NULL,
    began TEXT NOT NULL,
    ended TEXT
);

-- A job, and whether its artifacts are listed: 'begun', 'open' (all so far, but the job was running) or 'whole'.
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

-- An artifact. State: 'listed' (not selected), 'found' (pending download), 'fetched' (downloaded, without a path until
-- the list of its job is complete), 'done', 'failed', 'gone' (not listed any more), 'pruning' or 'pruned' (deleted by
-- `prune_harvest`, and not downloaded again).
-- listed_by, run, fetched_by: the runs that last listed it, selected it, and downloaded it.
-- turn: its position in the queue. tries: failed attempts.
-- Of a pending artifact, size and etag are those of its partial file, if that can be resumed.
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

-- A list that was not read to the end: 'pipelines', 'workflows', 'jobs' or 'artifacts'.
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

_UPGRADES: Final = (
    """
-- A list that cannot change any more: the 'workflows' of a pipeline, all ended, or the 'jobs' of an ended workflow.
-- key: the id of the pipeline or workflow. read: when the list was requested. items: see `EndedLists`.
CREATE TABLE ended (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    read TEXT NOT NULL,
    items TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
""",
    """
-- A pipeline: when it was created, and from what.
CREATE TABLE pipelines (
    project TEXT NOT NULL,
    number INTEGER NOT NULL,
    id TEXT NOT NULL,
    created TEXT NOT NULL,
    branch TEXT,
    tag TEXT,
    revision TEXT,
    PRIMARY KEY (project, number)
);

-- A call of `on_file` that is due for a finished file; with an error, it failed in that run.
CREATE TABLE calls (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    artifact INTEGER NOT NULL UNIQUE,
    run INTEGER NOT NULL,
    error TEXT
);
""",
    """
-- One kind of files of a job: its 'artifacts', 'logs', 'tests' or 'builds', and whether they are listed.
CREATE TABLE jobs_by_kind (
    id INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    workflow TEXT NOT NULL,
    pipeline INTEGER NOT NULL,
    listed TEXT NOT NULL,
    run INTEGER NOT NULL,
    kind TEXT NOT NULL DEFAULT 'artifacts',
    UNIQUE (project, number, kind)
);
INSERT INTO jobs_by_kind (id, project, number, name, workflow, pipeline, listed, run)
    SELECT id, project, number, name, workflow, pipeline, listed, run FROM jobs;
DROP TABLE jobs;
ALTER TABLE jobs_by_kind RENAME TO jobs;
""",
)
"""The statements that upgrade a ledger of version 1 to version 2, that one to version 3, and so on."""

VERSION: Final = 1 + len(_UPGRADES)


class DiskFull(LedgerError):
    """The disk of the destination is full."""


def disk_full(detail: str) -> DiskFull:
    """Return the error for a full disk."""
    return DiskFull(
        f"the destination disk is full ({detail}): free space or choose another folder, then run the same command again"
    )


def connect(root: Path) -> sqlite3.Connection:
    """Open the ledger of a destination, or create it. Raises `LedgerError`."""
    path = root / LEDGER_NAME
    _check_files(path)
    with ledger_errors(root):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            connection.execute("BEGIN IMMEDIATE")
            upgrade(connection, path)
            connection.execute("COMMIT")
            if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise damaged(path)
        except BaseException:
            connection.close()
            raise
    return connection


def connect_to_read(root: Path) -> sqlite3.Connection:
    """Open the ledger of a destination for reading. Raises `LedgerError`, also if there is none."""
    path = root / LEDGER_NAME
    _check_files(path)
    if not path.exists():
        problem = f"it contains no {LEDGER_NAME}" if root.is_dir() else "it is not a folder"
        raise LedgerError(f"no harvest in {root}: {problem}")
    with ledger_errors(root):
        # ro needs to create the -shm file, rw needs write permission for the ledger, immutable needs neither.
        for mode in ("mode=ro", "mode=rw"):
            with suppress(sqlite3.OperationalError):
                return _open_to_read(path, mode)
        return _open_to_read(path, "immutable=1")


def _open_to_read(path: Path, mode: str) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?{mode}"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, timeout=1)
    try:
        if mode == "mode=rw":
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # keeps the WAL index in memory
        version = _check_version(connection, path)
        if version < VERSION:
            connection = _upgraded_copy(connection, version)
    except BaseException:
        connection.close()
        raise
    return connection


def _upgraded_copy(connection: sqlite3.Connection, version: int) -> sqlite3.Connection:
    """Return a temporary copy of an older ledger in the current format, and close the ledger."""
    copy = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    try:
        with closing(connection):
            connection.backup(copy)
        _upgrade(copy, version)
    except BaseException:
        copy.close()
        raise
    return copy


@contextmanager
def ledger_errors(root: Path) -> Generator[None]:
    """Raise SQLite's errors as `LedgerError`."""
    try:
        yield
    except sqlite3.Error as error:
        raise ledger_error(error, root / LEDGER_NAME) from error


@contextmanager
def local_errors(root: Path) -> Generator[None]:
    """Raise errors of SQLite and of the file system as `LedgerError`."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise local_error(error, root) from error


def local_error(error: sqlite3.Error | OSError, root: Path) -> LedgerError:
    """Return the `LedgerError` for an error of SQLite or of the file system, with what to do about it."""
    if isinstance(error, sqlite3.Error):
        return ledger_error(error, root / LEDGER_NAME)
    if error.errno in DISK_FULL_ERRNOS:
        return disk_full(str(error))
    return LedgerError(f"cannot write to {root}: {error.strerror or error}")


def upgrade(connection: sqlite3.Connection, path: Path, version: int = VERSION) -> None:
    """Create the tables of an empty ledger, and upgrade those of an older one to this version. Raises `LedgerError`."""
    if connection.execute("SELECT 1 FROM sqlite_schema").fetchone() is None:
        _execute_all(connection, _TABLES)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
    _upgrade(connection, _check_version(connection, path), version)


def _upgrade(connection: sqlite3.Connection, version: int, wanted: int = VERSION) -> None:
    if version >= wanted:
        return
    for statements in _UPGRADES[version - 1 : wanted - 1]:
        _execute_all(connection, statements)
    connection.execute(f"PRAGMA user_version = {wanted}")


def _execute_all(connection: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";\n"):  # `executescript` would commit
        connection.execute(statement)


def ledger_error(error: sqlite3.Error, path: Path) -> LedgerError:
    """Return the `LedgerError` for an error of SQLite, with what to do about it."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
        return damaged(path)
    if code == sqlite3.SQLITE_FULL:
        return disk_full(f"cannot write {path}")
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
        return LedgerError(f"cannot write {path} ({error}): check the permissions of the folder and of the file")
    return LedgerError(f"cannot use {path}: {error}")


def _check_version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of a ledger's format. Raises `LedgerError` if it is a newer one, or not a ledger."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION_ID:
        raise LedgerError(f"{path} is not the ledger of a harvest: choose another destination")
    if version > VERSION:
        raise LedgerError(
            f"{path} was written by a newer version of circleci_async (its format is {version}, this version reads"
            f" {VERSION}): update circleci_async"
        )
    return max(1, int(version))


def _check_files(path: Path) -> None:
    """Refuse a ledger, or a file beside it, that is not a regular file: SQLite would follow a link."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        file = Path(f"{path}{suffix}")
        with suppress(FileNotFoundError, NotADirectoryError):
            if not stat.S_ISREG(file.lstat().st_mode):
                raise LedgerError(f"{file} refused: it is not a regular file: delete it")


def damaged(path: Path) -> LedgerError:
    """Return the error for a damaged ledger."""
    return LedgerError(
        f"{path} is damaged: move it away, with the files {path.name}-wal and {path.name}-shm, and harvest again, which"
        " downloads all files again"
    )
