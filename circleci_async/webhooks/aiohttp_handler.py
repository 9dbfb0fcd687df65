"""The webhook handler for aiohttp.web, and a server with nothing else."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

from aiohttp import web

from .answer import Answering
from .body import BodyRefused

__all__ = ["Handler", "handler_for", "serve"]

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


def handler_for(receiver: Answering) -> Handler:
    """Return a handler that passes deliveries to the receiver."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.method != "POST":
            raise web.HTTPMethodNotAllowed(request.method, ["POST"], text="webhooks are delivered with POST")
        answer = await receiver.receive(_chunks(request), request.headers)
        return web.Response(status=answer.status, text=answer.text, headers=answer.headers)

    return handle


@asynccontextmanager
async def serve(receiver: Answering, host: str, port: int, path: str) -> AsyncGenerator[str]:
    """Serve the receiver, yield its URL, and close both at the end."""
    app = web.Application()
    app.router.add_post(path, handler_for(receiver))
    runner = web.AppRunner(app, access_log=None)
    async with receiver:
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            name, number = runner.addresses[0][:2]
            yield f"http://{f'[{name}]' if ':' in name else name}:{number}{path}"
        finally:
            await runner.cleanup()


async def _chunks(request: web.Request) -> AsyncGenerator[bytes]:
    """Iterate the body as it arrives; `request.read()` has the application's own limit, and no timeout."""
    try:
        async for chunk in request.content.iter_any():
            yield chunk
    except (OSError, web.RequestPayloadError):
        raise BodyRefused(400, "the body is incomplete") from None
