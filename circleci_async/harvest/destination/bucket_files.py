"""The finished files of a harvest in a bucket. They are put before the ledger records them."""

import hashlib
from collections.abc import Iterator, Sequence

from ...errors import StoreError
from .bucket import Bucket
from .files import FileStatus, FinishedFile, Status
from .parts import Part, PartialFiles


class BucketFiles:
    """The finished files in a bucket, with the partial files in a local folder. Sends no requests.

    The ledger is trusted: to ask for each file would take a request. `verify_harvest` compares all.
    """

    def __init__(self, bucket: Bucket, parts: PartialFiles) -> None:
        self.bucket = bucket
        self.parts = parts

    def has(self, target: str, size: int | None = None) -> bool:
        """Return True."""
        return True

    def place(self, part: Part, target: str, *, identical: str | None = None) -> None:
        """Delete the partial file of an object, which has its name already."""
        self.parts.remove(part)

    def is_intact(self, target: str, size: int, sha256: str) -> bool:
        """Return False: objects have no hard links."""
        return False

    def verdict(self, file: FinishedFile, *, deep: bool) -> str:
        """Compare size and metadata of an object with the ledger, and its content if `deep`.

        Returns "intact", "changed" or "missing". Raises `StoreError`.
        """
        found = self.bucket.metadata(file.target)
        if found is None:
            return "missing"
        stored, metadata = found
        if (stored.size, metadata.get("sha256")) != (file.size, file.sha256):
            return "changed"
        return "intact" if not deep or self._checksum(file.target) == (file.size, file.sha256) else "changed"

    def _checksum(self, target: str) -> tuple[int, str]:
        digest = hashlib.sha256()
        size = 0
        for piece in self.bucket.pieces(target):
            size += len(piece)
            digest.update(piece)
        return size, digest.hexdigest()

    def finished(self) -> Iterator[str]:
        """Yield the names of all objects, without names that begin with a dot."""
        return (each.key for each in self.bucket.list() if "/." not in f"/{each.key}")

    def statuses(self, files: Sequence[FinishedFile]) -> list[Status]:
        """Return the sizes that the ledger has."""
        return [FileStatus(file.size) for file in files]

    def remove(self, files: Sequence[FinishedFile]) -> list[Status]:
        """Delete objects, several with each request."""
        try:
            self.bucket.delete(file.target for file in files)
        except StoreError as error:
            return [error] * len(files)
        return self.statuses(files)

    def forget(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Close the folder of partial files. Idempotent."""
        self.parts.close()
