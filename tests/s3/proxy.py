"""A proxy in front of S3 that causes the faults of networks and servers, and counts requests.

It runs in a thread of its own, since the calls of `Bucket` block.
"""

import asyncio
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

CHUNK = 64 * 1024

ERROR_BODY = "<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"


@dataclass
class S3Request:
    """A request as received. `key`: the path without the bucket, decoded."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    size: int
    """Bytes of the body as announced."""
    body: bytearray = field(default_factory=bytearray, repr=False)
    """The bytes of the body that were received."""

    @property
    def key(self) -> str:
        return unquote(self.path.removeprefix("/").partition("/")[2])


@dataclass
class Fault:
    """What happens to the requests that match, up to `times` of them; None: to all."""

    method: str = ".*"
    """A regular expression, as is `key`."""
    key: str = ".*"
    query: str | None = None
    """The name of a parameter, such as `uploads` or `partNumber`, that the request has."""
    skip: int = 0
    """Matching requests that are forwarded first."""
    times: int | None = None

    status: int | None = None
    """Respond with an error instead of forwarding the request."""
    code: str = "InternalError"
    message: str = "an error of the test"
    more: str = ""
    """XML that the body of the error contains besides."""
    delay: float = 0.0
    """Seconds before the request is forwarded."""
    rate: int | None = None
    """Bytes per second of the request's body and of the response, per connection."""
    cut_request: int | None = None
    """Close the connection after these bytes of the request's body."""
    cut_response: int | None = None
    """Close the connection after these bytes of the response, head included."""
    drop: Literal["close", "reset"] | None = None
    """Close the connection instead of forwarding the request."""
    then: Callable[[], object] | None = None
    """Called when the fault has happened, in the thread of the proxy."""
    happened: int = 0

    def matches(self, request: S3Request) -> bool:
        return (
            (self.times is None or self.happened < self.times)
            and re.fullmatch(self.method, request.method) is not None
            and re.fullmatch(self.key, request.key, re.DOTALL) is not None
            and (self.query is None or self.query in request.query)
        )

    def takes(self, request: S3Request) -> bool:
        """Return whether the fault happens to a request, which counts as skipped otherwise if it matches."""
        if not self.matches(request):
            return False
        self.skip -= 1
        return self.skip < 0


class FaultProxy:
    """Forwards each request to S3; the first fault that matches a request happens to it."""

    def __init__(self, target: str, tls: ssl.SSLContext | None = None) -> None:
        self.url = ""
        self.requests: list[S3Request] = []
        self.faults: list[Fault] = []
        self.open_connections = 0
        self._target = urlsplit(target)
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()

    def add(self, fault: Fault) -> Fault:
        self.faults.append(fault)
        return fault

    def count(self, method: str = ".*", key: str = ".*") -> int:
        """Return how many requests were received."""
        rule = Fault(method, key)
        return sum(map(rule.matches, self.requests))

    def drop_connections(self) -> None:
        """Close all connections, so that the requests that are delayed fail."""
        self._loop.call_soon_threadsafe(lambda: [task.cancel() for task in self._tasks])

    def run(self, started: threading.Event) -> None:
        """Serve until `close`. The target of the thread."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(started))

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)

    async def _serve(self, started: threading.Event) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=CHUNK, ssl=self._tls)
        self.url = f"http{'s' if self._tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        started.set()
        await self._stop.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.open_connections += 1
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._respond(reader, writer)
        finally:
            self.open_connections -= 1
            self._tasks.discard(task)
            with suppress(OSError):
                writer.close()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        request = _parsed(head)
        self.requests.append(request)
        fault = next((each for each in self.faults if each.takes(request)), Fault())
        fault.happened += 1
        try:
            await self._apply(fault, request, head, reader, writer)
        finally:
            if fault.then is not None:
                fault.then()

    async def _apply(
        self,
        fault: Fault,
        request: S3Request,
        head: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        await asyncio.sleep(fault.delay)
        if fault.drop == "reset":
            sock: socket.socket = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        if fault.drop is not None:
            return
        body = _limited(request.size, fault.cut_request)
        if fault.status is not None:
            await _copied(reader, None, body, fault.rate, request.body)
            await _send_error(writer, fault, is_head=request.method == "HEAD")
            return
        upstream, to_upstream = await asyncio.open_connection(self._target.hostname, self._target.port)
        try:
            to_upstream.write(re.sub(rb"\r\nconnection:[^\r]*", b"", head[:-2], flags=re.IGNORECASE))
            to_upstream.write(b"Connection: close\r\n\r\n")
            await _copied(reader, to_upstream, body, fault.rate, request.body)
            if fault.cut_request is None:
                await _copied(upstream, writer, fault.cut_response, fault.rate)
        finally:
            to_upstream.close()


def _parsed(head: bytes) -> S3Request:
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert "chunked" not in headers.get("transfer-encoding", "")
    return S3Request(
        method, path, dict(parse_qsl(query, keep_blank_values=True)), headers, int(headers.get("content-length", 0))
    )


def _limited(size: int, limit: int | None) -> int:
    return size if limit is None else min(size, limit)


async def _copied(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter | None,
    size: int | None,
    rate: int | None,
    copy: bytearray | None = None,
) -> None:
    """Copy `size` bytes, or all until the end; to nowhere if there is no writer, and into `copy`."""
    left = size
    chunk = CHUNK if rate is None else max(1, rate // 50)
    while left is None or left > 0:
        piece = await reader.read(chunk if left is None else min(chunk, left))
        if not piece:
            return
        left = None if left is None else left - len(piece)
        if copy is not None:
            copy += piece
        if writer is not None:
            writer.write(piece)
            await writer.drain()
        if rate is not None:
            await asyncio.sleep(len(piece) / rate)


async def _send_error(writer: asyncio.StreamWriter, fault: Fault, *, is_head: bool) -> None:
    body = ERROR_BODY.format(code=fault.code, message=fault.message, more=fault.more).encode()
    writer.write(
        f"HTTP/1.1 {fault.status} \r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n".encode()
        + (b"" if is_head else body)
    )
    await writer.drain()


@contextmanager
def fault_proxy(target: str, tls: ssl.SSLContext | None = None) -> Iterator[FaultProxy]:
    """Run a proxy to a server while the block runs."""
    proxy = FaultProxy(target, tls)
    started = threading.Event()
    thread = threading.Thread(target=proxy.run, args=(started,), name="fault proxy")
    thread.start()
    started.wait()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()
