"""Which ranges of a file are written, and which are being received. Pure."""

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final, NamedTuple, Self

from attrs import define

PIECE = 4 * 1024 * 1024
"""Bytes of a file that one connection requests at once. Pieces begin at multiples of it."""

STORED: Final = 8 * 1024
"""Bytes of a stored map."""

MAX_ETAG: Final = 1024
"""Characters of an ETag that fits into a stored map."""


class Span(NamedTuple):
    """The bytes from `start` up to `stop`, which is not included."""

    start: int
    stop: int


@define(eq=False)
class Claim:
    """Bytes that one connection receives."""

    position: int
    """Of the next byte to write."""
    stop: int


class RangeMap:
    """The written ranges of one version of a file, and the claims of its connections."""

    def __init__(self, size: int, etag: str, written: Iterable[tuple[int, int]] = (), *, source: str = "") -> None:
        self.size: int = size
        self.etag: str = etag
        self.source: str = source
        """Identifies the URL of the file, if the name of the partial file does not."""
        self._written: list[Span] = []
        self._claims: set[Claim] = set()
        for start, stop in written:
            self.add(start, stop)

    @property
    def written(self) -> tuple[Span, ...]:
        """The written ranges in order; none adjoins another."""
        return tuple(self._written)

    @property
    def front(self) -> int:
        """Bytes at the start of the file that are written without a gap."""
        return self._written[0].stop if self._written and not self._written[0].start else 0

    @property
    def received(self) -> int:
        """Bytes that are written."""
        return sum(stop - start for start, stop in self._written)

    def add(self, start: int, stop: int) -> None:
        """Note that a range is written."""
        if start == stop:
            return
        touching = [span for span in self._written if span.start <= stop and start <= span.stop]
        merged = Span(min([start, *(span.start for span in touching)]), max([stop, *(span.stop for span in touching)]))
        self._written = sorted([merged, *(span for span in self._written if span not in touching)])

    @property
    def gap(self) -> Span | None:
        """The first range that is neither written nor claimed, at most up to the end of its piece."""
        return self._gap_from(0)

    def claim(self) -> Claim | None:
        """Claim the first gap, if there is one, until `release`."""
        if (gap := self.gap) is None:
            return None
        claim = Claim(gap.start, gap.stop)
        self._claims.add(claim)
        return claim

    def extend(self, claim: Claim) -> bool:
        """Extend a claim by the gap that follows it; return whether one does."""
        gap = self._gap_from(claim.stop)
        if gap is None or gap.start != claim.stop:
            return False
        claim.stop = gap.stop
        return True

    def release(self, claim: Claim) -> None:
        """End a claim. What it has not written is a gap again."""
        self._claims.discard(claim)

    def _gap_from(self, start: int) -> Span | None:
        taken = sorted([*self._written, *(Span(claim.position, claim.stop) for claim in self._claims)])
        for span in taken:
            if span.start > start:
                return Span(start, min(span.start, _piece_end(start)))
            start = max(start, span.stop)
        return Span(start, min(self.size, _piece_end(start))) if start < self.size else None

    def dump(self) -> bytes:
        """Return the written ranges as `STORED` bytes of text with a checksum; only the first if there are too many."""
        written = self._written
        while True:
            fields = {"size": self.size, "etag": self.etag, "source": self.source, "written": written}
            text = json.dumps(fields, ensure_ascii=False).encode()
            stored = b"%s %s\n" % (_checksum(text), text)
            if len(stored) <= STORED or not written:
                return stored.ljust(STORED)
            written = written[: len(written) // 2]

    @classmethod
    def load(cls, stored: bytes) -> Self | None:
        """Return the map that `dump` made; None if it is damaged."""
        checksum, _, text = stored.partition(b"\n")[0].partition(b" ")
        if checksum != _checksum(text):
            return None
        with suppress(ValueError, TypeError, KeyError):
            fields: dict[str, Any] = json.loads(text)
            size, written = fields["size"], [(int(start), int(stop)) for start, stop in fields["written"]]
            if all(0 <= start < stop <= size for start, stop in written):
                return cls(size, str(fields["etag"]), written, source=str(fields["source"]))
        return None


def _piece_end(position: int) -> int:
    return position - position % PIECE + PIECE


def _checksum(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()
