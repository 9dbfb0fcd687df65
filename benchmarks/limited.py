"""Compare the download of one file, from a server that limits the speed of each connection, with aria2c.

`python -m benchmarks.limited` is that server: of a world with one file.
"""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path

import circleci_async as ca
from circleci_async.models import Artifact

from .measure import MIB, Row, direct_environment, empty, folder_for, server_process, timed
from .world import World

NAME = "one limited connection"

SPEED = 20e6
"""Bytes per second of one connection."""

CONNECTIONS = 8

GOAL = 1.25

_BLOCK = bytes(64 * 1024)


def run(size: int, rounds: int) -> None:
    """Print the table; skip it with a message without aria2c."""
    if shutil.which("aria2c") is None:
        print(f"Not installed: aria2c. Skipped: {NAME}.\n")
        return
    print(f"| {NAME} of {SPEED / 1e6:.0f} MB/s | this SDK, ms | aria2c, ms | ratio of medians | goal | met |")
    print("|---|--:|--:|--:|--:|---|")
    with folder_for(size) as folder:
        if folder is None:
            print("| no room for this file | | | | | |\n")
            return
        with serving(World(1, size)) as url:
            print(compare(url, folder, size, rounds), end="\n\n", flush=True)


def serving(world: World) -> AbstractContextManager[str]:
    """Serve a world of one file from a process; the context is its address."""
    return server_process([sys.executable, "-m", "benchmarks.limited", str(world.size)])


def compare(url: str, folder: Path, size: int, rounds: int) -> Row:
    """Run both sides alternately, after one uncounted run of each."""
    times: dict[Callable[[str, Path], object], list[float]] = {download: [], aria2c: []}
    for round_number in range(rounds + 1):
        for work in list(times)[:: -1 if round_number % 2 else 1]:
            seconds = timed(partial(work, url, folder))
            assert [file.stat().st_size for file in folder.iterdir()] == [size]
            empty(folder)
            if round_number:
                times[work].append(seconds)
    name = f"1 file of {size // MIB} MiB against `aria2c -x{CONNECTIONS} -s{CONNECTIONS}`, with SHA-256 in this SDK"
    return Row(name, times[download], times[aria2c], GOAL)


def download(url: str, folder: Path) -> None:
    """Download with this SDK."""

    async def main() -> None:
        async with ca.CircleCI("benchmark-token", host=url) as circle:
            await circle.artifacts.download(Artifact(path="file", node_index=0, url=f"{url}/file"), folder)

    asyncio.run(main())


def aria2c(url: str, folder: Path) -> None:
    """Download with aria2c."""
    aria2c_file(f"{url}/file", folder)


def aria2c_file(url: str, folder: Path) -> None:
    """Download a file of any server with aria2c, over several connections."""
    options = ("--no-conf", "--quiet", "--file-allocation=none", f"-x{CONNECTIONS}", f"-s{CONNECTIONS}")
    env, null = direct_environment(), subprocess.DEVNULL
    subprocess.run(("aria2c", *options, url), cwd=folder, env=env, stdin=null, stdout=null, check=True)


async def serve(size: int) -> None:
    """Serve a world of one file on loopback until killed; print the URL."""
    lists: dict[str, bytes] = {}

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                if (body := lists.get(head.split(" ", 2)[1].partition("?")[0])) is not None:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                    continue
                await _send(writer, size, re.search(r"(?i)\r\nrange: bytes=(\d+)-(\d*)", head))
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    lists.update(World(1, size).responses(base))
    print(base, flush=True)
    await server.serve_forever()


async def _send(writer: asyncio.StreamWriter, size: int, wanted: re.Match[str] | None) -> None:
    begin, end = (int(wanted[1]), int(wanted[2] or size - 1) + 1) if wanted else (0, size)
    lines = ['ETag: "1"', "Accept-Ranges: bytes", f"Content-Length: {end - begin}"]
    if wanted:
        lines.append(f"Content-Range: bytes {begin}-{end - 1}/{size}")
    writer.write("\r\n".join([f"HTTP/1.1 {206 if wanted else 200} X", *lines, "\r\n"]).encode())
    loop = asyncio.get_running_loop()
    began, sent = loop.time(), 0
    while begin + sent < end:
        block = _BLOCK[: end - begin - sent]
        writer.write(block)
        await writer.drain()
        sent += len(block)
        await asyncio.sleep(began + sent / SPEED - loop.time())


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
