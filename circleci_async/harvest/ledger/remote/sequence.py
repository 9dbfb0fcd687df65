"""What the holder of a remote ledger writes: its fence, the segments of its checkpoints, and the next snapshot."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import evolve

from ....errors import LedgerBusy
from ...destination.bucket import Bucket
from ..schema import LEDGER_NAME, local_errors
from .changes import Checkpoint
from .documents import FOLDER, StopCheck
from .lease import Holder, taken_over
from .local_copy import Fetched, State, fetch, forget, note
from .manifest import read_manifest, snapshot_generation, swap_manifest
from .segments import MAX_SEGMENT_SIZE, Header, fence, segment_holder, segment_name, segment_number
from .snapshot import upload_snapshot

MAX_SEGMENTS: Final = 64
"""Segments after which they are folded into a snapshot."""

FOLD_SHARE: Final = 1 / 8
"""Size of the segments, as a share of that of the snapshot, after which they are folded."""

_ATTEMPTS: Final = 10


class Sequence:
    """The segments after the snapshot, to which this holder appends. Blocking work, one call at a time."""

    def __init__(self, bucket: Bucket, folder: Path, holder: Holder) -> None:
        self._bucket = bucket
        self._folder = folder
        self._holder = holder
        self._fetched: Fetched | None = None
        self._sizes: list[int] = []
        self._etag: str | None = None
        self._check = StopCheck()
        self.next = 1
        """The number of the next segment."""

    def begin(self) -> None:
        """Fetch the ledger into the folder, and create the fence, after which no other holder can append.

        Raises `LedgerError`, `StoreError`.
        """
        for _ in range(_ATTEMPTS):
            fetched = fetch(self._bucket, self._folder, self._check, creates=True)
            if fetched is None:
                raise AssertionError("unreachable")
            self._fetched, self.next, self._sizes = fetched, fetched.next, list(fetched.segments)
            content = fence(Header(number=self.next, holder=self._holder, is_fence=True))
            # The last holder, if it was slow, can have folded meanwhile: its snapshot could begin after this fence.
            if self._append(content) and read_manifest(self._bucket) == (fetched.manifest, fetched.manifest_etag):
                forget(self._folder)
                return
        raise LedgerBusy(f"other harvests write to {self._bucket.location}: run the same command again later")

    def stop(self) -> None:
        """End `begin` or `fold` early: it raises `LedgerError`."""
        self._check.stop()

    def store(self, checkpoint: Checkpoint) -> None:
        """Create the segments of a checkpoint that are not stored yet.

        Raises `LedgerBusy` if another harvest has taken over, and `StoreError`, after which it can be repeated.
        """
        while checkpoint.sizes:
            with local_errors(self._folder):
                content = checkpoint.content()
            number = self.next
            if not self._append(content):
                found = self._bucket.read(segment_name(number), max_bytes=MAX_SEGMENT_SIZE)
                raise taken_over(self._bucket, None if found is None else segment_holder(found[0]))
            checkpoint.advance()
        checkpoint.close()

    def finish(self) -> None:
        """Note that the ledger in the folder, which is closed, contains all segments."""
        if self._fetched is not None:
            snapshot = self._fetched.manifest.snapshot
            note(self._folder, State(snapshot=snapshot, next=self.next, etag=self._etag, holder=self._holder.id))

    @property
    def is_worth_folding(self) -> bool:
        """Whether fetching a new snapshot would be faster than fetching the old one and the segments."""
        if self._fetched is None or not (self._folder / LEDGER_NAME).is_file():
            return False
        manifest = self._fetched.manifest
        return (
            manifest.snapshot is None
            or len(self._sizes) > MAX_SEGMENTS
            or sum(self._sizes) > manifest.size * FOLD_SHARE
        )

    def fold(self) -> None:
        """Upload the ledger in the folder as a snapshot, swap the manifest, and delete what it replaces.

        Raises `LedgerBusy` if another harvest has taken over, `LedgerError`, `StoreError`.
        """
        if self._fetched is None:
            return
        manifest = self._fetched.manifest
        with local_errors(self._folder):
            fields = upload_snapshot(self._bucket, self._folder, manifest.generation + 1, self._check)
        new = evolve(manifest, first=self.next, holder=self._holder.id, **fields)
        etag = swap_manifest(self._bucket, new, self._fetched.manifest_etag)
        if etag is None:
            self._bucket.delete([fields["snapshot"]])
            raise taken_over(self._bucket, None)
        self._fetched = Fetched(new, etag, self.next, ())
        self._sizes, self._etag = [], None
        self.finish()
        self._bucket.delete(self._replaced())

    def _append(self, content: bytes) -> bool:
        """Create the next segment. Return whether it is stored: another one can have its name."""
        name = segment_name(self.next)
        etag = self._bucket.create(name, content)
        if etag is None:
            return False
        self._etag = etag
        self._sizes.append(len(content))
        self.next += 1
        return True

    def _replaced(self) -> Iterator[str]:
        """Yield the objects that the manifest does not need, also those that a killed process left.

        Snapshots of later generations can belong to a holder that has taken over.
        """
        if self._fetched is None:
            return
        manifest = self._fetched.manifest
        for each in self._bucket.list(FOLDER):
            number, generation = segment_number(each.key), snapshot_generation(each.key)
            is_old_segment = number is not None and number < manifest.first
            is_old_snapshot = generation is not None and generation <= manifest.generation
            is_clock = each.key.startswith(f"{FOLDER}/clock-")
            if is_clock or is_old_segment or (is_old_snapshot and each.key != manifest.snapshot):
                yield each.key
