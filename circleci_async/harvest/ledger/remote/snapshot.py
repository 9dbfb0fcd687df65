"""The snapshot of a remote ledger: its SQLite file, compressed."""

import gzip
import hashlib
import os
import tempfile
import zlib
from pathlib import Path
from threading import Event
from typing import Final

from attrs import evolve

from ....errors import LedgerError
from ...destination.bucket import Bucket
from ..schema import LEDGER_NAME
from .json_objects import damaged
from .manifest import Manifest, snapshot_name

PIECE: Final = 1024 * 1024


def check_not_stopped(stop: Event) -> None:
    """Raise `LedgerError` if blocking work is to end early."""
    if stop.is_set():
        raise LedgerError("the harvest was cancelled")


def download_snapshot(bucket: Bucket, manifest: Manifest, target: Path, stop: Event) -> None:
    """Download and unpack the snapshot of a manifest.

    Raises `LedgerError` if it is damaged, `StoreError`, `OSError`.
    """
    key = manifest.snapshot or ""
    status = bucket.head(key)
    if status is None or status.size != manifest.size:
        reason = "it is missing" if status is None else f"it has {status.size:,} instead of {manifest.size:,} bytes"
        raise damaged(bucket, key, reason)
    digest = hashlib.sha256()
    unpacker = zlib.decompressobj(wbits=31)
    size = 0
    try:
        with target.open("wb") as file:
            for piece in bucket.pieces(key):
                check_not_stopped(stop)
                digest.update(piece)
                packed = piece
                while packed:
                    size += file.write(unpacker.decompress(packed, PIECE))
                    if size > manifest.file_size:
                        raise ValueError(f"it unpacks to more than {manifest.file_size:,} bytes")
                    packed = unpacker.unconsumed_tail
            size += file.write(unpacker.flush())
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() != manifest.sha256:
            raise ValueError("its SHA-256 is another one than the manifest says")
    except (ValueError, zlib.error) as error:
        reason = str(error)
    else:
        return
    raise damaged(bucket, key, reason)


def upload_snapshot(bucket: Bucket, folder: Path, old: Manifest, stop: Event) -> Manifest:
    """Upload the ledger of a folder, which is not written to, as a snapshot. Return the manifest that describes it.

    Raises `StoreError`, `OSError`.
    """
    name = snapshot_name(old.generation + 1)
    with tempfile.TemporaryFile(dir=folder, prefix=".harvest.snapshot-") as packed:
        with (
            (folder / LEDGER_NAME).open("rb") as source,
            gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=4, mtime=0) as zipped,
        ):
            while piece := source.read(PIECE):
                check_not_stopped(stop)
                zipped.write(piece)
            file_size = source.tell()
        size = packed.tell()
        packed.seek(0)
        sha256 = hashlib.file_digest(packed, "sha256").hexdigest()
        packed.seek(0)
        check_not_stopped(stop)
        bucket.put(name, packed)
    return evolve(old, generation=old.generation + 1, snapshot=name, size=size, sha256=sha256, file_size=file_size)
