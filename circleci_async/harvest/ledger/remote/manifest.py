"""The manifest of a remote ledger: which snapshot and which segments the ledger consists of."""

import re
import secrets
from typing import Final

from attrs import Attribute, field, frozen
from attrs.validators import ge, le, matches_re

from ....errors import LedgerError
from ...destination.bucket import Bucket
from .json_objects import FOLDER, MAX_NUMBER, encode_json, read_json

MANIFEST: Final = f"{FOLDER}/ledger.json"
SNAPSHOTS: Final = f"{FOLDER}/snapshots"
_SNAPSHOT = re.compile(rf"{re.escape(SNAPSHOTS)}/([0-9]{{1,12}})-[0-9a-f]{{16}}\.sqlite\.gz")


def _check_generation(manifest: "Manifest", attribute: "Attribute[str | None]", snapshot: str | None) -> None:
    if snapshot is not None and snapshot_generation(snapshot) != manifest.generation:
        raise ValueError("snapshot is not the name of a snapshot of this generation")


@frozen(kw_only=True)
class Manifest:
    """The content of the manifest.

    `first`: the number of the first segment that the snapshot does not contain. `holder`: the id of the holder that
    wrote this; segments of it, until the first fence, belong to the ledger. `size`, `sha256`: of the snapshot object.
    `file_size`: of the SQLite file in it.
    """

    generation: int = field(default=0, validator=[ge(0), le(MAX_NUMBER)])
    snapshot: str | None = field(default=None, validator=_check_generation)
    size: int = field(default=0, validator=ge(0))
    sha256: str = field(default="", validator=matches_re("|[0-9a-f]{64}"))
    file_size: int = field(default=0, validator=ge(0))
    first: int = field(default=1, validator=[ge(1), le(MAX_NUMBER)])
    holder: str = ""


def read_manifest(bucket: Bucket) -> tuple[Manifest, str] | None:
    """Return the manifest and its ETag; None if there is none. Raises `LedgerError`, `StoreError`."""
    found = read_json(bucket, MANIFEST, Manifest)
    return None if found is None else (found[0], found[1].etag or "")


def create_manifest(bucket: Bucket) -> tuple[Manifest, str]:
    """Create the manifest of an empty ledger, or return the existing one."""
    etag = bucket.create(MANIFEST, encode_json(Manifest()))
    found = read_manifest(bucket) if etag is None else (Manifest(), etag)
    if found is None:
        raise LedgerError(f"{bucket.location}/{MANIFEST} was deleted while a harvest began: harvest again")
    return found


def snapshot_name(generation: int) -> str:
    """Return a new name for a snapshot."""
    return f"{SNAPSHOTS}/{generation}-{secrets.token_hex(8)}.sqlite.gz"


def snapshot_generation(key: str) -> int | None:
    """Return the generation in the name of a snapshot; None for other names."""
    match = _SNAPSHOT.fullmatch(key)
    return None if match is None else int(match[1])
