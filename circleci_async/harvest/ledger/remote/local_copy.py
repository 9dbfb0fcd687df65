"""The local copy of a remote ledger: the snapshot with the segments applied."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from threading import Event
from typing import Final

from attrs import evolve, field, frozen
from attrs.validators import ge

from ....errors import LedgerError, StoreError
from ...destination.bucket import Bucket, ObjectTooLarge, StoredObject
from ..schema import LEDGER_NAME, local_errors
from .json_objects import damaged, decode_json, encode_json
from .manifest import MANIFEST, Manifest, create_manifest, read_manifest
from .segments import MAX_SEGMENT_SIZE, SEGMENTS, Replay, segment_name, segment_number
from .snapshot import check_not_stopped, download_snapshot

_STATE_NAME: Final = ".harvest.copy.json"
_NEW_NAME: Final = ".harvest.sqlite.new"
_ATTEMPTS: Final = 10


@frozen(kw_only=True)
class CopyState:
    """What the ledger in a folder contains: a snapshot, and the segments before `next`.

    `etag`: of the last one of these segments, if it is still in the bucket. `holder`: whose segments follow.
    """

    snapshot: str | None
    next: int = field(validator=ge(1))
    etag: str | None
    holder: str


@frozen
class Fetched:
    """What the bucket contained when it was fetched."""

    manifest: Manifest
    manifest_etag: str
    segment_sizes: tuple[int, ...]


def fetch(bucket: Bucket, folder: Path, stop: Event, *, creates: bool) -> Fetched | None:
    """Bring the ledger in a folder up to date with the bucket; None if there is none. Blocking.

    `creates`: whether to create the manifest of a new ledger. Repeats if another process folds segments meanwhile.
    Raises `LedgerError`, `StoreError`.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        found = read_manifest(bucket)
        try:
            if found is None:
                _check_missing(bucket)
                if not creates:
                    return None
                found = create_manifest(bucket)
            fetched = _update(bucket, folder, stop, *found)
            # Segments can have been folded, and deleted, before they were listed.
            if creates or attempt == _ATTEMPTS or read_manifest(bucket) == found:
                return fetched
        except (LedgerError, StoreError):
            if attempt == _ATTEMPTS or read_manifest(bucket) == found:
                raise
    raise AssertionError("unreachable")


def save_state(folder: Path, state: CopyState) -> None:
    """Record what the ledger in a folder contains, so that the next run does not fetch it again."""
    with suppress(OSError):  # then it is fetched again, as if the file is incomplete
        (folder / _STATE_NAME).write_bytes(encode_json(state))


def discard_state(folder: Path) -> None:
    """Delete that record, before the ledger in the folder changes. Raises `LedgerError`."""
    with local_errors(folder):
        (folder / _STATE_NAME).unlink(missing_ok=True)


def _update(bucket: Bucket, folder: Path, stop: Event, manifest: Manifest, etag: str) -> Fetched:
    stored = _segments(bucket, manifest)
    state = _saved_state(folder, manifest, stored)
    discard_state(folder)
    if state is None:
        with local_errors(folder):
            _fetch_snapshot(bucket, folder, stop, manifest)
        state = CopyState(snapshot=manifest.snapshot, next=manifest.first, etag=None, holder=manifest.holder)
    state = _apply(bucket, folder, stop, state, stored[state.next - manifest.first :])
    save_state(folder, state)
    return Fetched(manifest, etag, tuple(each.size for each in stored))


def _segments(bucket: Bucket, manifest: Manifest) -> list[StoredObject]:
    """Return the segments after the snapshot, in order. Raises `LedgerError` if one is missing."""
    stored: dict[int, StoredObject] = {}
    for each in bucket.list(SEGMENTS):
        number = segment_number(each.key)
        if number is not None and number >= manifest.first:
            stored[number] = each
    for number in range(manifest.first, manifest.first + len(stored)):
        if number not in stored:
            raise damaged(bucket, segment_name(number), "it is missing")
    return [stored[number] for number in sorted(stored)]


def _check_missing(bucket: Bucket) -> None:
    """Refuse a ledger without a manifest, which says where to begin."""
    if any(segment_number(each.key) for each in bucket.list(SEGMENTS)):
        raise damaged(bucket, MANIFEST, "it is missing, but there are segments")


def _saved_state(folder: Path, manifest: Manifest, stored: list[StoredObject]) -> CopyState | None:
    """Return what the ledger in the folder contains, if the segments after it are all that is missing."""
    try:
        state = decode_json(CopyState, (folder / _STATE_NAME).read_bytes())
    except (OSError, ValueError):
        return None
    applied = state.next - manifest.first
    if state.snapshot != manifest.snapshot or not 0 <= applied <= len(stored):
        return None
    if applied and (state.etag is None or state.etag != stored[applied - 1].etag):
        return None
    has_content = applied or manifest.snapshot is not None
    return state if not has_content or (folder / LEDGER_NAME).is_file() else None


def _fetch_snapshot(bucket: Bucket, folder: Path, stop: Event, manifest: Manifest) -> None:
    path, new = folder / LEDGER_NAME, folder / _NEW_NAME
    try:
        if manifest.snapshot is not None:
            download_snapshot(bucket, manifest, new, stop)
        for suffix in ("", "-wal", "-shm", "-journal"):  # SQLite would apply those of the old file to the new one
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        if manifest.snapshot is not None:
            new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _apply(bucket: Bucket, folder: Path, stop: Event, state: CopyState, segments: Sequence[StoredObject]) -> CopyState:
    """Apply segments to the ledger in the folder."""
    if not segments:
        return state
    path = folder / LEDGER_NAME
    with local_errors(folder), closing(sqlite3.connect(path, isolation_level=None)) as sql:
        # A reader of the last copy, such as a long `verify`, and this writer do not wait for each other.
        sql.execute("PRAGMA journal_mode = WAL")
        replay = Replay(sql, path, state.holder)
        for number, each in enumerate(segments, state.next):
            content = _read_segment(bucket, number)
            check_not_stopped(stop)
            try:
                replay.apply(number, content)
            except ValueError as error:
                reason = error
            else:
                state = evolve(state, next=number + 1, etag=each.etag, holder=replay.holder)
                continue
            raise damaged(bucket, each.key, reason)
    return state


def _read_segment(bucket: Bucket, number: int) -> bytes:
    key = segment_name(number)
    try:
        found = bucket.read(key, max_bytes=MAX_SEGMENT_SIZE)
    except ObjectTooLarge:
        reason = f"it has more than {MAX_SEGMENT_SIZE:,} bytes"
    else:
        if found is not None:
            return found[0]
        reason = "it is missing"
    raise damaged(bucket, key, reason)
