"""The events of a harvest, and `on_progress` functions that are slow or fail."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.harvest import notifier, progress
from circleci_async.harvest.notifier import Notifier
from circleci_async.testing import FakeCircleCI, World
from tests.harvest.harvests import all_artifacts, harvest, small_world, tree, usual_place, usual_tree


def of(kind: type[Any], events: list[ca.HarvestEvent]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send the numbers often, and wait only briefly for `on_progress` at the end."""
    monkeypatch.setattr(progress, "PROGRESS_INTERVAL", 0.01)
    monkeypatch.setattr(notifier, "CLOSE_TIMEOUT", 0.2)


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("is_async", [True, False])
async def test_all_events_are_sent(is_async: bool, into: Path) -> None:
    events: list[ca.HarvestEvent] = []
    threads: set[str] = set()

    def listen(event: ca.HarvestEvent) -> None:
        events.append(event)
        threads.add(threading.current_thread().name)

    async def listen_async(event: ca.HarvestEvent) -> None:
        await asyncio.sleep(0)
        listen(event)

    world = small_world(pipelines=2)
    bad, *good = all_artifacts(world)
    async with FakeCircleCI(world) as fake:
        fake.fail(bad.location, status=500, times=None)
        fake.fail("*/pipeline", origin="api", after=1, status=500, times=None)
        report = await harvest(
            fake,
            into,
            projects=["gh/acme/api", "gh/acme/nothing"],
            attempts=2,
            on_progress=listen_async if is_async else listen,
        )
    assert threads == {"MainThread" if is_async else "harvest-progress"}
    listed = {event.number: event for event in of(ca.JobListed, events)}
    assert listed[1] == ca.JobListed(
        project="gh/acme/api", pipeline=1, workflow="build", job="test-0", number=1, discovered=4, skipped=0
    )
    assert len(listed) == 4
    done = {(event.job, event.path): event for event in of(ca.FileDone, events)}
    assert {event.target for event in done.values()} == {usual_place(each) for each in good}
    assert {event.size for event in done.values()} == {3_000}
    advanced = {(event.job, event.path): event for event in of(ca.FileAdvanced, events)}
    assert done.keys() == advanced.keys()
    assert {(event.received, event.size) for event in advanced.values()} == {(3_000, 3_000)}
    for key, event in done.items():
        assert events.index(advanced[key]) < events.index(event)
    assert [(event.path, event.is_final) for event in of(ca.FileFailed, events)] == [
        (bad.path, False),
        (bad.path, True),
    ]
    assert {type(event.error) for event in of(ca.FileFailed, events)} == {ca.ServerError}
    [unlisted] = of(ca.ListingFailed, events)
    assert (unlisted.kind, unlisted.project) == ("pipelines", "gh/acme/nothing")
    last = events[-1]
    assert isinstance(last, ca.HarvestProgress)
    assert (last.discovered, last.done, last.skipped, last.failed) == (16, 15, 0, 2)
    assert (last.bytes, len(report.files), len(report.failed)) == (15 * 3_000, 15, 2)
    assert last.received > last.bytes
    assert not last.is_discovering
    assert last.seconds > 0


@pytest.mark.usefixtures("often")
async def test_progress_contains_speed_and_remaining_time(into: Path) -> None:
    world = World()
    job = world.project("gh/acme/api").pipeline().workflow("build").job("test")
    for number in range(60):
        job.artifact(f"{number}", size=10_000)
    events: list[ca.HarvestEvent] = []

    async def listen(event: ca.HarvestEvent) -> None:
        events.append(event)

    async with FakeCircleCI(world, latency=0.01, page_size=10) as fake:
        await harvest(fake, into, concurrency=4, on_progress=listen)
        again: list[ca.HarvestEvent] = []
        await harvest(fake, into, on_progress=again.append)
    numbers = of(ca.HarvestProgress, events)
    assert len(numbers) > 5
    assert numbers[0].is_discovering
    assert numbers[0].seconds_left is None
    moving = [each for each in numbers if each.seconds_left is not None and each.done < 60]
    assert moving
    assert all(0 < each.seconds_left < 10 and each.speed > 10_000 for each in moving)
    assert [each.done for each in numbers] == sorted(each.done for each in numbers)
    [last] = of(ca.HarvestProgress, again)[-1:]
    assert (last.discovered, last.skipped, last.done, last.speed) == (60, 60, 0, last.speed)
    [listed] = of(ca.JobListed, again)
    assert (listed.discovered, listed.skipped) == (0, 60)


def slow_thread(event: ca.HarvestEvent) -> None:
    time.sleep(0.3)


async def slow_task(event: ca.HarvestEvent) -> None:
    await asyncio.sleep(0.3)


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("listen", [slow_thread, slow_task, partial(slow_task)])
async def test_a_slow_on_progress_does_not_delay_the_harvest(listen: Callable[[Any], Any], into: Path) -> None:
    world = small_world()
    async with FakeCircleCI(world) as fake:
        began = time.monotonic()
        report = await harvest(fake, into, on_progress=listen)
        assert time.monotonic() - began < 24 * 0.3  # the calls for its files take longer
    assert len(report.files) == 24


@pytest.mark.usefixtures("often")
async def test_an_on_progress_that_never_returns_is_abandoned(into: Path, caplog: pytest.LogCaptureFixture) -> None:
    free = threading.Event()
    async with FakeCircleCI(small_world()) as fake:
        report = await harvest(fake, into, on_progress=lambda event: free.wait())
    free.set()
    assert len(report.files) == 24
    assert "on_progress is too slow: the harvest ended before it received all events" in caplog.text


class Listener:
    """A callable object with an async `__call__`."""

    async def __call__(self, event: ca.HarvestEvent) -> None:
        raise ZeroDivisionError("in a method")


def failing(event: ca.HarvestEvent) -> None:
    raise ZeroDivisionError("in a thread")


async def failing_task(event: ca.HarvestEvent) -> None:
    raise ZeroDivisionError("in a task")


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize(
    ("listen", "message"),
    [
        (failing, "in a thread"),
        (failing_task, "in a task"),
        (Listener(), "in a method"),
        (lambda event: failing_task(event), "pass the async function itself"),  # noqa: PLW0108  # that is the point
    ],
)
async def test_errors_of_on_progress_are_logged_once(
    listen: Any, message: str, into: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = small_world()
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, on_progress=listen)
    report.raise_for_failures()
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "on_progress failed; the harvest continues" in record.getMessage()
    assert record.exc_info is not None
    assert message in str(record.exc_info[1])
    assert tree(into) == usual_tree(all_artifacts(world))


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_slow_on_progress_misses_events_but_not_the_numbers(
    is_async: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier, "CLOSE_TIMEOUT", 60.0)
    events: list[ca.HarvestEvent] = []
    free = threading.Event()

    def listen(event: ca.HarvestEvent) -> None:
        events.append(event)
        free.wait()

    async def listen_async(event: ca.HarvestEvent) -> None:
        events.append(event)
        await asyncio.to_thread(free.wait)

    slow_notifier = Notifier(listen_async if is_async else listen)
    numbers: Any = ca.HarvestProgress
    for number in range(10_000):
        slow_notifier.notify(ca.Throttled(seconds=number))
        slow_notifier.notify(ca.FileAdvanced(project="p", job=1, node=0, path=f"{number}", received=1, size=2))
        zeros = dict.fromkeys(("done", "skipped", "failed", "bytes", "received", "seconds", "speed", "paused"), 0)
        slow_notifier.notify(numbers(discovered=number, seconds_left=None, is_discovering=True, **zeros))
    await asyncio.sleep(0.01)
    free.set()
    await slow_notifier.close()
    assert len(events) < 3 * notifier.MAX_PENDING_EVENTS
    assert of(ca.HarvestProgress, events)[-1].discovered == 9_999
    assert of(ca.Throttled, events)[0].seconds == 0


async def test_on_progress_is_cancelled_with_the_harvest(into: Path) -> None:
    called = asyncio.Event()

    async def listen(event: ca.HarvestEvent) -> None:
        called.set()

    async with FakeCircleCI(small_world(), latency=0.01) as fake, fake.client() as circle:
        task = asyncio.create_task(circle.harvest("gh/acme/api", into, on_progress=listen))
        await called.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
