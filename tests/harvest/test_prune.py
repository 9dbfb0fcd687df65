"""`prune_harvest` deletes the files of old pipelines, which no later harvest downloads again."""

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.harvest import prune
from circleci_async.harvest.ledger.schema import LEDGER_NAME
from circleci_async.harvest.lock import LOCK_NAME, Lock
from circleci_async.testing import FakeCircleCI, World
from tests.harvest.disks import unprivileged
from tests.harvest.harvests import all_artifacts, fill, gets, harvest, rows, states, tree, usual_place, usual_tree
from tests.harvest.snapshots import Snapshots
from tests.leftovers import tasks_of_the_package

NOW = datetime.now(UTC)


def aged_world(*days: int) -> World:
    """A pipeline of each age, each with 2 jobs of 2 artifacts."""
    world = World()
    project = world.project("gh/acme/api")
    for age in sorted(days, reverse=True):
        workflow = project.pipeline(branch="main", created_at=NOW - timedelta(days=age)).workflow("build")
        for number in range(2):
            fill(workflow.job(f"test-{number}"), 2, 100)
    return world


def recent(world: World, days: int) -> dict[str, bytes]:
    """The files of pipelines that are younger."""
    limit = NOW - timedelta(days=days)
    return usual_tree(each for each in all_artifacts(world) if each.job.workflow.pipeline.created_at > limit)


def folders(into: Path) -> set[str]:
    found = (path for path in into.rglob("*") if path.is_dir() and ".harvest" not in str(path))
    return {path.relative_to(into).as_posix() for path in found}


async def test_old_files_are_deleted_and_never_downloaded_again(into: Path) -> None:
    world = aged_world(0, 10, 400, 500)
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
        report = await ca.prune_harvest(into, older_than="365d")
        assert (report.files, report.bytes, report.failures, report.failed, report.dry_run) == (8, 800, 0, (), False)
        assert abs(report.older_than - (datetime.now(UTC) - timedelta(days=365))) < timedelta(minutes=1)
        report.raise_for_failures()
        assert tree(into) == recent(world, 365)
        assert {path for path in folders(into) if path.count("/") == 3} == {"gh/acme/api/3", "gh/acme/api/4"}
        assert (await ca.verify_harvest(into)).is_intact
        status = await ca.harvest_status(into)
        assert (status.done, status.pruned, status.failed, status.gone, status.is_complete) == (8, 8, 0, 0, True)
        assert status.bytes == 800
        fake.requests.clear()
        for select in (None, ca.Selection(path="**"), ca.Selection(branch="main")):
            again = await harvest(fake, into, select=select)
            assert (len(again.files), len(again.skipped), again.is_complete) == (0, 8, True)
        assert gets(fake) == []
        assert tree(into) == recent(world, 365)
        assert (await ca.prune_harvest(into, older_than="365d")).files == 0
        assert (await ca.harvest_status(into)).pruned == 8


async def test_pruned_files_stay_pruned_whatever_the_lists_contain(into: Path) -> None:
    """Their jobs are listed again, without them, then with them."""
    world = aged_world(400)
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
        await ca.prune_harvest(into, older_than="1d")
        fake.requests.clear()
        for is_empty in (True, False):
            with closing(sqlite3.connect(into / LEDGER_NAME)) as sql:
                sql.execute("UPDATE jobs SET listed = 'begun'")
                sql.commit()
            empty: dict[str, Any] = {"items": [], "next_page_token": None}
            fault = fake.fail("*/artifacts", origin="api", body=empty, times=None if is_empty else 0)
            report = await harvest(fake, into)
            assert (len(report.files), len(report.failed), states(into)) == (0, 0, {"pruned": 4})
            assert fault.hits == 2 * is_empty
            fault.stop()
        latest = await harvest(fake, into, select=ca.Selection(latest=True))
        assert (len(latest.files), latest.is_complete) == (0, True)
        assert gets(fake) == []


async def test_a_dry_run_changes_nothing(into: Path) -> None:
    world = aged_world(0, 400)
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
    before = {path: path.stat().st_mtime_ns for path in into.rglob("*") if path.is_file()}
    ledger = rows(into, "SELECT * FROM artifacts")
    report = await ca.prune_harvest(str(into), older_than=timedelta(days=365), dry_run=True)
    assert (report.files, report.bytes, report.dry_run) == (4, 400, True)
    assert tree(into) == usual_tree(all_artifacts(world))
    assert rows(into, "SELECT * FROM artifacts") == ledger
    assert {path: path.stat().st_mtime_ns for path in into.rglob("*") if path in before} == before


@pytest.mark.parametrize("dry_run", [False, True])
async def test_hard_links_free_their_space_once(dry_run: bool, into: Path) -> None:
    world = World()
    project = world.project("gh/acme/api")
    for age in (500, 400, 1):
        job = project.pipeline(created_at=NOW - timedelta(days=age)).workflow("build").job("test")
        job.artifact("shared.bin", b"s" * 50)
        if age > 1:
            job.artifact("old.bin", b"o" * 7)
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into, dedupe="hardlink")
        first = await ca.prune_harvest(into, older_than="365d", dry_run=dry_run)
        assert (first.files, first.bytes) == (4, 7)
        if dry_run:
            return
        assert (await harvest(fake, into, dedupe="hardlink")).is_complete
        last = await ca.prune_harvest(into, older_than="1s")
        assert (last.files, last.bytes) == (1, 50)
        assert tree(into) == {}
        assert folders(into) == set()
        assert states(into) == {"pruned": 5}


async def test_other_files_and_their_folders_stay(into: Path) -> None:
    world = aged_world(400)
    first, second, third, fourth = map(usual_place, all_artifacts(world))
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
        (into / first).with_name("mine").write_text("mine")
        (into / second).unlink()
        (into / third).write_text("changed by hand")
        report = await ca.prune_harvest(into, older_than="365d")
        assert (report.files, report.bytes) == (3, 215)
        assert tree(into) == {f"{first.rpartition('/')[0]}/mine": b"mine"}
        assert states(into) == {"pruned": 4}
        assert fourth.rpartition("/")[0] not in folders(into)
        assert len((await ca.verify_harvest(into)).unknown) == 1


async def test_links_are_not_followed_and_are_failures(tmp_path: Path, into: Path) -> None:
    world = aged_world(400)
    first, _, third, _ = map(usual_place, all_artifacts(world))
    outside = tmp_path / "outside"
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
    shutil.copytree(into / third.rpartition("/")[0], outside)
    (into / first).unlink()
    (into / first).symlink_to(outside / "0.txt")
    folder = into / third.rpartition("/")[0]
    shutil.rmtree(folder)
    folder.symlink_to(outside)
    with closing(sqlite3.connect(into / LEDGER_NAME)) as sql:
        sql.execute("UPDATE artifacts SET target = '../outside/1.txt' WHERE id = 2")
        sql.commit()
    for dry_run in (True, False):
        report = await ca.prune_harvest(into, older_than="365d", dry_run=dry_run)
        assert (report.files, report.failures, len(report.failed)) == (0, 4, 4)
        assert "symbolic link" in report.failed[2]
        assert "is not a regular file" in report.failed[0]
        assert report.failed[1].startswith("../outside/1.txt: ")
    with pytest.raises(ca.DownloadError, match="4 files could not be deleted:"):
        report.raise_for_failures()
    assert sorted(path.name for path in outside.iterdir()) == ["0.txt", "1.txt"]
    assert states(into) == {"done": 4}


async def test_a_file_that_cannot_be_deleted_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prune, "MAX_NAMED", 1)
    world = aged_world(400)
    first, *_ = map(usual_place, all_artifacts(world))
    async with FakeCircleCI(world) as fake:
        with unprivileged() as into:
            await harvest(fake, into)
            (into / first).parent.chmod(0o500)
            report = await ca.prune_harvest(into, older_than="365d")
            (into / first).parent.chmod(0o700)
            assert (report.files, report.failures, report.failed) == (2, 2, (f"{first}: Permission denied",))
            with pytest.raises(ca.DownloadError, match="and 1 more"):
                report.raise_for_failures()
            assert states(into) == {"done": 2, "pruned": 2}
            assert (await ca.prune_harvest(into, older_than="365d")).files == 2


async def test_a_prune_that_is_killed_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each step that changes the disk: no deleted file is downloaded again, and the next prune deletes all."""
    world = aged_world(0, 400)
    monkeypatch.setattr(prune, "BATCH_SIZE", 3)
    async with FakeCircleCI(world) as fake:
        await harvest(fake, tmp_path / "out")
        with monkeypatch.context() as patch:
            snapshots = Snapshots(patch, tmp_path / "out", tmp_path / "copies")
            await ca.prune_harvest(tmp_path / "out", older_than="365d")
        assert {"commit", "unlink", "rmdir"} <= set(snapshots.steps)
        for into in snapshots.copies:
            fake.requests.clear()
            assert (await ca.verify_harvest(into)).unknown == (), into
            async with fake.client() as circle:
                report = await circle.harvest("gh/acme/api", into)
            assert (len(report.files), report.is_complete, gets(fake)) == (0, True, []), into
            await ca.prune_harvest(into, older_than="365d")
            assert tree(into) == recent(world, 365), into
            assert states(into) == {"done": 4, "pruned": 4}, into
            assert (await ca.verify_harvest(into)).is_intact, into


@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_running_harvest_refuses_a_prune(dry_run: bool, into: Path) -> None:
    async with FakeCircleCI(aged_world(400)) as fake:
        await harvest(fake, into)
    lock = Lock(into)
    try:
        with pytest.raises(ca.LedgerBusy, match=r"harvest .*is running in"):
            await ca.prune_harvest(into, older_than="1d", dry_run=dry_run)
    finally:
        lock.release()
    assert len(tree(into)) == 4
    assert tasks_of_the_package() == []


@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_folder_without_a_harvest_is_refused(dry_run: bool, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ca.LedgerError, match="no harvest in"):
            await ca.prune_harvest(folder, older_than="1d", dry_run=dry_run)
    assert not (tmp_path / LOCK_NAME).exists()
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize(
    "wrong", [None, "", "yesterday", "0d", "-1d", 365, timedelta(0), datetime.now(UTC) + timedelta(1), date.max]
)
async def test_a_wrong_age_is_refused(wrong: Any, into: Path) -> None:
    with pytest.raises(ca.InvalidArgument, match="older_than must be a"):
        await ca.prune_harvest(into, older_than=wrong)


@pytest.mark.parametrize("wrong", ["no", 1, 0, None])
async def test_flags_that_are_not_bools_are_refused(wrong: Any, into: Path) -> None:
    with pytest.raises(ca.InvalidArgument, match=f"^dry_run must be True or False, got {wrong!r}$"):
        await ca.prune_harvest(into, older_than="1d", dry_run=wrong)
    with pytest.raises(ca.InvalidArgument, match=f"^deep must be True or False, got {wrong!r}$"):
        await ca.verify_harvest(into, deep=wrong)
    with pytest.raises(ca.InvalidArgument, match=f"^repair must be True or False, got {wrong!r}$"):
        await ca.verify_harvest(into, repair=wrong)


async def test_a_ledger_that_is_not_a_path_is_refused(into: Path) -> None:
    wrong: Any = 5
    for call in (
        ca.prune_harvest(into, older_than="1d", ledger=wrong),
        ca.verify_harvest(into, ledger=wrong),
        ca.harvest_status(into, ledger=wrong),
        ca.harvest_catalog(into, ledger=wrong),
    ):
        with pytest.raises(ca.InvalidArgument, match=r"^ledger must be a string or a Path, got 5$"):
            await call


async def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(ca.InvalidArgument, match="into must be a folder, or a URL that begins with file://, s3://"):
        await ca.prune_harvest("ftp://bucket/x", older_than="1d")


async def test_a_ledger_without_dates_counts_from_the_download(into: Path) -> None:
    world = aged_world(400)
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
    with closing(sqlite3.connect(into / LEDGER_NAME)) as sql:
        sql.execute("DELETE FROM pipelines")
        sql.execute("UPDATE artifacts SET finished = '2020-01-01T00:00:00+00:00' WHERE id < 3")
        sql.commit()
    assert (await ca.prune_harvest(into, older_than="365d")).files == 2


async def test_calls_for_pruned_files_are_removed(into: Path) -> None:
    async def fail(file: ca.HarvestedFile) -> None:
        raise OSError("no index")

    async with FakeCircleCI(aged_world(400)) as fake:
        assert len((await harvest(fake, into, on_file=fail)).failed) == 4
        await ca.prune_harvest(into, older_than="365d")
        assert (await ca.harvest_status(into)).is_complete
        assert (await harvest(fake, into, on_file=fail)).is_complete
