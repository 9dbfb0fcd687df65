"""A simulated rate-limited server and its clients, in virtual time: deterministic, and without sockets."""

import asyncio
import math
import random
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeVar

from attrs import define, field

from circleci_async.core.limiter import Limiter, WaitLimit
from circleci_async.core.rate_limit import UNKNOWN, RateLimitState
from circleci_async.core.stats import Stats

T = TypeVar("T")

RetryAfter = Literal["whole", "fractional", None]


class _InstantSelector(selectors.DefaultSelector):
    """Advances the clock instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("every task waits, and no timer is pending")
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that starts at 1000 s, and jumps to the next timer when no task can run."""

    def __init__(self) -> None:
        self._instant = _InstantSelector()
        super().__init__(self._instant)

    def time(self) -> float:
        return 1000.0 + self._instant.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


@define
class Server:
    """A token bucket: `rate` tokens per second, at most `burst`. A request takes one, or is refused."""

    rate: float
    burst: int
    retry_after: RetryAfter = "whole"
    headers: bool = False
    accepted: list[float] = field(factory=list)
    refused: list[float] = field(factory=list)
    _tokens: float = field(init=False)
    _updated: float | None = None

    def __attrs_post_init__(self) -> None:
        self._tokens = float(self.burst)

    def take(self, now: float) -> tuple[bool, RateLimitState]:
        """Return whether the request is accepted, and what the response's headers state."""
        self._refill(now)
        if self._tokens >= 1 - 1e-9:
            self._tokens -= 1
            self.accepted.append(now)
            return True, self._state(pause=None)
        self.refused.append(now)
        wait = (1 - self._tokens) / self.rate
        pause = {"whole": float(math.ceil(wait)), "fractional": wait, None: None}[self.retry_after]
        return False, self._state(pause)

    def change_rate(self, rate: float, now: float) -> None:
        """Use another rate from now on."""
        self._refill(now)
        self.rate = rate

    def _refill(self, now: float) -> None:
        passed = 0.0 if self._updated is None else now - self._updated
        self._tokens = min(self.burst, self._tokens + passed * self.rate)
        self._updated = now

    def _state(self, pause: float | None) -> RateLimitState:
        if not self.headers:
            return UNKNOWN if pause is None else RateLimitState(pause)
        left = math.floor(self._tokens + 1e-9)
        if not left and pause is None:  # an exhausted quota states its reset in whole seconds
            pause = float(math.ceil((1 - self._tokens) / self.rate))
        return RateLimitState(pause, left, self.burst)


@define
class Client:
    """What one client of the simulation did."""

    limiter: Limiter
    sent: list[float] = field(factory=list)
    accepted: list[float] = field(factory=list)
    refused: list[float] = field(factory=list)
    rates: list[tuple[float, float]] = field(factory=list)
    """The pace after each response."""
    max_in_flight: int = 0
    in_flight: int = 0
    sent_during_pause: int = 0


@define
class Simulation:
    """Clients with some tasks each that call one server until a number of calls, or a time, is reached."""

    server: Server
    clients: int = 1
    tasks: int = 32
    concurrency: int = 32
    latency: float = 0.02
    """Seconds of a round trip."""
    jitter: float = 0.1
    """Share of the latency by which each way varies."""
    seed: int = 1
    members: list[Client] = field(factory=list)
    _calls: float = math.inf
    began: float = 0.0
    ended: float = 0.0

    def run(
        self,
        *,
        calls: int | None = None,
        seconds: float | None = None,
        at: dict[float, Callable[[], None]] | None = None,
    ) -> "Simulation":
        """Run until `calls` requests are accepted or `seconds` are over. `at`: what to do when, in seconds from now."""
        run(self._main(calls, seconds, at or {}))
        return self

    async def _main(self, calls: int | None, seconds: float | None, at: dict[float, Callable[[], None]]) -> None:
        loop = asyncio.get_running_loop()
        self._calls = math.inf if calls is None else calls
        self.began = loop.time()
        chance = random.Random(self.seed)
        for moment, action in at.items():
            loop.call_later(moment, action)
        workers = []
        for _ in range(self.clients):
            client = Client(Limiter(self.concurrency, Stats()))
            self.members.append(client)
            for _ in range(self.tasks):
                workers.append(asyncio.create_task(self._work(client, chance)))
        await asyncio.wait(workers, timeout=seconds)
        self.ended = loop.time()
        for worker in workers:
            worker.cancel()
        for result in await asyncio.gather(*workers, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def _work(self, client: Client, chance: random.Random) -> None:
        while self._calls > 0:
            self._calls -= 1
            await self.call(client, WaitLimit(max_wait=1e6), chance)

    async def call_all(self, client: Client, calls: int) -> list[int]:
        """Make calls at the same time; return their numbers in the order in which they succeeded."""
        chance = random.Random(self.seed)
        finished: list[int] = []

        async def one(number: int) -> None:
            await self.call(client, WaitLimit(max_wait=1e6), chance)
            finished.append(number)

        await asyncio.gather(*map(one, range(calls)))
        return finished

    async def call(self, client: Client, wait_limit: WaitLimit, chance: random.Random) -> None:
        """Send a request until it is accepted."""
        while not await self.attempt(client, wait_limit, chance):
            pass

    async def attempt(self, client: Client, wait_limit: WaitLimit, chance: random.Random) -> bool:
        """Send one request; return whether it was accepted."""
        loop = asyncio.get_running_loop()
        permit = await client.limiter.acquire(wait_limit)
        client.in_flight += 1
        client.max_in_flight = max(client.max_in_flight, client.in_flight)
        client.sent_during_pause += client.limiter.is_paused
        client.sent.append(loop.time())
        ok = False
        try:
            half = self.latency * (1 + chance.uniform(-self.jitter, self.jitter)) / 2
            await asyncio.sleep(half)
            ok, state = self.server.take(loop.time())
            await asyncio.sleep(half)
            (client.accepted if ok else client.refused).append(loop.time())
            client.limiter.apply_rate_limit(state, permit, refused=not ok)
            client.rates.append((loop.time(), client.limiter.pace))
        finally:
            client.in_flight -= 1
            permit.release()
        return ok

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began

    @property
    def share(self) -> float:
        """The share of the server's quota that was used: ideal time / time."""
        return (len(self.server.accepted) - self.server.burst) / self.server.rate / self.seconds

    @property
    def refusals(self) -> float:
        """Refused requests for each accepted one."""
        return len(self.server.refused) / max(1, len(self.server.accepted))

    def share_between(self, start: float, end: float) -> float:
        """Return the share of the last rate that was used between two moments, in seconds from the start."""
        served = sum(start <= moment - self.began < end for moment in self.server.accepted)
        return served / (end - start) / self.server.rate

    def refusals_after(self, start: float) -> float:
        """Return the refused requests for each accepted one from a moment on, in seconds from the start."""
        accepted = sum(moment - self.began >= start for moment in self.server.accepted)
        return sum(moment - self.began >= start for moment in self.server.refused) / max(1, accepted)
