"""`on_file`: awaited once for each placed file, and again only if a call did not return."""

import asyncio
import logging
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.testing import FakeCircleCI, World
from tests.harvest.harvests import (
    QUICK,
    all_artifacts,
    fill,
    harvest,
    rows,
    small_world,
    tree,
    usual_place,
    usual_tree,
)
from tests.harvest.snapshots import Snapshots


class Calls:
    """An `on_file` that checks each file and notes it."""

    def __init__(self, into: Path) -> None:
        self.into = into
        self.files: list[ca.HarvestedFile] = []
        self.failing: set[str] = set()

    async def __call__(self, file: ca.HarvestedFile) -> None:
        assert file.path.stat().st_size == file.size
        await asyncio.sleep(0)
        name = file.path.relative_to(self.into).as_posix()
        if name in self.failing:
            raise OSError(f"no index for {file.artifact}")
        self.files.append(file)

    def take(self) -> list[str]:
        """Return the files of the calls since the last time."""
        names = sorted(file.path.relative_to(self.into).as_posix() for file in self.files)
        self.files.clear()
        return names


async def test_each_placed_file_is_passed_once(into: Path) -> None:
    world = small_world(pipelines=4, jobs=3)
    calls = Calls(into)
    async with FakeCircleCI(world, page_size=2) as fake:
        report = await harvest(fake, into, on_file=calls, concurrency=3)
        assert sorted(calls.files, key=lambda file: file.path) == sorted(report.files, key=lambda file: file.path)
        assert calls.take() == sorted(usual_tree(all_artifacts(world)))
        await harvest(fake, into, on_file=calls)
        assert calls.take() == []
        changed = usual_place(all_artifacts(world)[3])
        (into / changed).unlink()
        await harvest(fake, into, on_file=calls)
    assert calls.take() == [changed]
    assert rows(into, "SELECT * FROM calls") == []


async def test_files_are_passed_with_the_fields_of_their_pipeline(into: Path) -> None:
    world = World()
    created = datetime(2026, 11, 20, 23, 59, 58, 123000, tzinfo=UTC)
    project = world.project("gh/acme/api")
    tagged = project.pipeline(tag="v1.0", created_at=created, revision="a" * 40)
    fill(tagged.workflow("build").job("test"), 1)
    branch = project.pipeline(branch="feature/x", created_at=created)
    fill(branch.workflow("build").job("test"), 1)
    calls = Calls(into)
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, on_file=calls)
        first, second = sorted(calls.files, key=lambda file: file.pipeline)
        assert (first.branch, first.tag, first.revision) == (None, "v1.0", "a" * 40)
        assert (second.branch, second.tag, second.revision) == ("feature/x", None, branch.revision)
        assert (first.pipeline_id, second.pipeline_id) == (tagged.id, branch.id)
        assert first.created_at == second.created_at == created
        assert sorted(report.files, key=lambda file: file.pipeline) == [first, second]
        again = await harvest(fake, into)
    assert sorted(again.skipped, key=lambda file: file.pipeline) == [first, second]


async def test_a_failed_call_is_a_failure_and_repeated_by_the_next_run(
    into: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = small_world(pipelines=2)
    calls = Calls(into)
    places = sorted(usual_tree(all_artifacts(world)))
    calls.failing = {places[0], places[5]}
    events: list[ca.HarvestEvent] = []

    async def note(event: ca.HarvestEvent) -> None:
        events.append(event)

    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, on_file=calls, on_progress=note)
        assert calls.take() == [*places[1:5], *places[6:]]
        assert (len(report.files), report.is_complete, report.stopped) == (16, False, None)
        assert {str(failure) for failure in report.failed} == {
            f"on_file of gh/acme/api job {each.job.number}: {each.path}: no index for {each.path}"
            for each in all_artifacts(world)
            if usual_place(each) in calls.failing
        }
        assert {failure.kind for failure in report.failed} == {"on_file"}
        with pytest.raises(ca.DownloadError, match="2 of 18 failed"):
            report.raise_for_failures()
        assert tree(into) == usual_tree(all_artifacts(world))
        assert sum(isinstance(event, ca.FileFailed) for event in events) == 2
        assert isinstance(last := events[-1], ca.HarvestProgress)
        assert (last.done, last.failed) == (16, 2)
        records = [record for record in caplog.records if "on_file failed" in record.message]
        assert [record.levelno for record in records] == [logging.ERROR]
        status = await ca.harvest_status(into)
        assert (status.done, status.failed, status.is_complete, len(status.failures)) == (16, 2, False, 2)
        without = await harvest(fake, into)
        assert without.is_complete
        calls.failing.clear()
        report = await harvest(fake, into, on_file=calls)
    assert report.is_complete
    assert calls.take() == [places[0], places[5]]
    assert (await ca.harvest_status(into)).is_complete


async def test_a_function_that_is_cancelled_by_itself_has_failed(into: Path) -> None:
    async def on_file(file: ca.HarvestedFile) -> None:
        raise asyncio.CancelledError

    async with FakeCircleCI(small_world(pipelines=1, jobs=1, artifacts=3)) as fake:
        report = await harvest(fake, into, on_file=on_file)
    assert [failure.error for failure in report.failed] == ["on_file was cancelled"] * 3


async def test_a_slow_function_slows_the_downloads(into: Path) -> None:
    world = small_world(pipelines=1, jobs=1, artifacts=200, size=10)
    concurrency = 4
    running = most = 0
    is_blocked = asyncio.Event()
    released = asyncio.Event()

    async def on_file(file: ca.HarvestedFile) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == concurrency:
            is_blocked.set()
        await released.wait()
        running -= 1

    async with FakeCircleCI(world) as fake:
        harvesting = asyncio.create_task(harvest(fake, into, on_file=on_file, concurrency=concurrency))
        await is_blocked.wait()
        count = -1
        while count != (count := len(fake.requests)):  # until no more requests arrive
            await asyncio.sleep(0.05)
        assert len(tree(into)) <= 10 * concurrency
        released.set()
        report = await harvesting
    assert (most, len(report.files), report.is_complete) == (concurrency, 200, True)


async def test_a_cancelled_harvest_calls_again_for_what_had_not_returned(into: Path) -> None:
    world = small_world(pipelines=2)
    started: list[str] = []
    ended: Counter[str] = Counter()
    is_full = asyncio.Event()

    async def on_file(file: ca.HarvestedFile) -> None:
        started.append(file.path.name)
        if len(started) > 5:
            is_full.set()
            await asyncio.Event().wait()
        ended[file.path.relative_to(into).as_posix()] += 1

    calls = Calls(into)
    async with FakeCircleCI(world) as fake:
        harvesting = asyncio.create_task(harvest(fake, into, on_file=on_file))
        await is_full.wait()
        harvesting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await harvesting
        status = await ca.harvest_status(into)
        assert status.calls_due == status.done - 5
        assert not status.is_complete
        await harvest(fake, into, on_file=calls)
    places = sorted(usual_tree(all_artifacts(world)))
    assert sorted([*ended.elements(), *calls.take()]) == places


async def test_no_call_is_lost_when_a_harvest_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each step that changes the disk: each file is passed by the killed run, by the next one, or by both."""
    world = World()
    workflow = world.project("gh/acme/api").pipeline().workflow("build")
    fill(workflow.job("small"), 3, 2_000)
    workflow.job("large").artifact("core.dump", size=2_200_000)
    places = sorted(usual_tree(all_artifacts(world)))
    returned: list[tuple[int, str]] = []

    async def on_file(file: ca.HarvestedFile) -> None:
        await asyncio.sleep(0)
        returned.append((len(snapshots.copies), file.path.relative_to(tmp_path / "out").as_posix()))

    async with FakeCircleCI(world, page_size=2) as fake:
        with monkeypatch.context() as patch:
            snapshots = Snapshots(patch, tmp_path / "out", tmp_path / "copies")
            await harvest(fake, tmp_path / "out", on_file=on_file, concurrency=1)
        assert len(snapshots.copies) > 25
        assert len(returned) == 4
        for number, into in enumerate(snapshots.copies):
            calls = Calls(into)
            before = {name for copies, name in returned if copies <= number}
            (await harvest(fake, into, on_file=calls)).raise_for_failures()
            after = calls.take()
            assert sorted({*before, *after}) == places, into
            assert len(after) == len(set(after)), into
            assert len(before & {*after}) <= 1, into
            assert rows(into, "SELECT * FROM calls") == [], into


async def test_files_that_wait_for_their_names_are_passed_when_they_have_them(into: Path) -> None:
    """The run that fetched them had no `on_file`: the one that places them has."""
    world = small_world(pipelines=1, jobs=1, artifacts=6)
    calls = Calls(into)
    async with FakeCircleCI(world, page_size=2) as fake:
        fault = fake.fail("*/artifacts", origin="api", status=404, after=2, times=None)
        await harvest(fake, into)
        fetched = rows(into, "SELECT count(*) FROM artifacts WHERE state = 'fetched'")
        assert fetched == [(4,)]
        fault.stop()
        await harvest(fake, into, on_file=calls)
    assert calls.take() == sorted(usual_tree(all_artifacts(world)))


async def test_files_that_do_not_exist_any_more_are_not_passed(into: Path) -> None:
    world = small_world(pipelines=1)
    calls = Calls(into)
    places = sorted(usual_tree(all_artifacts(world)))
    calls.failing = set(places)
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into, on_file=calls)
        calls.failing.clear()
        (into / places[0]).unlink()
        async with fake.client() as circle:
            await circle.harvest("gh/acme/api", into, on_file=calls, select=ca.Selection(since="1s"))
    assert calls.take() == places[1:]
    assert rows(into, "SELECT * FROM calls") == []


async def test_a_stopped_harvest_passes_its_files(into: Path) -> None:
    calls = Calls(into)
    async with FakeCircleCI(small_world()) as fake:
        report = await harvest(fake, into, on_file=calls, max_files=5)
    assert calls.take() == sorted(file.path.relative_to(into).as_posix() for file in report.files)
    assert len(report.files) == 5


def plain(file: ca.HarvestedFile) -> None:
    raise AssertionError


@pytest.mark.parametrize("wrong", [plain, 7, "on_file", print])
async def test_a_function_that_is_not_async_is_refused(wrong: Any, into: Path) -> None:
    async with FakeCircleCI(small_world()) as fake, fake.client(retry=QUICK) as circle:
        with pytest.raises(ca.InvalidArgument, match="on_file must be an async function, got "):
            await circle.harvest("gh/acme/api", into, on_file=wrong)
        assert fake.requests == []
    assert not into.exists()
