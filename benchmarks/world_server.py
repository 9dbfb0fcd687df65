"""A minimal server of a world (`world.py`) in a separate process; it can delay each response.

python -m benchmarks.world_server COUNT SIZE DELAY ARTIFACTS
"""

import asyncio
import sys

from .world import BLOCK, World


class Served:
    """The responses of the API, made before the first request; files are generated on request."""

    def __init__(self, world: World, base: str) -> None:
        self.sizes = dict(zip(world.names, world.sizes, strict=True))
        self.responses = {path: _head(len(body), path) + body for path, body in world.responses(base)}

    def find(self, target: str) -> tuple[bytes, int]:
        """Return the head of a response (with the body for the API), and the size of the file that follows."""
        path, _, query = target.partition("?")
        folder, _, name = path.rpartition("/")
        if folder == "/files" and name in self.sizes:
            size = self.sizes[name]
            return _head(size, f"{name}-{size}"), size
        token = query.removeprefix("page-token=")
        return self.responses.get(f"{path}~{token}" if token else path, _NOT_FOUND), 0


def _head(size: int, version: str) -> bytes:
    return f'HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nETag: "{version}"\r\n\r\n'.encode()


_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, served: Served, delay: float) -> None:
        self._served = served
        self._delay = delay
        self._left = 0
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        target = data.split(b" ", 2)[1].decode()
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._answer, target)
        else:
            self._answer(target)

    def _answer(self, target: str) -> None:
        if self._transport.is_closing():
            return
        head, self._left = self._served.find(target)
        first = min(self._left, len(BLOCK))
        self._left -= first
        self._transport.write(head + BLOCK[:first])
        self._send_more()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._send_more()

    def _send_more(self) -> None:
        while self._left and not self._paused:
            part = BLOCK[: self._left]
            self._left -= len(part)
            self._transport.write(part)


async def serve(world: World, delay: float) -> None:
    """Print the address, then serve until killed."""
    served: list[Served] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(served[0], delay), "127.0.0.1", 0, backlog=1024)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    served.append(Served(world, base))
    print(base, flush=True)
    await asyncio.Event().wait()


def main(count: str, size: str, delay: str, artifacts: str) -> None:
    """Parse the arguments and serve."""
    asyncio.run(serve(World(int(count), int(size), int(artifacts)), float(delay)))


if __name__ == "__main__":
    main(*sys.argv[1:])
