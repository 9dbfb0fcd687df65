"""The path of a request through the package is short."""

import traceback
from pathlib import Path

import aiohttp

import circleci_async as ca
from tests.core.session.client import ME
from tests.raw_server import answer, raw_server

PACKAGE = str(Path(ca.__file__).parent)
MAX_FRAMES = 6


async def test_a_get_passes_at_most_six_frames_of_the_package_before_aiohttp() -> None:
    stacks: list[list[str]] = []

    async def record(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        stacks.append([f"{frame.filename}:{frame.name}" for frame in traceback.extract_stack()])
        return await handler(request)

    async with (
        raw_server(answer(200, ME)) as server,
        aiohttp.ClientSession(middlewares=(record,)) as http,
        ca.CircleCI("", host=server.url, http=http) as circle,
    ):
        await circle.users.me()

    (stack,) = stacks
    first_of_aiohttp = next(n for n, frame in enumerate(stack) if "/aiohttp/" in frame)
    frames = [frame.removeprefix(PACKAGE) for frame in stack[:first_of_aiohttp] if frame.startswith(PACKAGE)]
    assert frames[0] == "/endpoints/users.py:me"
    assert frames[-1] == "/core/transport.py:send"
    assert len(frames) <= MAX_FRAMES, frames
