"""The small parts that a harvest is made of."""

import asyncio
import shutil
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.core.retry import is_transient
from circleci_async.core.uninterrupted import uninterrupted
from circleci_async.harvest import backlog, outage, tree
from circleci_async.harvest.backlog import Backlog
from circleci_async.harvest.outage import ENOUGH, LONGEST, Outage, ends_all
from circleci_async.harvest.stop import Stop
from circleci_async.harvest.tree import Tree
from tests.fastclock import fast_clock

POLICY = ca.RetryPolicy(initial_delay=1, max_delay=8, max_wait=60)


def new_part(files: Tree, number: int) -> None:
    Path(files.part(number)).write_bytes(b"part")


def test_a_folder_that_somebody_takes_away_is_made_again(tmp_path: Path) -> None:
    files = Tree(tmp_path)
    files.make()
    for number in (1, 2):
        new_part(files, number)
        files.settle(number, f"a/b/{number}")
        if number == 1:
            shutil.rmtree(tmp_path / "a")
    assert list(files.files()) == ["a/b/2"]
    with pytest.raises(FileNotFoundError):
        files.settle(3, "a/b/3")


def test_not_all_folders_are_kept_in_mind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "_FOLDERS_KEPT", 3)
    files = Tree(tmp_path)
    files.make()
    for number in range(10):
        new_part(files, number)
        files.settle(number, f"{number}/a")
        new_part(files, number)
        files.settle(number, f"{number}/b")
    assert len(files._known) == 3
    assert len(list(files.files())) == 20


async def test_finding_waits_when_it_is_far_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "MOST", 10)
    ahead = Backlog()
    ahead.add(0)
    assert not ahead.news.is_set()
    ahead.add(10)
    assert ahead.news.is_set()
    await ahead.room()
    ahead.add(1)
    waiting = asyncio.create_task(ahead.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    ahead.take(1)
    await waiting
    ahead.add(90)
    ahead.take(0)  # nothing is left, whatever was counted
    await ahead.room()
    ahead.lift()
    ahead.add(1_000)
    await ahead.room()


@pytest.mark.parametrize(
    ("error", "passing", "final"),
    [
        (ca.TransportError("reset"), True, False),
        (ca.RequestTimeout("late"), True, False),
        (ca.DownloadInterrupted("cut"), True, False),
        (ca.ServerError(503, "down"), True, False),
        (ca.RateLimited(429, "slow down", retry_after=60), True, False),
        (ca.RateLimited(429, "slow down", retry_after=61), True, True),
        (ca.DecodeError(("broken",)), True, False),
        (ca.NotFound(404, "gone"), False, False),
        (ca.PermissionDenied(403, "no"), False, False),
        (ca.DownloadError("no address"), False, False),
        (ca.AuthenticationError(401, "who?"), False, True),
        (ca.ConfigurationError("closed"), False, True),
    ],
)
def test_what_may_pass_and_what_ends_all(error: ca.CircleCIError, passing: bool, final: bool) -> None:
    assert is_transient(error) is passing
    assert ends_all(error, POLICY) is final


def test_an_expired_signature_may_pass() -> None:
    error = ca.PermissionDenied(403, "Request has expired")
    error.redirected = True
    assert is_transient(error)


@fast_clock
async def test_a_few_that_fail_are_to_blame_themselves_and_many_are_an_outage() -> None:
    watch = Outage(POLICY)
    for _ in range(3):
        assert not any(watch.failed(number) for number in range(ENOUGH - 1))
    assert watch.failed("one more")
    loop = asyncio.get_running_loop()
    began = loop.time()
    await watch.pause()
    assert 0.9 < loop.time() - began < 2.2
    watch.answered()
    assert not watch.failed("another")
    await asyncio.wait_for(watch.pause(), 0.001)
    assert not watch.is_hopeless


@fast_clock
async def test_an_outage_is_asked_about_more_and_more_seldom_and_not_for_ever() -> None:
    watch = Outage(POLICY)
    loop = asyncio.get_running_loop()
    began = loop.time()
    pauses = []
    while not watch.is_hopeless:
        for number in range(ENOUGH):
            watch.failed(number)
        before = loop.time()
        await watch.pause()
        pauses.append(loop.time() - before)
    assert LONGEST < loop.time() - began < LONGEST + 10
    assert pauses[-1] > 3.9
    assert len(pauses) < 100
    assert outage.ENOUGH == ENOUGH


async def test_stop_tells_the_first_reason_and_failures_count_more() -> None:
    stop = Stop()
    stop.ask("enough")
    stop.ask("more than enough")
    assert (stop.reason, stop.error) == ("enough", None)
    await stop.asked()
    failure = ca.TransportError("down")
    stop.fail("it is down", failure)
    stop.fail("it is still down", ca.TransportError("still down"))
    await stop.failed()
    assert (stop.reason, stop.error) == ("it is down", failure)


async def test_what_must_not_be_left_alone_is_waited_for_although_cancelled() -> None:
    work: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(uninterrupted(work))
    for _ in range(5):
        await asyncio.sleep(0)
        waiting.cancel()
    assert not waiting.done()
    work.set_result(7)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await uninterrupted(work) == 7
