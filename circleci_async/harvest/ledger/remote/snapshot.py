"""The snapshot of a remote ledger: its SQLite file, compressed."""

import gzip
import hashlib
import os
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import IO, Any, Final

from ...destination.bucket import Bucket
from ..schema import LEDGER_NAME
from .documents import StopCheck, damaged
from .manifest import Manifest, snapshot_name

PIECE: Final = 1024 * 1024
_BACKUP: Final = ".harvest.snapshot"


def download_snapshot(bucket: Bucket, manifest: Manifest, target: Path, stop: StopCheck) -> None:
    """Download and unpack the snapshot of a manifest.

    Raises `LedgerError` if it is damaged, `StoreError`, `OSError`.
    """
    key = manifest.snapshot or ""
    status = bucket.head(key)
    if status is None or status.size != manifest.size:
        reason = "it is missing" if status is None else f"it has {status.size:,} instead of {manifest.size:,} bytes"
        raise damaged(bucket, key, reason)
    digest = hashlib.sha256()
    unzip = zlib.decompressobj(wbits=31)
    size = 0
    try:
        with target.open("wb") as file:
            for piece in bucket.pieces(key):
                stop.check()
                digest.update(piece)
                left = piece
                while left and not unzip.eof:
                    size += file.write(unzip.decompress(left, PIECE))
                    left = unzip.unconsumed_tail
                    if size > manifest.file_size:
                        raise ValueError(f"it unpacks to more than {manifest.file_size:,} bytes")
            size += file.write(unzip.flush())
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() != manifest.sha256:
            raise ValueError("its SHA-256 is another one than the manifest says")
        if size != manifest.file_size or not unzip.eof:
            raise ValueError(f"it unpacks to {size:,} instead of {manifest.file_size:,} bytes")
    except (ValueError, zlib.error) as error:
        reason = str(error)
    else:
        return
    raise damaged(bucket, key, reason)


def upload_snapshot(bucket: Bucket, folder: Path, generation: int, stop: StopCheck) -> dict[str, Any]:
    """Upload the ledger of a folder as a new snapshot, and return the fields of the manifest that describe it.

    Raises `StoreError`, `OSError`, `sqlite3.Error`.
    """
    backup, packed = folder / _BACKUP, folder / f"{_BACKUP}.gz"
    name = snapshot_name(generation)
    try:
        _back_up(folder / LEDGER_NAME, backup)
        file_size = backup.stat().st_size
        with packed.open("w+b") as file:
            with (
                backup.open("rb") as source,
                gzip.GzipFile(fileobj=file, mode="wb", compresslevel=4, mtime=0) as zipped,
            ):
                while piece := source.read(PIECE):
                    stop.check()
                    zipped.write(piece)
            backup.unlink()
            size, sha256 = file.tell(), _sha256(file)
            file.seek(0)
            stop.check()
            bucket.put(name, file)
        return {"generation": generation, "snapshot": name, "size": size, "sha256": sha256, "file_size": file_size}
    finally:
        for path in (backup, packed):
            path.unlink(missing_ok=True)


def replace_ledger(folder: Path, new: Path | None) -> None:
    """Replace the ledger of a folder, or delete it."""
    path = folder / LEDGER_NAME
    for suffix in ("-wal", "-shm", "-journal"):  # of the old file: SQLite would apply them to the new one
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    if new is None:
        path.unlink(missing_ok=True)
    else:
        new.replace(path)


def _back_up(source: Path, target: Path) -> None:
    """Copy a ledger with the same rowids, which VACUUM would change."""
    target.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(source, isolation_level=None)) as ledger,
        closing(sqlite3.connect(target, isolation_level=None)) as copy,
    ):
        copy.execute("PRAGMA synchronous = OFF")
        ledger.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")


def _sha256(file: IO[bytes]) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
