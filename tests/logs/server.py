"""A server that is both API and storage: a job of API v1.1, and the output of its steps."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from circleci_async import CircleCI, RetryPolicy
from tests.raw_server import Behaviour, RawServer, Request, answer, raw_server

TOKEN = "s3cret-t0ken"
SIGNATURE = "X-Amz-Signature=5ignatur3"
PROJECT = "gh/acme/api"
BUILD = "/api/v1.1/project/gh/acme/api/42"
QUICK = RetryPolicy(attempts=2, initial_delay=0.001, max_delay=0.01)


def action(number: int | None = 101, node: int = 0, **more: Any) -> dict[str, Any]:
    """Return a successful step on one node, as API v1.1 does."""
    return {
        "truncated": False,
        "index": node,
        "parallel": True,
        "failed": None,
        "infrastructure_fail": None,
        "name": f"step {number}",
        "bash_command": "#!/bin/bash -eo pipefail\nmake\n",
        "status": "success",
        "timedout": None,
        "continue": None,
        "end_time": "2026-11-24T12:00:05.250Z",
        "type": "test",
        "start_time": "2026-11-24T12:00:00.000Z",
        "background": False,
        "exit_code": 0,
        "insignificant": False,
        "canceled": None,
        "step": number,
        "run_time_millis": 5250,
        "has_output": True,
        **more,
    }


FAILED: dict[str, Any] = {"status": "failed", "failed": True, "exit_code": 1}


def build(*steps: Sequence[dict[str, Any]], lifecycle: str | None = "finished", **more: Any) -> dict[str, Any]:
    """Return a job as API v1.1 does; each step is given by its actions."""
    body = [{"name": actions[0]["name"], "actions": list(actions)} for actions in steps]
    return {"build_num": 42, "lifecycle": lifecycle, "status": "failed", "steps": body, **more}


def stored(*texts: str) -> Behaviour:
    """Answer with messages, as the storage does."""
    return answer(200, stored_bytes(*texts))


def stored_bytes(*texts: str) -> bytes:
    return json.dumps([{"message": text, "time": "2026-11-24T12:00:01Z", "type": "out"} for text in texts]).encode()


def sent(server: RawServer, prefix: str) -> list[Request]:
    return [request for request in server.requests if request.path.startswith(prefix)]


def credentials(requests: Sequence[Request]) -> set[str]:
    """Return the headers that must not be sent to a storage."""
    return {name for each in requests for name in each.headers if name in {"circle-token", "authorization", "cookie"}}


@asynccontextmanager
async def serving(
    builds: Sequence[dict[str, Any]] | Behaviour,
    files: Mapping[str, Behaviour] | None = None,
    **options: Any,
) -> AsyncGenerator[tuple[RawServer, CircleCI], None]:
    """Answer requests of job 42 with `builds` in turn (the last one repeatedly), and serve `files` by their paths.

    In a build, an `output_url` that is a path gets the server's address and a signature.
    """
    left = list(builds) if not callable(builds) else []

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        if request.path in (files or {}):
            return await (files or {})[request.path](request, writer)
        if request.path != BUILD:
            return await answer(404, {"message": "Not found"})(request, writer)
        if callable(builds):
            return await builds(request, writer)
        body = json.dumps(left.pop(0) if len(left) > 1 else left[0])
        body = body.replace('"output_url": "/', f'"output_url": "{server.url}/').replace("?signed", f"?{SIGNATURE}")
        return await answer(200, body)(request, writer)

    async with raw_server(behave) as server, CircleCI(TOKEN, host=server.url, **{"retry": QUICK, **options}) as circle:
        yield server, circle
