"""A very large file needs little memory, and never blocks the event loop."""

import asyncio
import hashlib
import json
import sys
from pathlib import Path

from tests.raw_server import Request, raw_server

SIZE = 60 * 1024 * 1024  # too small for several connections
PIECE = bytes(range(256)) * 4096  # 1 MiB

PROGRAM = """
import asyncio, json, resource, sys, time
import circleci_async as ca
from circleci_async.downloads import range_receiver
from circleci_async.downloads.download import Progress

def peak():  # in bytes, of this process's whole life
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

async def main(url, folder, *connections):
    if connections:  # several, however fast they are
        range_receiver.MIN_SIZE = range_receiver.MIN_WAITED = 0
        range_receiver.MAX_SPEED = float("inf")
    longest = ticks = 0
    async def tick():
        # The time that the event loop's own thread works without a pause; other programs don't count.
        nonlocal longest, ticks
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            longest, ticks = max(longest, time.thread_time() - before), ticks + 1
    async with ca.CircleCI("t", host=url) as circle:
        small = ca.models.Artifact(path="small", node_index=0, url=url + "/small")
        large = ca.models.Artifact(path="large", node_index=0, url=url + "/large")
        await circle.artifacts.download(small, folder)
        before = peak()
        ticker = asyncio.create_task(tick())
        got = await circle.artifacts.download(large, folder)
        ticker.cancel()
        print(json.dumps([got.size, got.sha256, got.resumed, peak() - before, longest, ticks]))

asyncio.run(main(*sys.argv[1:]))
"""


async def send(writer: asyncio.StreamWriter, begin: int, end: int) -> None:
    """Send a part of the large file."""
    while begin < end:
        start = begin % len(PIECE)
        data = PIECE[start : start + end - begin]
        writer.write(data)
        await writer.drain()
        begin += len(data)


async def test_a_large_file_needs_little_memory_and_never_blocks_the_event_loop(tmp_path: Path) -> None:
    async def serve(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        """Generate the files; the large one is interrupted in the middle."""
        size = len(PIECE) if request.path == "/small" else SIZE
        begin = int(request.headers.get("range", "bytes=0-")[6:-1])
        writer.write(
            f'HTTP/1.1 {206 if begin else 200} X\r\nETag: "v"\r\nContent-Length: {size - begin}\r\n'
            f"Content-Range: bytes {begin}-{size - 1}/{size}\r\n\r\n".encode()
        )
        stop = SIZE // 2 if size == SIZE and begin < SIZE // 2 else size
        await send(writer, begin, stop)
        return stop == size

    async with raw_server(serve) as server:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, server.url, str(tmp_path), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await child.communicate()
    size, sha256, resumed, grown, longest, ticks = json.loads(output)
    digest = hashlib.sha256()
    for _ in range(SIZE // len(PIECE)):
        digest.update(PIECE)
    assert (size, sha256, resumed) == (SIZE, digest.hexdigest(), 1)
    assert (tmp_path / "large").stat().st_size == SIZE
    assert grown < 48 * 1024 * 1024
    assert ticks > 100
    assert longest < 0.1
    (tmp_path / "large").unlink()


async def test_several_connections_need_little_memory(tmp_path: Path) -> None:
    in_flight = max_in_flight = 0

    async def serve(request: Request, writer: asyncio.StreamWriter) -> bool:
        nonlocal in_flight, max_in_flight
        size = len(PIECE) if request.path == "/small" else SIZE
        first, _, last = request.headers.get("range", "bytes=0-")[6:].partition("-")
        begin, end = int(first), int(last or size - 1) + 1
        writer.write(
            f'HTTP/1.1 {206 if "range" in request.headers else 200} X\r\nETag: "v"\r\nContent-Length: {end - begin}\r\n'
            f"Content-Range: bytes {begin}-{end - 1}/{size}\r\n\r\n".encode()
        )
        in_flight += 1
        max_in_flight = max(in_flight, max_in_flight)
        try:
            await send(writer, begin, end)
        finally:
            in_flight -= 1
        return True

    async with raw_server(serve) as server:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROGRAM, server.url, str(tmp_path), "several"), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await child.communicate()
    size, sha256, resumed, grown, longest, _ = json.loads(output)
    assert (size, sha256, resumed) == (SIZE, hashlib.sha256(PIECE * (SIZE // len(PIECE))).hexdigest(), 0)
    assert max_in_flight > 4
    assert grown < 48 * 1024 * 1024
    assert longest < 0.1
    (tmp_path / "large").unlink()
