"""What a harvest needs of the finished files in its destination, whether that is a folder or a bucket."""

from typing import Protocol

from .parts import Part, PartialFiles


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

    def forget(self) -> None:
        """Forget what is known about the finished files, which can have changed."""
        ...

    def close(self) -> None:
        """Release what is open. Idempotent."""
        ...
