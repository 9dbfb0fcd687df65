"""A file that is large for `use_small_pieces`, and a server whose connections are slow."""

import asyncio
import re
from collections.abc import Callable

from circleci_async.downloads import range_map, range_receiver
from tests.downloads.file_server import random_bytes, served
from tests.raw_server import Behaviour, Request

SIZE = 4_000_000
PIECE = 256 * 1024
CONTENT = random_bytes(SIZE)
OTHER = random_bytes(SIZE, "another version")
ALONE = 1024 * 1024
"""Bytes after which a file is first written, and the other connections are opened."""


def use_small_pieces(patch: Callable[[object, str, object], None]) -> None:
    """Receive files of this size over several connections, however fast these are."""
    patch(range_map, "PIECE", PIECE)
    patch(range_receiver, "MIN_SIZE", 3_500_000)
    patch(range_receiver, "MIN_WAITED", 0)
    patch(range_receiver, "MAX_SPEED", float("inf"))


def requested(request: Request) -> tuple[int, int] | None:
    """Return the range that a request asks for; None if it is not bounded."""
    match = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("range", ""))
    return match and (int(match[1]), int(match[2]) + 1)


def paced(content: bytes = CONTENT, *, etag: str = '"v1"', pause: float = 0.002) -> Behaviour:
    """Serve the first bytes of a whole file at once, and all others with a pause after each 32 KiB."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        wanted = request.headers.get("range", "") if request.headers.get("if-range") == etag else ""
        at_once = 0 if wanted else ALONE + PIECE
        first, _, last = (wanted or f"bytes={at_once}-").removeprefix("bytes=").partition("-")
        end = int(last) + 1 if last else len(content)

        async def rest(request: Request, writer: asyncio.StreamWriter) -> bool:
            for position in range(int(first), end, 32 * 1024):
                writer.write(content[position : min(end, position + 32 * 1024)])
                await writer.drain()
                await asyncio.sleep(pause)
            return True

        return await served(content, etag=etag, cut=at_once, then=rest)(request, writer)

    return behave


def one_late(others: int) -> Behaviour:
    """Serve the first range only when this number of others has been served."""
    is_first, served_others, ready = True, 0, asyncio.Event()

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        nonlocal is_first, served_others
        if requested(request) is None:
            return await paced()(request, writer)
        if is_first:
            is_first = False
            await ready.wait()
            return await paced()(request, writer)
        is_kept = await paced()(request, writer)
        served_others += 1
        if served_others >= others:
            ready.set()
        return is_kept

    return behave
