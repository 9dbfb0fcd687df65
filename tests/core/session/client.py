"""Helpers of the tests in this folder: a client of a raw server."""

import asyncio
from collections.abc import Mapping

from circleci_async import CircleCI, RetryPolicy
from tests.raw_server import Behaviour, RawServer, answer

ME = {"id": "u-1", "login": "octo"}
QUICK = RetryPolicy(initial_delay=0.001, max_delay=0.001)
SAFE = ["GET", "PUT", "DELETE"]
UNSAFE = ["POST", "PATCH"]


def connect(server: RawServer, retry: RetryPolicy = QUICK, timeout: float = 60, concurrency: int = 32) -> CircleCI:
    return CircleCI("the-token", host=server.url, retry=retry, timeout=timeout, concurrency=concurrency)


def limited(headers: Mapping[str, str] | None = None) -> Behaviour:
    return answer(429, "Rate limited.", headers)


def now() -> float:
    """Return the event loop's time."""
    return asyncio.get_running_loop().time()
