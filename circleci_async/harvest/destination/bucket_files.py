"""The finished files of a harvest in a bucket. They are put before the ledger records them."""

from .bucket import Bucket
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

    def forget(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Close the folder of partial files. Idempotent."""
        self.parts.close()
