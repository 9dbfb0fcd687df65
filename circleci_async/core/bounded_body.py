"""Read a whole body into memory, decompressed, up to a bound."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from io import BytesIO

from .gzip_decoder import GzipDecoder

MAX_RESPONSE: int = 64 * 1024 * 1024
"""Bytes of a response, decompressed, by default."""

PIECE = 64 * 1024
"""Bytes that are decompressed at once: 1 MB of gzip can hold 1 GB."""

PIECES_AT_ONCE = 16
"""Pieces that are decompressed before other tasks can run: one read can contain many."""


class UnknownEncoding(Exception):
    """The `Content-Encoding` of a body is not supported."""


def content_encoding(headers: Mapping[str, str]) -> str:
    """Return the `Content-Encoding` of a body in lower case; "" if it is not encoded."""
    encoding = headers.get("Content-Encoding", "").strip().lower()
    return "" if encoding == "identity" else encoding


async def read_bounded(
    read_some: Callable[[], Awaitable[bytes]], max_bytes: int, *, encoding: str
) -> tuple[bytes, bool]:
    """Return the body, and whether it is complete: reading stops beyond `max_bytes`.

    `read_some` returns the next bytes, b"" at the end. Raises `UnknownEncoding`, and `GzipError` for a body that is
    malformed or truncated.
    """
    decoder = _decoder(encoding) if encoding else None
    body = BytesIO()  # returns its content without copying it
    received = pieces = 0
    while data := await read_some():
        received += len(data)
        for piece in decoder.feed(data) if decoder else (data,):
            body.write(piece)
            if body.tell() > max_bytes:
                return body.getvalue(), False
            pieces += 1
            if pieces % PIECES_AT_ONCE == 0:
                await asyncio.sleep(0)
        if (
            received > max_bytes + max_bytes // 100 + PIECE
        ):  # incompressible data needs less: these are empty gzip members
            return body.getvalue(), False
    if decoder and received:
        decoder.end()
    return body.getvalue(), True


def _decoder(encoding: str) -> GzipDecoder:
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise UnknownEncoding(
            "its Content-Encoding is neither gzip nor deflate"
        )  # not quoted: it can contain the token
    return GzipDecoder(max_piece=PIECE, is_deflate=encoding == "deflate")
