"""Sockets: one listening server per origin, and how responses are sent."""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Awaitable, Callable

from aiohttp import web

from .exchange import Response

_MAX_BUFFERED = 256 * 1024  # bytes of a response that is sent in one piece
_SHUTDOWN_TIMEOUT = 0.05  # seconds for handlers to end after their connections are closed

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Listener:
    """One HTTP server on one port."""

    def __init__(self, handler: Handler) -> None:
        self._protocols = web.Server(handler, access_log=None, handler_cancellation=True)
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> str:
        """Listen, and return host and port: `127.0.0.1:8080`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocols, host, port)
        address = self._server.sockets[0].getsockname()
        return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"

    async def close(self) -> None:
        """Close the server and abort its connections."""
        if self._server is not None:
            self._server.close()
            for connection in self._protocols.connections:
                if connection.transport is not None:
                    connection.transport.abort()
            await self._protocols.shutdown(_SHUTDOWN_TIMEOUT)
            self._server = None


async def send(
    request: web.BaseRequest, response: Response, *, cut: int | None = None, lengths: bool = True
) -> web.StreamResponse:
    """Send a response. With `cut`, close the connection after this number of bytes of the body.

    With `lengths=False`, use chunked encoding instead of Content-Length.
    """
    if cut is None and lengths and len(response.body) <= _MAX_BUFFERED:
        return web.Response(status=response.status, headers=response.headers, body=b"".join(response.pieces()))
    stream = web.StreamResponse(status=response.status, headers=response.headers)
    if lengths:
        stream.content_length = len(response.body)
    else:
        stream.enable_chunked_encoding()
    remaining = len(response.body) if cut is None else cut
    with contextlib.suppress(ConnectionError):  # the client has disconnected
        await stream.prepare(request)
        for piece in response.pieces():
            await stream.write(piece[:remaining])
            remaining -= len(piece)
            if remaining <= 0:
                break
    if cut is not None and request.transport is not None:
        request.transport.close()  # flushes the written bytes first
    return stream


def reset(request: web.BaseRequest) -> web.StreamResponse:
    """Reset the connection with a TCP RST."""
    if (transport := request.transport) is not None:
        linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    return web.Response()
