"""The sockets: one listening server per origin, and how replies leave it, whole or not."""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Awaitable, Callable

from aiohttp import web

from .exchange import Reply

_AT_ONCE = 256 * 1024  # bytes that are sent in one go
_GRACE = 0.05  # seconds that a handler has to end when the server closes; its connection is cut already

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Listener:
    """One HTTP server on one port."""

    def __init__(self, handler: Handler) -> None:
        self._protocols = web.Server(handler, access_log=None, handler_cancellation=True)
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> str:
        """Listen, and say where: `127.0.0.1:8080`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocols, host, port)
        address = self._server.sockets[0].getsockname()
        return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"

    async def close(self) -> None:
        """Close at once: whatever is under way is cut."""
        if self._server is not None:
            self._server.close()
            for connection in self._protocols.connections:
                if connection.transport is not None:
                    connection.transport.abort()
            await self._protocols.shutdown(_GRACE)
            self._server = None


async def send(
    request: web.BaseRequest, reply: Reply, *, cut: int | None = None, lengths: bool = True
) -> web.StreamResponse:
    """Send a reply; with `cut` the headers promise all of it, but the connection closes after so many bytes.

    `lengths=False`: without Content-Length, in chunks.
    """
    if cut is None and lengths and len(reply.body) <= _AT_ONCE:
        return web.Response(status=reply.status, headers=reply.headers, body=b"".join(reply.pieces()))
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    if lengths:
        response.content_length = len(reply.body)
    else:
        response.enable_chunked_encoding()
    left = len(reply.body) if cut is None else cut
    with contextlib.suppress(ConnectionError):  # a client may leave midway: nobody else needs to hear of it
        await response.prepare(request)
        for piece in reply.pieces():
            await response.write(piece[:left])
            left -= len(piece)
            if left <= 0:
                break
    if cut is not None and request.transport is not None:
        request.transport.close()  # sends what was written, then ends
    return response


def reset(request: web.BaseRequest) -> web.StreamResponse:
    """Reset the connection: the client sees RST, not an orderly end."""
    if (transport := request.transport) is not None:
        linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    return web.Response()
