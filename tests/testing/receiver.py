"""A server that receives webhook deliveries."""

import asyncio
import json
import ssl
from collections.abc import Iterable, Mapping
from typing import Any, Self

from aiohttp import web
from attrs import frozen


@frozen
class Taken:
    """A received request."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def event(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """Answers with the given statuses, then with 200; None means no response."""

    def __init__(self, statuses: Iterable[int | None] = (), *, tls: ssl.SSLContext | None = None) -> None:
        self.taken: list[Taken] = []
        self.arrived: asyncio.Queue[Taken] = asyncio.Queue()
        self.statuses = list(statuses)
        self.url = ""
        self._tls = tls
        self._server = web.Server(self._take, access_log=None, handler_cancellation=True)

    async def _take(self, request: web.BaseRequest) -> web.StreamResponse:
        taken = Taken(request.path, request.headers.copy(), await request.read())
        self.taken.append(taken)
        self.arrived.put_nowait(taken)
        status = self.statuses.pop(0) if self.statuses else 200
        if status is None:
            await asyncio.Event().wait()
        return web.Response(status=status or 200, headers={"Location": "/elsewhere"} if status == 302 else None)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(self._server, "127.0.0.1", 0, ssl=self._tls)
        port = self._listening.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{port}/hook"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.close()
        await self._server.shutdown(0)

    @property
    def events(self) -> list[Any]:
        """The received events."""
        return [taken.event for taken in self.taken]

    @property
    def names(self) -> list[str]:
        """The names of the jobs and workflows in the received events."""
        return [(event.get("job") or event.get("workflow") or {"name": event["type"]})["name"] for event in self.events]
