"""Workers, schedulers and callers that die, hang or do not fit."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.harvest.workers import cluster as cluster_module
from circleci_async.harvest.workers import pool
from circleci_async.testing import FakeCircleCI, Fault
from circleci_async.testing.server.exchange import Request
from tests.harvest.harvests import QUICK, all_artifacts, harvest, small_world, states, tree, usual_tree
from tests.leftovers import check_nothing_in_use

from .clusters import Cluster
from .conftest import NewCluster, connected


class Trigger:
    """An event after a number of requests for artifacts."""

    def __init__(self, after: int, path: str = "") -> None:
        self.reached = asyncio.Event()
        self._after = after
        self._path = path

    def __call__(self, request: Request) -> None:
        if request.origin == "storage" and request.path.endswith(self._path):
            self._after -= 1
            if self._after <= 0:
                self.reached.set()


async def test_a_worker_is_killed(new_cluster: NewCluster, into: Path) -> None:
    cluster, world = new_cluster(), small_world(artifacts=20)
    trigger = Trigger(30)
    async with FakeCircleCI(world, on_request=trigger, latency=0.01) as fake, connected(cluster.address) as workers:
        running = asyncio.create_task(harvest(fake, into, workers=workers))
        await trigger.reached.wait()
        cluster.kill(cluster.workers[0])
        report = await running
    assert (len(report.files), report.is_complete) == (120, True)
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_only_the_file_fails_whose_workers_die(new_cluster: NewCluster, into: Path) -> None:
    cluster, world = new_cluster(workers=1, threads=1), small_world(pipelines=1, jobs=1, artifacts=4)

    starting = asyncio.Lock()  # the first request of a new worker can come before its id is known

    async def kill(request: Request) -> None:
        if request.origin == "storage" and request.path.endswith("/2.txt"):
            async with starting:
                cluster.kill(cluster.workers[-1])
                await asyncio.to_thread(cluster.add_worker, threads=1)

    async with FakeCircleCI(world, on_request=kill) as fake, connected(cluster.address) as workers:
        report = await harvest(fake, into, workers=workers)
        assert [each.name for each in report.failed] == ["logs/2.txt"]
        assert report.failed[0].error.startswith("the Dask workers that downloaded it died (the last one was tcp://")
        assert (len(report.files), report.error) == (3, None)
    async with FakeCircleCI(world) as fake, connected(cluster.address) as workers:
        report = await harvest(fake, into, workers=workers)
        assert (len(report.files), report.is_complete) == (1, True)
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_the_caller_is_killed(shared_cluster: Cluster, client: Any, into: Path) -> None:
    world = small_world(artifacts=20)
    trigger, killed = Trigger(60), asyncio.Event()

    async def hold(request: Request) -> None:
        trigger(request)
        if trigger.reached.is_set() and request.origin == "storage":
            await killed.wait()

    async with FakeCircleCI(world, on_request=hold) as fake:
        caller = await asyncio.to_thread(shared_cluster.start_harvest, fake.url, fake.artifact_host, into)
        await trigger.reached.wait()
        while not states(into).get("done"):  # of the batches of which no request is held
            await asyncio.sleep(0.01)
        shared_cluster.kill(caller)
        killed.set()
        report = await harvest(fake, into, workers=client)
        assert report.is_complete
        assert len(report.files) < 120
        again = await harvest(fake, into, workers=client)
        assert (len(again.files), len(again.skipped)) == (0, 120)
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_the_scheduler_is_killed(new_cluster: NewCluster, client: Any, into: Path) -> None:
    cluster, world = new_cluster(), small_world(artifacts=20)
    trigger = Trigger(30)
    async with FakeCircleCI(world, on_request=trigger, latency=0.01) as fake:
        async with connected(cluster.address) as workers:
            running = asyncio.create_task(harvest(fake, into, workers=workers))
            await trigger.reached.wait()
            cluster.kill(cluster.scheduler)
            report = await running
        assert isinstance(report.error, ca.WorkersError)
        assert str(report.error).startswith(f"the Dask scheduler {cluster.address} was lost: ")
        assert report.error.hint == "Run the same command again: it continues."
        assert report.stopped == str(report.error)
        assert list(report.failed) == []
        done = len(report.files)
        report = await harvest(fake, into, workers=client)
    assert (len(report.files), report.is_complete) == (120 - done, True)
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_a_cancelled_harvest_cancels_its_tasks(client: Any, into: Path) -> None:
    world = small_world(artifacts=20)
    trigger = Trigger(10)
    delays = True

    def delay(request: Request) -> Fault | None:
        trigger(request)
        return Fault(delay=60.0) if delays and trigger.reached.is_set() and request.origin == "storage" else None

    async with FakeCircleCI(world, on_request=delay) as fake:
        async with fake.client(retry=QUICK) as circle:
            running = asyncio.create_task(circle.harvest("gh/acme/api", into, workers=client))
            await trigger.reached.wait()
            while not await tasks(client):
                await asyncio.sleep(0.01)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            check_nothing_in_use(circle)
        while await tasks(client):
            await asyncio.sleep(0.01)
        while await executing(client):  # a worker stops the batch that runs
            await asyncio.sleep(0.01)
        (await ca.verify_harvest(into)).raise_for_differences()
        delays = False
        assert (await harvest(fake, into, workers=client)).is_complete
    assert tree(into) == usual_tree(all_artifacts(world))


async def cancel_a_wait(workers: Any, waiting: "asyncio.Task[Any]") -> None:
    """Cancel a task that waits for results, before the client begins to receive them."""
    receiving = workers._gather_semaphore
    count = 0
    while not receiving.locked():
        await receiving.acquire()
        count += 1
    while workers._gather_future is None:
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    for _ in range(count):
        receiving.release()


async def test_the_client_can_be_used_after_a_cancelled_harvest(client: Any, into: Path) -> None:
    world = small_world(pipelines=1)
    async with FakeCircleCI(world) as fake:
        async with fake.client(retry=QUICK) as circle:
            running = asyncio.create_task(circle.harvest("gh/acme/api", into, workers=client))
            await cancel_a_wait(client, running)
            check_nothing_in_use(circle)
        assert (await harvest(fake, into, workers=client)).is_complete
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_a_client_that_cancels_all_who_wait(shared_cluster: Cluster, into: Path) -> None:
    async with connected(shared_cluster.address) as workers, FakeCircleCI(small_world(pipelines=1)) as fake:
        future = workers.submit(abs, -1, pure=False)
        await cancel_a_wait(workers, asyncio.create_task(future.result()))
        report = await harvest(fake, into, workers=workers)
    assert isinstance(report.error, ca.WorkersError)
    assert report.stopped == "the Dask client cancels every wait for a result: create a new client"
    assert list(report.failed) == []


async def tasks(workers: Any) -> list[str]:
    """Return the tasks that the scheduler knows."""
    return list(await workers.run_on_scheduler(lambda dask_scheduler: [str(key) for key in dask_scheduler.tasks]))


async def executing(workers: Any) -> int:
    """Return how many tasks the workers run."""
    counts = await workers.run(lambda dask_worker: len(dask_worker.active_threads))
    return sum(counts.values())


async def test_cancelling_while_the_scheduler_hangs(new_cluster: NewCluster, into: Path) -> None:
    cluster = new_cluster()
    trigger = Trigger(10)
    async with FakeCircleCI(small_world(), on_request=trigger, latency=0.01) as fake:
        async with connected(cluster.address) as workers, fake.client(retry=QUICK) as circle:
            running = asyncio.create_task(circle.harvest("gh/acme/api", into, workers=workers))
            await trigger.reached.wait()
            os.kill(cluster.scheduler, signal.SIGSTOP)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            check_nothing_in_use(circle)
            os.kill(cluster.scheduler, signal.SIGCONT)
        (await ca.verify_harvest(into)).raise_for_differences()


async def test_there_are_no_workers(new_cluster: NewCluster, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "WORKER_TIMEOUT", 0.05)
    monkeypatch.setattr(pool, "POLL_INTERVAL", 0.01)
    async with FakeCircleCI(small_world()) as fake, connected(new_cluster(workers=0).address) as workers:
        report = await harvest(fake, into, workers=workers)
    assert str(report.error) == report.stopped == "the Dask cluster has had no worker for 0.05 s"
    assert report.error is not None
    assert report.error.hint is not None
    assert "dask worker tcp://SCHEDULER:8786" in report.error.hint
    assert states(into) == {"found": 24}  # the caller discovers alone


async def test_a_worker_that_joins_gets_work(
    new_cluster: NewCluster, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "POLL_INTERVAL", 0.01)
    cluster, world = new_cluster(workers=0), small_world(pipelines=1)
    async with FakeCircleCI(world) as fake, connected(cluster.address) as workers:
        running = asyncio.create_task(harvest(fake, into, workers=workers))
        await asyncio.to_thread(cluster.add_worker)
        report = await running
    assert (len(report.files), report.is_complete) == (8, True)


async def test_a_worker_that_dies_while_it_joins(
    new_cluster: NewCluster, into: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pool, "POLL_INTERVAL", 0.01)
    cluster, world = new_cluster(workers=1), small_world(pipelines=1)
    os.kill(cluster.workers[0], signal.SIGSTOP)
    async with FakeCircleCI(world) as fake, connected(cluster.address) as workers:
        with monkeypatch.context() as patch:
            patch.setattr(cluster_module, "ANSWER_TIMEOUT", 0.1)
            running = asyncio.create_task(harvest(fake, into, workers=workers))
            while "harvest: waiting for Dask workers: there are none" not in caplog.messages:
                await asyncio.sleep(0.01)
        cluster.kill(cluster.workers[0])
        await asyncio.to_thread(cluster.add_worker)
        report = await running
    assert (len(report.files), report.is_complete, report.error) == (8, True, None)


async def test_a_worker_of_another_version(new_cluster: NewCluster, into: Path) -> None:
    cluster = new_cluster(workers=0)
    _, address = cluster.add_worker(version="9.9.9")
    async with FakeCircleCI(small_world()) as fake, connected(cluster.address) as workers:
        report = await harvest(fake, into, workers=workers)
    assert isinstance(report.error, ca.WorkersError)
    assert str(report.error) == (
        f"the Dask worker {address} has circleci-async 9.9.9, and this process has {ca.__version__}: install"
        f" circleci-async=={ca.__version__} there"
    )
    assert (len(report.files), list(report.failed)) == (0, [])


async def test_a_worker_without_this_package(new_cluster: NewCluster, into: Path) -> None:
    cluster = new_cluster(workers=0)
    _, address = cluster.add_worker(is_missing=True)
    async with FakeCircleCI(small_world()) as fake, connected(cluster.address) as workers:
        report = await harvest(fake, into, workers=workers)
    assert isinstance(report.error, ca.WorkersError)
    text = f"the Dask worker {address} does not have circleci-async: install circleci-async=={ca.__version__} there"
    assert str(report.error) == text
