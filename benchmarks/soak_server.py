"""The soak's embedded CircleCI in a separate process, so that the client's resources are measured alone.

python -m benchmarks.soak_server SEED TIME WEBHOOK

It prints its address as JSON, serves until its standard input ends, then prints how often each fault was injected.
"""

import asyncio
import gzip
import json
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from random import Random
from typing import Any

from attrs import define, field, frozen

from circleci_async.testing import FakeCircleCI, Fault, RateLimit

from .measure import MIB
from .soak_world import build, renew

RUN_TIME = 0.4
"""Duration of a triggered pipeline in seconds."""
STALL = 3.0
"""Delay of a response in seconds that exceeds the client's timeout."""
EXIT_TIMEOUT = 60.0
"""Seconds until the server process must have ended."""
REARM_INTERVAL = 0.02
"""Seconds between two checks of which faults were injected."""

BOMB = gzip.compress(bytes(64 * MIB))
"""64 KiB that are 64 MiB when decompressed, which exceeds the client's bound."""

FAULTS: Mapping[str, tuple[int, Mapping[str, Any]]] = {
    "500": (150, {"origin": "api", "method": "GET", "status": 500}),
    "502, a web page": (150, {"origin": "api", "method": "GET", "status": 502, "body": "<h1>Bad gateway</h1>"}),
    "503 with Retry-After": (200, {"origin": "api", "method": "GET", "status": 503, "headers": {"Retry-After": "0.1"}}),
    "429 with Retry-After": (250, {"origin": "api", "status": 429, "headers": {"Retry-After": "0.1"}}),
    "429 without": (400, {"origin": "api", "status": 429}),
    "429 with Retry-After of years": (800, {"origin": "api", "status": 429, "headers": {"Retry-After": "1735689600"}}),
    "500 with 2 MB": (400, {"origin": "api", "method": "GET", "status": 500, "body": "x" * 2_000_000}),
    "200 with a gzip bomb": (
        3000,
        {"origin": "api", "method": "GET", "status": 200, "body": BOMB, "headers": {"Content-Encoding": "gzip"}},
    ),
    "reset before the response": (120, {"origin": "api", "method": "GET", "reset": "before"}),
    "response lost": (120, {"origin": "api", "method": "GET", "reset": "after"}),
    "response cut": (120, {"origin": "api", "method": "GET", "cut": 30}),
    "response late": (60, {"origin": "api", "delay": 0.15}),
    "response too late": (2500, {"origin": "api", "method": "GET", "delay": STALL}),
    "JSON that ends too early": (1500, {"origin": "api", "path": "/api/v2/*", "method": "GET", "broken_json": True}),
    "POST: 503": (50, {"origin": "api", "method": "POST", "status": 503}),
    "POST: the response is lost": (50, {"origin": "api", "method": "POST", "reset": "after"}),
    "artifacts: 503": (60, {"origin": "artifacts", "status": 503}),
    "artifacts: an expired signature": (40, {"origin": "artifacts", "expired": True}),
    "storage: 503": (80, {"origin": "storage", "status": 503, "body": "<Error><Code>SlowDown</Code></Error>"}),
    "storage: the signature expires": (40, {"origin": "storage", "expired": True}),
    "storage: cut": (15, {"origin": "storage", "cut": 1000}),
    "storage: reset": (40, {"origin": "storage", "reset": "before"}),
    "storage: an invalid ETag": (40, {"origin": "storage", "headers": {"ETag": '"\u00e9 "x'}}),
    "storage: 403 of another kind": (80, {"origin": "storage", "status": 403, "body": "<Error/>"}),
    "storage: late": (40, {"origin": "storage", "delay": 0.15}),
}
"""Name -> (about one of how many requests is hit, the fault)."""


@define
class FaultInjector:
    """Injects faults repeatedly at random."""

    fake: FakeCircleCI
    chance: Random
    faults: Mapping[str, tuple[int, Mapping[str, Any]]] = FAULTS
    planned: dict[str, Fault] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.planned = {
            name: self.fake.fail(after=self.chance.randrange(2 * every), **what)
            for name, (every, what) in self.faults.items()
        }

    def rearm(self) -> None:
        """Schedule each fault that was injected once more, some requests later."""
        for name, fault in self.planned.items():
            if not fault.live:
                fault.after += self.chance.randrange(2 * self.faults[name][0])
                fault.times = fault.hits + 1


async def serve(seed: int, now: datetime, webhook: str) -> None:
    """Serve until the standard input ends."""
    world = build(seed, now)
    limit = RateLimit(per_second=400)
    async with FakeCircleCI(world, record=False, run_time=RUN_TIME, rate_limit=limit) as fake:
        injector = FaultInjector(fake, Random(seed))
        renew(world, time.time(), webhook)
        address = {"host": fake.url, "artifact_host": fake.artifact_host, "token": fake.token}
        print(json.dumps(address), flush=True)
        end = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        while not end.done():
            injector.rearm()
            renew(world, time.time(), webhook)
            await asyncio.wait([end], timeout=REARM_INTERVAL)
        hits = {name: fault.hits for name, fault in injector.planned.items()}
        print(json.dumps({**hits, "429 of the rate limit": fake.rate_limited}), flush=True)


@frozen
class Served:
    """The server's addresses, and once it has ended, how often each fault was injected."""

    host: str
    artifact_host: str
    token: str
    hits: dict[str, int] = field(factory=dict[str, int])


@contextmanager
def serving(seed: int, now: datetime, webhook: str) -> Generator[Served]:
    """Run a server process; it ends with the block or with this process."""
    command = [sys.executable, "-m", "benchmarks.soak_server", str(seed), now.isoformat(), webhook]
    # In its own session: Ctrl-C reaches only the client, and the server ends with its standard input.
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        served = Served(**json.loads(server.stdout.readline()))
        yield served
        server.stdin.close()
        served.hits.update(json.loads(server.stdout.readline()))
        server.wait(EXIT_TIMEOUT)
    finally:
        server.kill()
        server.wait()
        server.stdin.close()
        server.stdout.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), datetime.fromisoformat(sys.argv[2]), sys.argv[3]))
