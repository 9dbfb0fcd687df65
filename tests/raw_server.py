"""A server of raw bytes, for invalid and interrupted HTTP responses."""

import asyncio
import json
import socket
import ssl
import struct
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Request:
    """A request as received."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    at: float
    """Event loop time of arrival."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


Behaviour = Callable[[Request, asyncio.StreamWriter], Awaitable[bool | None]]
"""Responds to a request; returns True to keep the connection open."""


@dataclass
class RawServer:
    """Responds to each request with the next behaviour, and repeats the last one."""

    behaviours: list[Behaviour]
    url: str = ""
    requests: list[Request] = field(default_factory=list, repr=False)  # the headers contain the token
    connections: int = 0
    """Connections accepted so far."""
    open_connections: int = 0
    in_flight: int = 0
    max_in_flight: int = 0

    @property
    def host(self) -> str:
        return self.url.partition("://")[2]

    async def all_closed(self) -> None:
        """Wait until no connection is open; fail after 5 seconds."""
        deadline = time.monotonic() + 5
        while self.open_connections:
            assert time.monotonic() < deadline, f"{self.open_connections} connections are still open"
            await asyncio.sleep(0.005)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_connections += 1
        try:
            while True:
                request = await _read(reader)
                if request is None:
                    return
                self.requests.append(request)
                behave = self.behaviours[min(len(self.requests), len(self.behaviours)) - 1]
                self.in_flight += 1
                self.max_in_flight = max(self.max_in_flight, self.in_flight)
                try:
                    if not await _until_gone(behave(request, writer), reader):
                        return
                finally:
                    self.in_flight -= 1
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            self.open_connections -= 1
            with suppress(ConnectionError, RuntimeError):
                writer.close()


async def _until_gone(answering: Awaitable[bool | None], reader: asyncio.StreamReader) -> bool | None:
    """Respond, unless the client disconnects first."""
    answer = asyncio.ensure_future(answering)
    gone = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else None
    finally:
        for task in (answer, gone):
            task.cancel()
        await asyncio.gather(answer, gone, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, target, headers, body, asyncio.get_running_loop().time())


@asynccontextmanager
async def raw_server(*behaviours: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncGenerator[RawServer, None]:
    """Serve on loopback while the block runs."""
    tasks: set[asyncio.Task[None]] = set()
    state = RawServer(list(behaviours))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.CancelledError):  # asyncio's streams would log it
            await state.serve(reader, writer)
        tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    state.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield state
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answer(status: int = 200, body: Any = None, headers: Mapping[str, str] | None = None) -> Behaviour:
    """Respond with `body`: bytes and text as they are, anything else as JSON."""
    content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool:
        fields = {"Content-Length": str(len(content)), "Content-Type": "application/json", **(headers or {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode())
        if request.method != "HEAD":
            writer.write(content)
        await writer.drain()
        return True

    return behave


def after(seconds: float, behaviour: Behaviour) -> Behaviour:
    """Respond after a delay."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        await asyncio.sleep(seconds)
        return await behaviour(request, writer)

    return behave


def cut(body: bytes, after: int, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Behaviour:
    """Announce the whole body, send its first bytes, and close the connection."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body[:after])
        await writer.drain()

    return behave


async def hang_up(request: Request, writer: asyncio.StreamWriter) -> None:
    """Read the request and close the connection."""


async def reset(request: Request, writer: asyncio.StreamWriter) -> None:
    """Read the request and reset the connection."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hang(request: Request, writer: asyncio.StreamWriter) -> None:
    """Never respond."""
    await asyncio.Event().wait()


def raw(content: bytes) -> Behaviour:
    """Send these bytes and close."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()

    return behave


@asynccontextmanager
async def resetting_server() -> AsyncGenerator[tuple[str, list[float]], None]:
    """Accept each connection and reset it before reading."""
    accepted: list[float] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(time.monotonic())
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", accepted
    finally:
        server.close()
