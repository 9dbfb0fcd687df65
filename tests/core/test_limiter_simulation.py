"""The limiter against a simulated server: how much of the quota it uses, and what it never does."""

import asyncio
import random
from itertools import cycle, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circleci_async.core.limiter import Limiter, WaitLimit
from circleci_async.core.stats import Stats
from tests.core.simulation import Client, RetryAfter, Server, Simulation, run

RETRY_AFTER: tuple[RetryAfter, ...] = ("whole", "fractional", None)


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize(
    ("server", "calls", "tasks", "clients", "least_share", "most_refusals"),
    [
        pytest.param(Server(50, 50), 450, 64, 1, 0.85, 0.12, id="burst equals rate"),
        pytest.param(Server(50, 50, headers=True), 450, 64, 1, 0.90, 0.05, id="burst equals rate, headers"),
        pytest.param(Server(20, 5), 300, 32, 1, 0.75, 0.10, id="small burst"),
        pytest.param(Server(20, 5, headers=True), 300, 32, 1, 0.90, 0.05, id="small burst, headers"),
        pytest.param(Server(25, 1), 300, 16, 1, 0.65, 0.10, id="burst of one"),
        pytest.param(Server(50, 20, None), 600, 32, 1, 0.85, 0.10, id="no headers"),
        pytest.param(Server(10, 100, headers=True), 200, 64, 1, 0.90, 0.05, id="large burst, headers"),
        pytest.param(Server(40, 20), 600, 16, 2, 0.70, 0.15, id="two clients"),
    ],
)
def test_the_goals_are_reached(
    server: Server, calls: int, tasks: int, clients: int, least_share: float, most_refusals: float
) -> None:
    simulation = Simulation(server, clients=clients, tasks=tasks).run(calls=calls)
    assert simulation.share >= least_share
    assert simulation.refusals <= most_refusals


@pytest.mark.parametrize(
    ("rate", "burst", "latency", "retry_after"),
    [
        (*shape, retry_after)
        for shape, retry_after in zip(
            product((1, 5, 25, 200), (1, 5, 25, 200), (0.005, 0.1, 2.0)), cycle(RETRY_AFTER), strict=False
        )
    ],
)
def test_it_converges_to_the_rate(rate: float, burst: int, latency: float, retry_after: RetryAfter) -> None:
    seconds = 90 if rate == 1 else 30 if latency < 1 else 50
    simulation = Simulation(Server(rate, burst, retry_after), tasks=500, concurrency=500, latency=latency, jitter=0.002)
    simulation.run(seconds=1.5 * seconds)
    assert simulation.share_between(seconds, 1.5 * seconds) >= (0.4 if burst == 1 else 0.65)
    assert simulation.refusals_after(seconds) <= 0.2


@pytest.mark.parametrize("burst", [3, 20, 200])
@pytest.mark.parametrize("latency", [0.005, 0.1, 2.0])
def test_headers_prevent_nearly_all_refusals(burst: int, latency: float) -> None:
    simulation = Simulation(Server(20, burst, headers=True), tasks=64, concurrency=64, latency=latency, jitter=0.002)
    simulation.run(seconds=60)
    assert simulation.share_between(30, 60) >= 0.8
    assert simulation.refusals <= 0.05


@pytest.mark.parametrize("burst", [5, 50])
@pytest.mark.parametrize(("before", "after"), [(20, 80), (80, 20), (5, 20), (20, 5), (200, 50)])
@pytest.mark.parametrize("retry_after", ["whole", None])
def test_it_follows_a_limit_that_changes_by_a_factor_of_four(
    before: float, after: float, burst: int, retry_after: RetryAfter
) -> None:
    server = Server(before, burst, retry_after)
    simulation = Simulation(server, tasks=64, concurrency=64)
    simulation.run(seconds=90, at={30: lambda: server.change_rate(after, now())})
    assert simulation.share_between(60, 90) >= 0.85
    assert simulation.refusals_after(30) <= 0.12


@pytest.mark.parametrize("clients", [1, 2, 3, 5, 8])
def test_clients_that_share_a_quota_converge_to_fair_shares(clients: int) -> None:
    simulation = Simulation(Server(40, 20), clients=clients, tasks=16, concurrency=16).run(seconds=180)
    assert simulation.share >= 0.9
    assert simulation.refusals <= 0.06
    served = [len(client.accepted) for client in simulation.members]
    fairness = sum(served) ** 2 / (clients * sum(number**2 for number in served))  # Jain's index, 1 / clients at worst
    assert fairness >= 0.75
    assert min(served) >= 0.2 * sum(served) / clients


def test_the_estimate_is_the_rate() -> None:
    simulation = Simulation(Server(20, 5)).run(seconds=20)
    assert simulation.members[0].limiter.rate == pytest.approx(20, rel=0.05)


def test_nothing_is_paced_below_the_limit() -> None:
    simulation = Simulation(Server(10_000, 10_000), tasks=32).run(seconds=5)
    assert simulation.members[0].limiter.rate is None
    assert len(simulation.server.accepted) == pytest.approx(5 * 32 / 0.02, rel=0.1)


def test_an_idle_client_may_use_the_burst_again() -> None:
    server = Server(20, 20)
    simulation = Simulation(server, tasks=32)

    async def work() -> float:
        client = Client(Limiter(32, Stats()))
        await simulation.call_all(client, 300)
        await asyncio.sleep(60)
        began = now()
        await simulation.call_all(client, 12)
        return now() - began

    assert run(work()) < 0.5


def test_500_waiting_tasks_are_served_in_order() -> None:
    simulation = Simulation(Server(50, 10), jitter=0.0)

    async def work() -> list[int]:
        client = Client(Limiter(16, Stats()))
        return await simulation.call_all(client, 500)

    finished = run(work())
    assert len(finished) == 500
    assert sum(abs(position - number) for position, number in enumerate(finished)) / 500 < 5, (
        "only refusals delay a call"
    )


@settings(max_examples=60, deadline=None)
@given(
    rate=st.floats(1, 200),
    burst=st.integers(1, 200),
    retry_after=st.sampled_from(RETRY_AFTER),
    headers=st.booleans(),
    concurrency=st.integers(1, 40),
    latency=st.sampled_from([0.0, 0.005, 0.1, 2.0]),
    calls=st.integers(1, 80),
    seed=st.integers(0, 1000),
)
def test_invariants(
    rate: float,
    burst: int,
    retry_after: RetryAfter,
    headers: bool,
    concurrency: int,
    latency: float,
    calls: int,
    seed: int,
) -> None:
    """Never more than `concurrency` in flight, nothing sent during a pause, every waiter served or cancelled."""
    simulation = Simulation(Server(rate, burst, retry_after, headers), latency=latency, seed=seed)
    chance = random.Random(seed)

    async def work() -> tuple[Client, Stats, int, int]:
        stats = Stats()
        client = Client(Limiter(concurrency, stats))
        tasks = [asyncio.create_task(simulation.call(client, WaitLimit(max_wait=1e6), chance)) for _ in range(calls)]
        doomed = [task for task in tasks if chance.random() < 0.3]
        for task in doomed:
            asyncio.get_running_loop().call_later(chance.uniform(0, 2), task.cancel)
        await asyncio.wait(tasks, timeout=3600)
        assert all(task.done() for task in tasks)
        assert all(task in doomed for task in tasks if task.cancelled())
        assert not [task for task in tasks if not task.cancelled() and task.exception()]
        return client, stats, len(tasks), sum(task.cancelled() for task in tasks)

    client, stats, total, cancelled = run(work())
    assert client.max_in_flight <= concurrency
    assert client.sent_during_pause == 0
    assert len(client.accepted) >= total - cancelled
    assert (client.in_flight, stats.in_flight, stats.waiting, client.limiter._control.in_flight) == (0, 0, 0, 0)
