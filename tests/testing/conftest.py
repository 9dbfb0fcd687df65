"""Fixtures of the tests of the embedded CircleCI."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from circleci_async.testing import FakeCircleCI, World

from .caller import Caller
from .clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    return World(clock=clock)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@pytest.fixture
async def fake(world: World) -> AsyncIterator[FakeCircleCI]:
    async with FakeCircleCI(world, run_time=10) as running:
        yield running


@pytest.fixture
def api(fake: FakeCircleCI, http: aiohttp.ClientSession) -> Caller:
    return Caller(fake, http)
