"""What a harvest needs of the finished files in its destination, whether that is a folder or a bucket."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from .parts import Part, PartialFiles


class FinishedFile(NamedTuple):
    """A finished file, as the ledger records it."""

    target: str
    size: int
    sha256: str


class FileStatus(NamedTuple):
    """What is at the name of a finished file."""

    size: int
    inode: tuple[int, int] = (0, 0)
    """Device and inode; objects have none."""
    links: int = 1
    """Names of the same content: hard links."""


Status: TypeAlias = FileStatus | Exception | None
"""None if there is no file; the error if it is not a file, or cannot be deleted."""


class FinishedFiles(Protocol):
    """The finished files. All methods block."""

    @property
    def parts(self) -> PartialFiles:
        """The partial files, on this machine."""
        ...

    def has(self, target: str, size: int | None = None) -> bool:
        """Return whether a file that the ledger names exists, with this size unless None."""
        ...

    def place(self, part: Part, target: str, *, identical: str | None = None) -> None:
        """Give a recorded file its name; `identical`: a finished file of the same content.

        Raises `OSError` and `UnsafePath`.
        """
        ...

    def is_intact(self, target: str, size: int, sha256: str) -> bool:
        """Return whether a finished file has this content."""
        ...

    def verdict(self, file: FinishedFile, *, deep: bool) -> str:
        """Compare a file with the ledger: "intact", "changed" or "missing". `deep`: read objects of a bucket too."""
        ...

    def finished(self) -> Iterator[str]:
        """Yield the targets of all files, without names that begin with a dot."""
        ...

    def statuses(self, files: Sequence[FinishedFile]) -> list[Status]:
        """Return the status of each file."""
        ...

    def remove(self, files: Sequence[FinishedFile]) -> list[Status]:
        """Delete files, and return what the status of each was."""
        ...

    def forget(self) -> None:
        """Forget what is known about the finished files, which can have changed."""
        ...

    def close(self) -> None:
        """Release what is open. Idempotent."""
        ...
