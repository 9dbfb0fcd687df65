"""The small parts of a harvest."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.core.retry import is_transient
from circleci_async.downloads.directory import Directory
from circleci_async.harvest import backpressure
from circleci_async.harvest.backpressure import Backpressure
from circleci_async.harvest.destination import folder
from circleci_async.harvest.destination.folder import FolderFiles
from circleci_async.harvest.destination.parts import Part
from circleci_async.harvest.outage import MAX_DOWNTIME, MIN_FAILING, OutageDetector, RetryDecision, is_fatal
from circleci_async.harvest.stop_signal import StopSignal
from tests.fastclock import fast_clock

POLICY = ca.RetryPolicy(initial_delay=1, max_delay=8, max_wait=60)
RESET = ca.TransportError("reset")


@pytest.fixture
def files(tmp_path: Path) -> Iterator[FolderFiles]:
    with closing(FolderFiles(tmp_path)) as folder:
        folder.parts.create()
        yield folder


def test_a_deleted_folder_is_created_again(files: FolderFiles) -> None:
    for id in (1, 2):
        files.place(files.parts.write(id, b"part"), f"a/b/{id}")
        if id == 1:
            shutil.rmtree(files.root / "a")
    assert list(files.finished()) == ["a/b/2"]
    with pytest.raises(FileNotFoundError):
        files.place(Part(3), "a/b/3")


def test_only_the_latest_folders_stay_open(files: FolderFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "MAX_OPEN_FOLDERS", 3)
    opened: list[str] = []
    open_folder = Directory.folder

    def note_and_open(self: Directory, name: str) -> Directory:
        opened.append(name)
        return open_folder(self, name)

    for id in range(5):
        files.place(files.parts.write(id, b"part"), f"{id}/a")
    monkeypatch.setattr(Directory, "folder", note_and_open)
    for id in (2, 3, 4, 1, 1, 2):
        assert files.size(f"{id}/a") == 4
    assert opened == ["1", "2"]
    assert sorted(files.finished()) == [f"{id}/a" for id in range(5)]


async def test_backpressure_pauses_discovery_while_much_is_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backpressure, "MAX_PENDING", 10)
    pending = Backpressure()
    changed = asyncio.create_task(pending.wait_for_change())
    pending.queued(0)
    await asyncio.sleep(0)
    assert not changed.done()
    pending.queued(10)
    await changed
    await pending.wait()
    pending.queued(1)
    waiting = asyncio.create_task(pending.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    pending.claimed(1)
    await waiting
    pending.queued(90)
    pending.claimed(0)  # the queue is empty, regardless of the count
    await pending.wait()
    pending.disable()
    pending.queued(1_000)
    await pending.wait()
    pending.expect_change()
    ended = asyncio.create_task(pending.wait_for_change())
    await asyncio.sleep(0)
    assert not ended.done()
    pending.discovery_ended()
    await ended


@pytest.mark.parametrize(
    ("error", "transient", "fatal"),
    [
        (RESET, True, False),
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
async def test_the_decision_after_one_failure(error: ca.CircleCIError, transient: bool, fatal: bool) -> None:
    assert is_transient(error) is transient
    assert is_fatal(error, POLICY) is fatal
    outage = OutageDetector(POLICY, StopSignal(), attempts=3, requests="request")
    expected = RetryDecision.STOP if fatal else RetryDecision.RETRY if transient else RetryDecision.GIVE_UP
    assert outage.failed("a", error, 0) is expected
    assert outage.failed("a", error, 1) is expected
    assert outage.failed("a", error, 2) is (RetryDecision.STOP if fatal else RetryDecision.GIVE_UP)


def test_an_expired_signature_is_transient() -> None:
    error = ca.PermissionDenied(403, "Request has expired")
    error.redirected = True
    assert is_transient(error)


@fast_clock
async def test_a_few_failing_items_use_up_their_attempts_and_many_are_an_outage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    outage = OutageDetector(POLICY, StopSignal(), attempts=2, requests="request")
    for _ in range(3):
        assert {outage.failed(item, RESET, 0) for item in range(MIN_FAILING - 1)} == {RetryDecision.RETRY}
    assert outage.failed("one more", RESET, 1) is RetryDecision.RETRY_AFTER_OUTAGE
    loop = asyncio.get_running_loop()
    began = loop.time()
    await outage.pause()
    assert 0.9 < loop.time() - began < 1.2
    outage.succeeded()
    assert outage.failed("another", RESET, 1) is RetryDecision.GIVE_UP
    await asyncio.wait_for(outage.pause(), 0.001)


@fast_clock
async def test_pauses_grow_during_an_outage_until_the_run_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    stop = StopSignal()
    outage = OutageDetector(POLICY, stop, attempts=2, requests="request")
    loop = asyncio.get_running_loop()
    began = loop.time()
    pauses = []
    while not stop.is_set:
        for item in range(MIN_FAILING):
            outage.failed(item, RESET, 0)
        before = loop.time()
        await outage.pause()
        pauses.append(round(loop.time() - before))
    assert pauses[:5] == [1, 2, 4, 8, 8]
    assert MAX_DOWNTIME < loop.time() - began < MAX_DOWNTIME + 30
    assert (stop.reason, stop.error) == ("no request succeeded for 5 minutes: reset", RESET)


async def test_stop_keeps_the_first_reason_unless_a_failure_follows() -> None:
    stop = StopSignal()
    assert not stop.is_set
    stop.request("enough")
    stop.request("more than enough")
    assert (stop.reason, stop.error, stop.is_set) == ("enough", None, True)
    await stop.requested()
    failure = ca.TransportError("down")
    stop.fail(failure, "it is down")
    stop.fail(ca.TransportError("still down"))
    await stop.failed()
    assert (stop.reason, stop.error) == ("it is down", failure)
