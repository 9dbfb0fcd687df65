"""The webhook handler as an ASGI application. ASGI is a convention that needs no import."""

from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from typing import Any

from .answer import Answering
from .body import BodyRefused

__all__ = ["AsgiApp"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiApp:
    """An ASGI 3 application that passes deliveries to a receiver, and follows the server's lifespan."""

    def __init__(self, receiver: Answering) -> None:
        self._receiver = receiver

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request, refuse a WebSocket, or follow the server's lifespan."""
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._follow_lifespan(receive, send)
        elif scope["type"] == "websocket":
            await receive()  # websocket.connect
            await send({"type": "websocket.close"})
        else:
            raise NotImplementedError(f"ASGI protocol {scope['type']!r} is not supported")

    async def _answer(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await _send(send, 405, "webhooks are delivered with POST", {"Allow": "POST"})
            return
        answer = await self._receiver.receive(_chunks(receive), scope["headers"])
        await _send(send, answer.status, answer.text, answer.headers)

    async def _follow_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        async with self._receiver:
            await send({"type": "lifespan.startup.complete"})
            await receive()  # lifespan.shutdown, after the last response
        await send({"type": "lifespan.shutdown.complete"})


async def _chunks(receive: Receive) -> AsyncGenerator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyRefused(400, "the body is incomplete")
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


async def _send(send: Send, status: int, text: str, headers: Any) -> None:
    body = text.encode()
    fields = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(body)), **headers}
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
