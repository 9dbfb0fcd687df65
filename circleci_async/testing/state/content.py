"""What an artifact holds: bytes given by hand, or made up while they are read, so that a gigabyte costs no memory."""

import hashlib
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Protocol, Self

from attrs import field, frozen

# A prime length: a client that drops or repeats a piece of a round size gets other bytes, not the same ones again.
_BLOCK_LENGTH = 1_048_573
_PIECE = 256 * 1024


@cache
def _block() -> memoryview:
    return memoryview(Random(_BLOCK_LENGTH).randbytes(_BLOCK_LENGTH))


class Readable(Protocol):
    """Bytes that can be read in pieces, from any place."""

    @property
    def size(self) -> int:
        """Length in bytes."""
        ...

    @property
    def etag(self) -> str:
        """Names the version of the bytes."""
        ...

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """Give the bytes from `start` up to `stop` (the end when None)."""
        ...


@frozen
class Content:
    """A run of `size` bytes: `data` from `shift` on, over and over."""

    size: int
    etag: str
    data: memoryview = field(repr=False)
    shift: int = 0

    @classmethod
    def given(cls, data: bytes) -> Self:
        """Hold these bytes."""
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return cls(size=len(data), etag=f'"{digest}"', data=memoryview(data))

    @classmethod
    def generated(cls, size: int, seed: str) -> Self:
        """Hold `size` bytes that depend on nothing but `size` and `seed`."""
        digest = hashlib.md5(f"{size} {seed}".encode(), usedforsecurity=False)
        shift = int.from_bytes(digest.digest()[:8]) % _BLOCK_LENGTH
        return cls(size=size, etag=f'"{digest.hexdigest()}"', data=_block(), shift=shift)

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """Give the bytes from `start` up to `stop` (the end when None), in pieces of at most 256 KiB."""
        stop = self.size if stop is None else min(stop, self.size)
        while start < stop:
            at = (start + self.shift) % len(self.data)
            piece = self.data[at : at + min(_PIECE, stop - start)]
            yield piece
            start += len(piece)


@frozen
class Extract:
    """Part of what can be read: what the answer to a request for a range holds."""

    content: Readable
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def pieces(self) -> Iterator[memoryview]:
        """Give the bytes, in pieces."""
        return self.content.pieces(self.start, self.stop)
