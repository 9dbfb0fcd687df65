"""The bytes of one file, as the downloader reads them."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol

from ...core.resumable_body import Part
from .scrub import Scrubber


class Body(Protocol):
    """Bytes in parts. A `restarted` part replaces all parts before."""

    @property
    def received(self) -> int:
        """Bytes of the parts so far."""
        ...

    @property
    def size(self) -> int | None:
        """Bytes in total; None if that is unknown."""
        ...

    @property
    def etag(self) -> str | None:
        """The strong ETag of the version; None if the file cannot be resumed."""
        ...

    def __aiter__(self) -> AsyncIterator[Part]: ...


class TextBody:
    """Text that is generated piece by piece, with its secrets replaced. It starts at the first byte."""

    size: None = None
    etag: None = None

    def __init__(self, pieces: AsyncGenerator[str], scrubber: Scrubber) -> None:
        self._pieces = pieces
        self._scrubber = scrubber
        self.received: int = 0

    @property
    def scrubbed(self) -> tuple[tuple[str, int], ...]:
        """How many secrets were replaced, by the name of their pattern."""
        return tuple(self._scrubber.counts.items())

    def __aiter__(self) -> "TextBody":
        return self

    async def __anext__(self) -> Part:
        while not (piece := await anext(self._pieces)):
            pass
        data = piece.encode("utf-8", "replace")
        self.received += len(data)
        return Part(data, restarted=False)
