"""Signed deliveries as from CircleCI, and servers that receive them."""

import asyncio
import hmac
import json
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import uvicorn
from aiohttp import web
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Route

from circleci_async.webhooks import Receiver

SECRET = "a-long-random-text"

WORKFLOW_COMPLETED: dict[str, Any] = {
    "id": "3888f21b-eaa7-38e3-8f3d-75a63bba8895",
    "type": "workflow-completed",
    "happened_at": "2026-11-24T12:30:01.553182Z",
    "webhook": {"id": "cf8c4fdd-0587-4da1-b4ca-4846e9640af9", "name": "deploys"},
    "project": {"id": "84996744-a854-4f5e-aea3-04e2851dc1d2", "name": "api", "slug": "github/acme/api"},
    "organization": {"id": "f22b6566-597d-46d5-ba74-99ef5bb3d85c", "name": "acme"},
    "workflow": {
        "id": "fda08377-fe7e-46b1-8992-3a7aaecac9c3",
        "name": "build-test-deploy",
        "status": "failed",
        "created_at": "2026-11-24T12:28:17.616Z",
        "stopped_at": "2026-11-24T12:30:01.200Z",
        "url": "https://app.circleci.com/pipelines/github/acme/api/130/workflows/fda08377",
    },
    "pipeline": {
        "id": "1285fe1d-d3a6-44fc-8886-8979558254c4",
        "number": 130,
        "created_at": "2026-11-24T12:28:17.482Z",
        "trigger": {"type": "webhook"},
        "vcs": {
            "provider_name": "github",
            "origin_repository_url": "https://github.com/somebody/api",
            "target_repository_url": "https://github.com/acme/api",
            "revision": "1dc6aa69429bff4806ad6afe58d3d8f57e25973e",
            "branch": "main",
            "commit": {
                "subject": "Description of change",
                "body": "More details",
                "author": {"name": "Ann Author", "email": "ann@example.com"},
                "authored_at": "2026-11-24T12:20:53Z",
                "committer": {"name": "Carl Committer", "email": "carl@example.com"},
                "committed_at": "2026-11-24T12:28:16Z",
            },
        },
    },
}

JOB_COMPLETED: dict[str, Any] = {
    "id": "8bd71c28-4969-3677-8940-3e3a61c46b66",
    "type": "job-completed",
    "happened_at": "2026-11-24T12:29:44Z",
    "webhook": {"id": "cf8c4fdd-0587-4da1-b4ca-4846e9640af9", "name": "deploys"},
    "project": {"id": "84996744-a854-4f5e-aea3-04e2851dc1d2", "name": "api", "slug": "circleci/9YytKzou/BzVUfLH"},
    "organization": {"id": "f22b6566-597d-46d5-ba74-99ef5bb3d85c", "name": "acme"},
    "pipeline": {
        "id": "1285fe1d-d3a6-44fc-8886-8979558254c4",
        "number": 131,
        "created_at": "2026-11-24T12:28:17.482Z",
        "trigger": {"type": "api"},
        "trigger_parameters": {
            "github_app": {"commit_title": "A title", "forced": "false"},
            "git": {"branch": "main", "tag": "", "checkout_sha": "9e2e4bed", "commit_message": "A title"},
            "circleci": {"event_time": "2026-11-24 12:28:17.361740256 +0000 UTC", "trigger-type": "github_app"},
        },
    },
    "workflow": {
        "id": "fda08377-fe7e-46b1-8992-3a7aaecac9c3",
        "name": "build-test-deploy",
        "created_at": "2026-11-24T12:28:17.616Z",
        "stopped_at": "2026-11-24T12:29:44Z",
        "url": "https://app.circleci.com/pipelines/circleci/9YytKzou/BzVUfLH/131/workflows/fda08377",
    },
    "job": {
        "id": "8b91f9a8-7975-4e60-916c-f0152ccef937",
        "number": 317,
        "name": "test",
        "status": "success",
        "started_at": "2026-11-24T12:28:50Z",
        "stopped_at": "2026-11-24T12:29:44Z",
    },
}

PING: dict[str, Any] = {
    "id": "c2c0ff4e-5a44-4d33-a0c9-0c26a9d0f0a5",
    "type": "ping",
    "happened_at": "2026-11-24T12:00:00Z",
    "webhook": {"id": "cf8c4fdd-0587-4da1-b4ca-4846e9640af9", "name": "deploys"},
}


def body_of(payload: Any) -> bytes:
    """Serialize a payload."""
    return json.dumps(payload).encode()


def ping(id: str) -> bytes:
    """Return the body of an event with this id."""
    return body_of(PING | {"id": id})


def digest(body: bytes, secret: str = SECRET) -> str:
    """Return the signature, without its version."""
    return hmac.new(secret.encode(), body, "sha256").hexdigest()


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    """Return the headers of a delivery with this body."""
    return {"content-type": "application/json", "circleci-signature": f"v1={digest(body, secret)}"}


Serve = Callable[[Receiver], AbstractAsyncContextManager[str]]
"""Serves a receiver during the block, and yields its URL."""


@asynccontextmanager
async def aiohttp_server(receiver: Receiver) -> AsyncGenerator[str, None]:
    """Serve with aiohttp.web; the receiver is closed with the application."""
    app = web.Application()
    app.router.add_route("*", "/hooks", receiver.aiohttp)
    app.cleanup_ctx.append(receiver.cleanup)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
    finally:
        await runner.cleanup()


def own_server(receiver: Receiver) -> AbstractAsyncContextManager[str]:
    """Serve with `Receiver.serve`."""
    return receiver.serve(path="/hooks")


@asynccontextmanager
async def starlette_server(receiver: Receiver) -> AsyncGenerator[str, None]:
    """Serve with uvicorn, as a route of Starlette, whose lifespan closes the receiver."""
    app = Starlette(routes=[Route("/hooks", receiver.asgi)], lifespan=_lifespan(receiver))
    async with _uvicorn(app) as url:
        yield f"{url}/hooks"


@asynccontextmanager
async def fastapi_server(receiver: Receiver) -> AsyncGenerator[str, None]:
    """Serve with uvicorn, mounted in FastAPI, whose lifespan closes the receiver."""
    app = FastAPI(lifespan=_lifespan(receiver))
    app.mount("/hooks", receiver.asgi)
    async with _uvicorn(app) as url:
        yield f"{url}/hooks/"


@asynccontextmanager
async def bare_server(receiver: Receiver) -> AsyncGenerator[str, None]:
    """Serve with uvicorn and nothing else; the receiver follows the server's lifespan."""
    async with _uvicorn(receiver.asgi) as url:
        yield url


SERVERS: dict[str, Serve] = {
    "aiohttp": aiohttp_server,
    "itself": own_server,
    "starlette": starlette_server,
    "fastapi": fastapi_server,
    "bare": bare_server,
}


def _lifespan(receiver: Receiver) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncGenerator[None, None]:
        async with receiver:
            yield

    return lifespan


@asynccontextmanager
async def _uvicorn(app: Any) -> AsyncGenerator[str, None]:
    with socket.create_server(("127.0.0.1", 0)) as listening:  # earlier connections wait
        server = uvicorn.Server(uvicorn.Config(app, lifespan="on", log_config=None))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
