"""The manifest of a remote ledger: which snapshot and which segments the ledger consists of."""

import re
import secrets
from typing import Final

from attrs import asdict, frozen

from ....errors import LedgerError
from ...destination.bucket import Bucket
from .documents import FOLDER, MAX_NUMBER, Document, damaged, encoded, read_small

MANIFEST: Final = f"{FOLDER}/ledger.json"
SNAPSHOTS: Final = f"{FOLDER}/snapshots"
_SNAPSHOT = re.compile(rf"{re.escape(SNAPSHOTS)}/([0-9]{{1,12}})-[0-9a-f]{{16}}\.sqlite\.gz")


@frozen(kw_only=True)
class Manifest:
    """The content of the manifest.

    `first`: the number of the first segment that the snapshot does not contain. `holder`: the id of the holder that
    wrote this; segments of it, until the first fence, belong to the ledger. `size`, `sha256`: of the snapshot object.
    `file_size`: of the SQLite file in it.
    """

    generation: int = 0
    snapshot: str | None = None
    size: int = 0
    sha256: str = ""
    file_size: int = 0
    first: int = 1
    holder: str = ""

    def encoded(self) -> bytes:
        """Return the content of the object."""
        return encoded(asdict(self))


def parse_manifest(content: bytes) -> Manifest:
    """Raises `ValueError`."""
    fields = Document(content)
    fields.check_format()
    generation, snapshot = fields.integer("generation", maximum=MAX_NUMBER), fields.optional_text("snapshot")
    if snapshot is not None and snapshot_generation(snapshot) != generation:
        raise ValueError("snapshot is not the name of a snapshot of this generation")
    sha256 = fields.text("sha256")
    if snapshot is not None and re.fullmatch("[0-9a-f]{64}", sha256) is None:
        raise ValueError("sha256 is not a checksum")
    return Manifest(
        generation=generation,
        snapshot=snapshot,
        size=fields.integer("size"),
        sha256=sha256,
        file_size=fields.integer("file_size"),
        first=fields.integer("first", minimum=1, maximum=MAX_NUMBER),
        holder=fields.text("holder"),
    )


def snapshot_name(generation: int) -> str:
    """Return a new name for a snapshot."""
    return f"{SNAPSHOTS}/{generation}-{secrets.token_hex(8)}.sqlite.gz"


def snapshot_generation(key: str) -> int | None:
    """Return the generation in the name of a snapshot; None for other names."""
    match = _SNAPSHOT.fullmatch(key)
    return None if match is None else int(match[1])


def read_manifest(bucket: Bucket) -> tuple[Manifest, str] | None:
    """Return the manifest and its ETag; None if there is none. Raises `LedgerError`, `StoreError`."""
    found = read_small(bucket, MANIFEST)
    if found is None:
        return None
    content, status = found
    try:
        return parse_manifest(content), status.etag or ""
    except ValueError as error:
        reason = error
    raise damaged(bucket, MANIFEST, reason)


def create_manifest(bucket: Bucket) -> tuple[Manifest, str]:
    """Create the manifest of an empty ledger, or return the existing one."""
    etag = bucket.create(MANIFEST, Manifest().encoded())
    found = read_manifest(bucket) if etag is None else (Manifest(), etag)
    if found is None:
        raise LedgerError(f"{bucket.location}/{MANIFEST} was deleted while a harvest began: harvest again")
    return found


def swap_manifest(bucket: Bucket, manifest: Manifest, etag: str) -> str | None:
    """Replace the manifest with this ETag. Return the new ETag; None if another process has replaced it."""
    return bucket.replace(MANIFEST, manifest.encoded(), etag)
