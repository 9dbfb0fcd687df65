"""Opens the finished files of a place."""

from .bucket_files import BucketFiles
from .files import FinishedFiles
from .folder import FolderFiles
from .parts import PartialFiles
from .place import Place


def finished_files(place: Place) -> FinishedFiles:
    """Return the finished files of a place. Sends no request; close them after use."""
    if place.bucket is not None:
        return BucketFiles(place.bucket, PartialFiles(place.ledger))
    return FolderFiles(place.folder or place.ledger)
