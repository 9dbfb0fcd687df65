"""The ledger in the bucket, as its holder writes it: its fence, a segment for each checkpoint, and snapshots."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Event
from typing import Final

from attrs import evolve

from ....errors import LedgerBusy, LedgerError
from ...destination.bucket import Bucket
from ..schema import LEDGER_NAME, local_errors
from .json_objects import FOLDER, encode_json
from .lease import CLOCK, Holder, taken_over
from .local_copy import CopyState, Fetched, discard_state, fetch, save_state
from .manifest import MANIFEST, Manifest, read_manifest, snapshot_generation
from .segments import (
    MAX_SEGMENT_SIZE,
    Header,
    Row,
    encode_segment,
    segment_holder,
    segment_name,
    segment_number,
)
from .snapshot import check_not_stopped, upload_snapshot

MAX_SEGMENTS: Final = 64
"""Segments after which they are folded into a snapshot."""

FOLD_SHARE: Final = 1 / 8
"""Size of the segments, as a share of that of the snapshot, after which they are folded."""

_ATTEMPTS: Final = 10


class StoredLedger:
    """The segments after the snapshot, to which this holder appends. Blocking work, one call at a time."""

    def __init__(self, bucket: Bucket, folder: Path, holder: Holder, stop: Event) -> None:
        self._bucket = bucket
        self._folder = folder
        self._holder = holder
        self._stop = stop
        self._manifest = Manifest()
        self._manifest_etag = ""
        self._sizes: list[int] = []
        self._last_etag: str | None = None

    @property
    def _next(self) -> int:
        """The number of the next segment."""
        return self._manifest.first + len(self._sizes)

    def begin(self) -> None:
        """Fetch the ledger into the folder, and create the fence, after which no other holder can append.

        Raises `LedgerError`, `StoreError`.
        """
        for _ in range(_ATTEMPTS):
            fetched = fetch(self._bucket, self._folder, self._stop, creates=True)
            if fetched is None:
                raise AssertionError("unreachable")
            self._use(fetched)
            check_not_stopped(self._stop)
            is_stored = self._append(self.segment(is_fence=True))
            # The last holder, if it was slow, can have folded meanwhile: its snapshot could begin after this fence.
            if is_stored and read_manifest(self._bucket) == (fetched.manifest, fetched.manifest_etag):
                discard_state(self._folder)
                return
        raise LedgerBusy(f"other harvests write to {self._bucket.location}: run the same command again later")

    def segment(
        self, rows: Iterable[Row] = (), columns: dict[str, list[str]] | None = None, *, is_fence: bool = False
    ) -> bytes:
        """Return the content of the next segment."""
        header = Header(number=self._next, holder=self._holder, is_fence=is_fence, columns=columns or {})
        return encode_segment(header, rows)

    def append(self, content: bytes) -> None:
        """Store the next segment.

        Raises `LedgerBusy` if another harvest has taken over, and `StoreError`, after which it can be repeated.
        """
        if len(content) > MAX_SEGMENT_SIZE:
            raise LedgerError(f"a checkpoint has {len(content):,} bytes: run the same command again")
        name = segment_name(self._next)
        if not self._append(content):
            found = self._bucket.read(name, max_bytes=MAX_SEGMENT_SIZE)
            raise taken_over(self._bucket, None if found is None else segment_holder(found[0]))

    def save_state(self) -> None:
        """Record that the ledger in the folder, which is complete, contains all segments."""
        state = CopyState(
            snapshot=self._manifest.snapshot, next=self._next, etag=self._last_etag, holder=self._holder.id
        )
        save_state(self._folder, state)

    @property
    def is_worth_folding(self) -> bool:
        """Whether fetching a new snapshot would be faster than fetching the old one and the segments."""
        return (self._folder / LEDGER_NAME).is_file() and (
            self._manifest.snapshot is None
            or len(self._sizes) > MAX_SEGMENTS
            or sum(self._sizes) > self._manifest.size * FOLD_SHARE
        )

    def fold(self) -> None:
        """Upload the ledger in the folder as a snapshot, replace the manifest, and delete what it does not need.

        Raises `LedgerError`, `StoreError`.
        """
        with local_errors(self._folder):
            new = upload_snapshot(self._bucket, self._folder, self._manifest, self._stop)
        check_not_stopped(self._stop)
        new = evolve(new, first=self._next, holder=self._holder.id)
        etag = self._bucket.replace(MANIFEST, encode_json(new), self._manifest_etag)
        if etag is None:
            self._bucket.delete([new.snapshot or ""])
            raise LedgerError("another holder of the lease has folded them")
        self._use(Fetched(new, etag, ()))
        self.save_state()
        self._bucket.delete(self._replaced())

    def _use(self, fetched: Fetched) -> None:
        self._manifest, self._manifest_etag = fetched.manifest, fetched.manifest_etag
        self._sizes, self._last_etag = list(fetched.segment_sizes), None

    def _append(self, content: bytes) -> bool:
        """Create the next segment. Return whether it is stored: another one can have its name."""
        etag = self._bucket.create(segment_name(self._next), content)
        if etag is None:
            return False
        self._last_etag = etag
        self._sizes.append(len(content))
        return True

    def _replaced(self) -> Iterator[str]:
        """Yield the objects that the manifest does not need, including leftovers of a killed process.

        Snapshots of later generations can belong to a holder that has taken over.
        """
        for each in self._bucket.list(FOLDER):
            number, generation = segment_number(each.key), snapshot_generation(each.key)
            is_old_segment = number is not None and number < self._manifest.first
            is_old_snapshot = generation is not None and generation <= self._manifest.generation
            is_clock = each.key.startswith(CLOCK)
            if is_clock or is_old_segment or (is_old_snapshot and each.key != self._manifest.snapshot):
                yield each.key
