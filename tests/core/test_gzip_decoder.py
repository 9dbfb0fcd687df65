"""Gzip that arrives in pieces is decompressed in small pieces, and must be complete."""

import gzip

import pytest

from circleci_async.core.gzip_decoder import GzipDecoder, GzipError

TEXT = b"".join(b"line %d\n" % number for number in range(50_000))


def decompressed(data: bytes, size: int, max_piece: int = 10_000) -> bytes:
    """Decompress data that arrives in pieces of this size, and check the size of the results."""
    decoder = GzipDecoder(max_piece=max_piece)
    pieces = [piece for begin in range(0, len(data), size) for piece in decoder.feed(data[begin : begin + size])]
    decoder.end()
    assert all(0 < len(piece) <= max_piece for piece in pieces)
    return b"".join(pieces)


@pytest.mark.parametrize("size", [1, 7, 4096, 10_000_000])
def test_a_file_is_decompressed_from_any_pieces(size: int) -> None:
    data = gzip.compress(TEXT, mtime=0)
    assert decompressed(data, size) == TEXT
    assert decompressed(gzip.compress(b"", mtime=0), size) == b""


def test_members_and_padding_are_joined() -> None:
    assert decompressed(gzip.compress(b"one ", mtime=0) + gzip.compress(b"two", mtime=0) + b"\0" * 100, 5) == b"one two"


def test_a_highly_compressed_file_yields_bounded_pieces() -> None:
    assert len(decompressed(gzip.compress(bytes(5_000_000)), 10_000_000, max_piece=65_536)) == 5_000_000


@pytest.mark.parametrize(
    "data", [b"", gzip.compress(TEXT, mtime=0)[:-1], gzip.compress(b"a", mtime=0) + gzip.compress(b"b", mtime=0)[:12]]
)
def test_an_incomplete_file_is_an_error_at_its_end(data: bytes) -> None:
    with pytest.raises(GzipError, match="truncated gzip data"):
        decompressed(data, 100)


@pytest.mark.parametrize(
    "data", [b"plain text", gzip.compress(b"a", mtime=0)[:-8] + bytes(8), gzip.compress(b"a", mtime=0) + b"more"]
)
def test_other_bytes_are_an_error(data: bytes) -> None:
    with pytest.raises(GzipError, match="invalid gzip data"):
        decompressed(data, 100)
