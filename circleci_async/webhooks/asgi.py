"""The webhook handler as an ASGI application. ASGI is a convention, and needs nothing to be imported."""

from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from typing import Any

from .answer import Answering
from .body import BodyRefused

__all__ = ["AsgiApp"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiApp:
    """An ASGI 3 application that answers for a receiver, and closes it when it is the one that the server runs."""

    def __init__(self, receiver: Answering) -> None:
        self._receiver = receiver

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request, refuse a WebSocket, or follow the server's lifespan."""
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await receive()  # websocket.connect
            await send({"type": "websocket.close"})
        else:
            raise NotImplementedError(f"the ASGI protocol {scope['type']!r}")

    async def _answer(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await _send(send, 405, "a webhook is delivered by POST", {"Allow": "POST"})
            return
        answer = await self._receiver.receive(_chunks(receive), scope["headers"])
        await _send(send, answer.status, answer.text, answer.headers)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        async with self._receiver:
            await send({"type": "lifespan.startup.complete"})
            await receive()  # lifespan.shutdown, when all requests have been answered
        await send({"type": "lifespan.shutdown.complete"})


async def _chunks(receive: Receive) -> AsyncGenerator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyRefused(400, "the body broke off")
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


async def _send(send: Send, status: int, text: str, headers: Any) -> None:
    body = text.encode()
    fields = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(body)), **headers}
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
