"""`as_completed`: many calls at once, each result with its key."""

import asyncio
import gc
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator
from contextlib import aclosing
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.core.paging import Page
from circleci_async.models import FlakyTestReport
from circleci_async.testing import FakeCircleCI, World
from tests.leftovers import check_nothing_is_left, tasks_of_the_package


@pytest.fixture(autouse=True)
def no_complaints(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Check that no coroutine is left without an await, and that asyncio logs nothing."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
    assert [record.getMessage() for record in caplog.get_records("call") if record.name == "asyncio"] == []


async def returns(value: object, *, after: asyncio.Event | None = None) -> object:
    if after is not None:
        await after.wait()
    return value


async def fails(error: BaseException) -> object:
    raise error


async def hangs(ended: "list[str] | None" = None, name: str = "") -> object:
    try:
        return await asyncio.Event().wait()
    finally:
        if ended is not None:
            ended.append(name)


def paged(*items: str) -> ca.Paged[str]:
    async def fetch(token: str | None) -> Page[str]:
        position = int(token or 0)
        return Page(items[position : position + 1], str(position + 1) if position + 1 < len(items) else None)

    return ca.Paged(fetch)


async def test_coroutines_tasks_futures_and_lists_are_awaited() -> None:
    future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    future.set_result("f")
    calls: dict[object, Any] = {
        "coroutine": returns("c"),
        ("task", 1): asyncio.create_task(fails(ca.CircleCIError("t"))),
        None: future,
        "list": paged("a", "b"),
        "gathered": asyncio.gather(returns(1), returns(2)),
    }
    found = {key: repr(result) async for key, result in ca.as_completed(calls)}
    assert found == {
        "coroutine": "'c'",
        ("task", 1): "CircleCIError('t')",
        None: "'f'",
        "list": "['a', 'b']",
        "gathered": "[1, 2]",
    }


async def test_results_are_yielded_as_they_complete() -> None:
    last = asyncio.Event()
    order: list[str] = []
    async for key, _ in ca.as_completed(
        {"slow": returns(1, after=last), "fast": returns(2), "none": fails(ca.CircleCIError())}
    ):
        order.append(key)
        if len(order) == 2:
            last.set()
    assert order == ["fast", "none", "slow"]


async def test_calls_start_only_when_one_before_has_ended() -> None:
    running = peak = 0

    async def call() -> None:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0)
        running -= 1

    assert len([key async for key, _ in ca.as_completed({n: call() for n in range(50)}, concurrency=4)]) == 50
    assert peak == 4


async def test_pairs_are_read_no_faster_than_calls_complete() -> None:
    read = 0

    def pairs() -> Iterator[tuple[int, Awaitable[object]]]:
        nonlocal read
        for read in range(1, 1001):
            yield read, returns(read)

    async with aclosing(ca.as_completed(pairs(), concurrency=2)) as results:
        await anext(results)
        for _ in range(50):
            await asyncio.sleep(0)
        assert read <= 6


async def test_pairs_can_arrive_asynchronously() -> None:
    async def pairs() -> AsyncIterator[tuple[str, ca.Paged[str]]]:
        for key in "ab":
            await asyncio.sleep(0)
            yield key, paged(key, key)

    assert {key: result async for key, result in ca.as_completed(pairs())} == {"a": ["a", "a"], "b": ["b", "b"]}


async def test_another_exception_is_raised_and_cancels_the_rest() -> None:
    ended: list[str] = []
    task = asyncio.create_task(hangs(ended, "task"))
    calls = {"a": hangs(ended, "a"), "bad": fails(KeyError("x")), "task": task, "never": hangs(ended, "never")}
    with pytest.raises(KeyError, match="x"):
        async for _ in ca.as_completed(calls, concurrency=2):
            pytest.fail("nothing has a result")
    assert (ended, task.cancelled()) == (["a"], True) or sorted(ended) == ["a", "task"]
    assert tasks_of_the_package() == []


async def test_an_error_that_is_not_an_exception_is_raised_at_once_and_cancels_the_rest() -> None:
    class Abort(BaseException):
        pass

    ended: list[str] = []
    async with asyncio.timeout(5):
        with pytest.raises(Abort):
            async for _ in ca.as_completed({"a": hangs(ended, "a"), "b": fails(Abort())}):
                pass
    assert ended == ["a"]


async def test_a_call_that_is_cancelled_elsewhere_ends_the_iteration() -> None:
    ended: list[str] = []
    task = asyncio.create_task(hangs())
    asyncio.get_running_loop().call_soon(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        async for _ in ca.as_completed({"a": hangs(ended, "a"), "b": task}, concurrency=2):
            pytest.fail("nothing has a result")
    assert ended == ["a"]
    current = asyncio.current_task()
    assert current is not None
    assert current.cancelling() == 0


@pytest.mark.parametrize("leave", ["break", "aclose", "error", "cancel"])
async def test_leaving_early_closes_what_has_not_started(leave: str) -> None:
    ended: list[str] = []
    waiting = asyncio.create_task(hangs(ended, "task"))
    await asyncio.sleep(0)
    calls = {"first": returns(1), **{str(n): hangs(ended, str(n)) for n in range(5)}, "task": waiting}

    async def consume() -> None:
        if leave == "aclose":
            async with aclosing(ca.as_completed(calls, concurrency=3)) as results:
                await anext(results)
            await results.aclose()
            return
        async for key, _ in ca.as_completed(calls, concurrency=3):
            assert key == "first"
            if leave == "break":
                return
            if leave == "error":
                raise LookupError
            if leave == "cancel":
                await hangs()

    consumer = asyncio.create_task(consume())
    await asyncio.sleep(0.01)
    consumer.cancel()
    await asyncio.wait([consumer])
    async with asyncio.timeout(5):
        while tasks_of_the_package() or not waiting.done():
            await asyncio.sleep(0)
    assert ended == ["0", "1", "2", "task"]
    assert [call.cr_frame for key, call in calls.items() if key != "task"] == [None] * 6  # type: ignore[attr-defined]


async def test_results_that_are_never_iterated_can_be_closed() -> None:
    ended: list[str] = []
    task = asyncio.create_task(hangs(ended, "task"))
    await asyncio.sleep(0)
    async with aclosing(ca.as_completed({"a": hangs(), "task": task})) as results:
        pass
    assert ended == ["task"]
    assert [entry async for entry in results] == []


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, True, None, "4"])
async def test_a_wrong_concurrency_is_refused_at_once_and_closes_the_coroutines(concurrency: Any) -> None:
    call = hangs()
    with pytest.raises(ca.InvalidArgument, match=f"concurrency must be a positive integer, got {concurrency!r}"):
        ca.as_completed({"a": call}, concurrency=concurrency)
    assert call.cr_frame is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"b": 5}, r"calls\['b'\] must be an awaitable or a list of the API \(`Paged`\), got 5"),
        ({"b": paged}, r"calls\['b'\] must be an awaitable.*got <function"),
        ([("b", 5)], r"calls\['b'\] must be an awaitable"),
        ([("b", 1, 2)], r"mapping of keys to awaitables, or pairs of the two; one item is \('b', 1, 2\)"),
        (["b"], "one item is 'b'"),
        ("gh/acme", "one item is 'g'"),
        (7, "calls must be a mapping of keys to awaitables, or pairs of the two, got 7"),
        (None, "calls must be .* got None"),
    ],
)
async def test_what_cannot_be_awaited_is_refused_at_once_and_closes_the_coroutines(wrong: Any, message: str) -> None:
    call = hangs()
    given = (
        {"a": call, **wrong} if isinstance(wrong, dict) else [("a", call), *wrong] if isinstance(wrong, list) else wrong
    )
    with pytest.raises(ca.InvalidArgument, match=message):
        ca.as_completed(given)
    call.close()


async def test_a_list_of_coroutines_without_keys_is_refused_and_closes_them() -> None:
    calls: Any = [hangs(), hangs()]
    with pytest.raises(ca.InvalidArgument, match="pairs of the two; one item is <coroutine object hangs"):
        ca.as_completed(calls)
    one: Any = hangs()
    with pytest.raises(ca.InvalidArgument, match="pairs of the two, got <coroutine object hangs"):
        ca.as_completed(one)


async def test_a_wrong_pair_that_is_read_later_is_raised_after_the_results_before_it() -> None:
    def pairs() -> Iterator[Any]:
        yield "a", returns(1)
        yield "b", returns(2), returns(3)

    async def later() -> AsyncGenerator[Any, None]:
        for pair in pairs():
            yield pair

    for given in (pairs(), later()):
        found: list[object] = []
        with pytest.raises(ca.InvalidArgument, match="one item is"):
            async for key, result in ca.as_completed(given, concurrency=1):
                found.append((key, result))
        assert found == [("a", 1)]


async def test_nothing_yields_nothing() -> None:
    nothing: dict[str, Awaitable[int]] = {}
    assert [entry async for entry in ca.as_completed(nothing)] == []


async def test_calls_of_a_client_and_their_errors() -> None:
    world = World.generate(seed=3, projects=3, pipelines=4)
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        slugs = [*world.projects, "gh/acme/gone", "acme"]
        found = {
            slug: result
            async for slug, result in ca.as_completed(
                {slug: circle.insights.flaky_tests(slug) for slug in slugs}, concurrency=2
            )
        }
        lists = ca.as_completed({slug: circle.pipelines.list(slug) for slug in world.projects})
        counts = {slug: len(result) async for slug, result in lists if not isinstance(result, ca.CircleCIError)}
        await check_nothing_is_left(circle)
    assert [type(found[slug]) for slug in slugs] == [FlakyTestReport] * 3 + [ca.NotFound, ca.InvalidArgument]
    assert counts == {slug: len(project.pipelines.all) for slug, project in world.projects.items()}
