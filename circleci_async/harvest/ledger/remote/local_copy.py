"""The local copy of a remote ledger: the snapshot with the segments applied."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from attrs import asdict, evolve, frozen

from ....errors import LedgerError, StoreError
from ...destination.bucket import Bucket, ObjectTooLarge, StoredObject
from ..schema import LEDGER_NAME, local_errors
from .documents import MAX_NUMBER, START_OVER, Document, StopCheck, damaged
from .manifest import MANIFEST, Manifest, create_manifest, read_manifest
from .segments import MAX_SEGMENT_SIZE, SEGMENTS, Replay, segment_name, segment_number
from .snapshot import download_snapshot, replace_ledger

_NOTE: Final = ".harvest.copy.json"
_NEW: Final = ".harvest.sqlite.new"
_ATTEMPTS: Final = 10


@frozen(kw_only=True)
class State:
    """What a local copy contains: a snapshot, and the segments before `next`.

    `etag`: of the last one of these segments, if it is still in the bucket. `holder`: whose segments follow.
    """

    snapshot: str | None
    next: int
    etag: str | None
    holder: str


@frozen
class Fetched:
    """A copy that contains all checkpoints in the bucket.

    `next`: the number of the next segment that can be created, after any incomplete checkpoint.
    """

    manifest: Manifest
    manifest_etag: str
    next: int
    segments: tuple[int, ...]
    """The sizes of the segments."""


def fetch(bucket: Bucket, folder: Path, stop: StopCheck, *, creates: bool) -> Fetched | None:
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


def note(folder: Path, state: State) -> None:
    """Note what the ledger in a folder contains, so that the next run does not fetch it again."""
    new = folder / f"{_NOTE}.new"
    with suppress(OSError):  # then it is fetched again
        new.write_text(json.dumps(asdict(state)), "utf-8")
        new.replace(folder / _NOTE)


def forget(folder: Path) -> None:
    """Remove the note, before the ledger in the folder changes. Raises `LedgerError`."""
    with local_errors(folder):
        (folder / _NOTE).unlink(missing_ok=True)


def _update(bucket: Bucket, folder: Path, stop: StopCheck, manifest: Manifest, etag: str) -> Fetched:
    stored = _segments(bucket, manifest)
    state = _noted(folder, manifest, stored)
    forget(folder)
    if state is None:
        _fetch_snapshot(bucket, folder, stop, manifest)
        state = State(snapshot=manifest.snapshot, next=manifest.first, etag=None, holder=manifest.holder)
    state = _apply(bucket, folder, stop, state, stored[state.next - manifest.first :])
    note(folder, state)
    return Fetched(manifest, etag, manifest.first + len(stored), tuple(each.size for each in stored))


def _segments(bucket: Bucket, manifest: Manifest) -> list[StoredObject]:
    """Return the segments after the snapshot, in order. Raises `LedgerError` if one is missing."""
    stored: dict[int, StoredObject] = {}
    for each in bucket.list(SEGMENTS):
        number = segment_number(each.key)
        if number is not None and number >= manifest.first:
            stored[number] = each
    for number in range(manifest.first, manifest.first + len(stored)):
        if number not in stored:
            raise damaged(bucket, segment_name(number), "it is missing", START_OVER)
    return [stored[number] for number in sorted(stored)]


def _check_missing(bucket: Bucket) -> None:
    """Refuse a ledger without a manifest, which says where to begin."""
    if any(segment_number(each.key) for each in bucket.list(SEGMENTS)):
        raise damaged(bucket, MANIFEST, "it is missing, but there are segments")


def _noted(folder: Path, manifest: Manifest, stored: list[StoredObject]) -> State | None:
    """Return what the ledger in the folder contains, if the segments after it are all that is missing."""
    try:
        fields = Document((folder / _NOTE).read_bytes())
        state = State(
            snapshot=fields.optional_text("snapshot"),
            next=fields.integer("next", minimum=1, maximum=MAX_NUMBER),
            etag=fields.optional_text("etag"),
            holder=fields.text("holder"),
        )
    except (OSError, ValueError):
        return None
    applied = state.next - manifest.first
    if state.snapshot != manifest.snapshot or not 0 <= applied <= len(stored):
        return None
    if applied and (state.etag is None or state.etag != stored[applied - 1].etag):
        return None
    has_content = applied or manifest.snapshot is not None
    return state if not has_content or (folder / LEDGER_NAME).is_file() else None


def _fetch_snapshot(bucket: Bucket, folder: Path, stop: StopCheck, manifest: Manifest) -> None:
    with local_errors(folder):
        if manifest.snapshot is None:
            replace_ledger(folder, None)
            return
        new = folder / _NEW
        try:
            download_snapshot(bucket, manifest, new, stop)
            replace_ledger(folder, new)
        finally:
            new.unlink(missing_ok=True)


def _apply(bucket: Bucket, folder: Path, stop: StopCheck, state: State, stored: Iterable[StoredObject]) -> State:
    """Apply segments to the ledger in the folder."""
    path = folder / LEDGER_NAME
    segments = list(stored)
    if not segments:
        return state
    with local_errors(folder), closing(sqlite3.connect(path, isolation_level=None)) as sql:
        # The copy of a reader is one file then, which can be opened without write permission.
        sql.execute("PRAGMA journal_mode = DELETE")
        replay = Replay(sql, path, state.holder)
        for position, each in enumerate(segments, state.next):
            stop.check()
            if _apply_one(bucket, replay, position):
                state = evolve(state, next=position + 1, etag=each.etag, holder=replay.holder)
        replay.roll_back()
    return state


def _apply_one(bucket: Bucket, replay: Replay, number: int) -> bool:
    key = segment_name(number)
    try:
        found = bucket.read(key, max_bytes=MAX_SEGMENT_SIZE)
        if found is None:
            raise ValueError("it is missing")
        return replay.apply(number, found[0])
    except ObjectTooLarge:
        reason: Exception = ValueError(f"it has more than {MAX_SEGMENT_SIZE:,} bytes")
    except ValueError as error:
        reason = error
    raise damaged(bucket, key, reason)
