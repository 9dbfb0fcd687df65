"""`verify_harvest` finds every difference between files and ledger, and `harvest_status` reports the numbers."""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.harvest import verify
from circleci_async.testing import FakeCircleCI
from tests.harvest.disks import unprivileged
from tests.harvest.harvests import QUICK, all_artifacts, harvest, small_world, usual_place


async def test_a_harvest_is_intact(into: Path) -> None:
    async with FakeCircleCI(small_world(pipelines=10, jobs=3, artifacts=5)) as fake:
        await harvest(fake, into)
    (into / ".hidden").write_text("not an artifact")
    (into / "gh" / ".folder").mkdir()
    (into / "gh" / ".folder" / "x").write_text("not an artifact either")
    report = await ca.verify_harvest(str(into))
    assert (report.files, report.bytes, report.differences, report.is_intact) == (150, 450_000, 0, True)
    assert (report.changed, report.missing, report.unknown) == ((), (), ())
    assert report.seconds > 0
    report.raise_for_differences()


async def test_every_difference_is_found(into: Path) -> None:
    world = small_world()
    same_size, other_size, gone, linked, folder, *_ = map(usual_place, all_artifacts(world))
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
    (into / same_size).write_bytes(bytes(3_000))
    (into / other_size).write_bytes(b"short")
    for path in (gone, linked, folder):
        (into / path).unlink()
    (into / linked).symlink_to(into / same_size)
    (into / folder).mkdir()
    (into / "gh/new").write_text("mine")
    (into / "line\nbreak").write_text("mine")
    report = await ca.verify_harvest(into)
    assert report.changed == (same_size, other_size)
    assert report.missing == (gone, linked, folder)
    assert set(report.unknown) == {"gh/new", "line\nbreak"}
    assert (report.files, report.differences, report.is_intact) == (19, 7, False)
    with pytest.raises(ca.DownloadError, match=r"^7 files differ from the ledger:\n  changed: ") as caught:
        report.raise_for_differences()
    assert "unknown: 'line\\nbreak'" in str(caught.value)


async def test_many_differences_are_counted_and_some_named(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "MAX_NAMED", 5)
    world = small_world()
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
    for artifact in all_artifacts(world):
        (into / usual_place(artifact)).unlink()
    report = await ca.verify_harvest(into)
    assert (len(report.missing), report.differences) == (5, 24)
    with pytest.raises(ca.DownloadError, match="and 19 more"):
        report.raise_for_differences()


async def test_an_unreadable_file_is_missing() -> None:
    world = small_world(pipelines=1)
    first, *_ = map(usual_place, all_artifacts(world))
    async with FakeCircleCI(world) as fake:
        with unprivileged() as into:
            await harvest(fake, into)
            (into / first).chmod(0)
            report = await ca.verify_harvest(into)
            assert (report.missing, report.differences) == ((first,), 1)


async def test_the_status_contains_the_numbers_of_all_runs(into: Path) -> None:
    world = small_world(pipelines=1)
    bad = all_artifacts(world)[0]
    async with FakeCircleCI(world) as fake:
        fake.fail(bad.location, status=403)
        await harvest(fake, into, max_files=3, concurrency=1)
        status = await ca.harvest_status(str(into))
        assert (status.done, status.pending, status.failed, status.gone) == (3, 4, 1, 0)
        assert (status.bytes, status.runs, status.is_running, status.is_complete) == (9_000, 1, False, False)
        assert status.ended_at is None
        assert status.began_at is not None
        assert datetime.now(UTC) - status.began_at < timedelta(minutes=1)
        [failure] = status.failures
        assert (failure.name, failure.number) == (bad.path, 1)
        assert "failures=1" in repr(status)
        await harvest(fake, into)
        status = await ca.harvest_status(into)
        assert (status.done, status.pending, status.failed, status.runs) == (8, 0, 0, 2)
        assert status.is_complete
        assert status.ended_at is not None
        assert list(status.failures) == []


async def test_a_failed_list_is_part_of_the_status(into: Path) -> None:
    async with FakeCircleCI(small_world(pipelines=1)) as fake:
        fake.fail("*/2/artifacts", origin="api", status=400, times=None)
        await harvest(fake, into)
    status = await ca.harvest_status(into)
    assert (status.done, status.failed, status.is_complete) == (4, 1, False)
    assert str(status.failures[0]).startswith("artifacts of job 2 (test-1) of gh/acme/api: 400 Bad Request")


async def test_an_error_while_the_ledger_is_read_raises(into: Path) -> None:
    async with FakeCircleCI(small_world(pipelines=1)) as fake:
        report = await harvest(fake, into)
    with closing(sqlite3.connect(into / ".harvest.sqlite")) as sql:
        sql.execute("ALTER TABLE artifacts RENAME TO elsewhere")
    for read in (ca.harvest_status, ca.verify_harvest):
        with pytest.raises(ca.LedgerError, match=r"cannot use .*: no such table: artifacts"):
            await read(into)
    with pytest.raises(ca.LedgerError, match="no such table"):
        list(report.files)


# dedupe="hardlink"


async def test_identical_files_are_hard_linked_with_dedupe(into: Path) -> None:
    world = small_world(pipelines=2)
    for artifact in all_artifacts(world):
        artifact.replace(f"the same in all jobs {artifact.path}".encode() * 100)
    all_artifacts(world)[0].replace(b"not the same at all")
    large = [job.artifact("large", size=1) for job in world.jobs.values()]
    for artifact in large:
        artifact.replace(bytes(2_000_000))
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into / "plain")
        await harvest(fake, into / "linked", dedupe="hardlink", concurrency=2)
        again = await harvest(fake, into / "linked", dedupe="hardlink")
        assert (len(again.files), len(again.skipped)) == (0, 20)
    paths = [usual_place(each) for each in all_artifacts(world)]
    assert len({(into / "plain" / path).stat().st_ino for path in paths}) == 20
    assert len({(into / "linked" / path).stat().st_ino for path in paths}) == 6
    assert (into / "linked" / usual_place(large[0])).stat().st_nlink == 4
    for path in paths:
        assert (into / "linked" / path).read_bytes() == (into / "plain" / path).read_bytes()


async def test_a_hard_linked_file_is_replaced_without_changing_the_others(into: Path) -> None:
    world = small_world(pipelines=1)
    for artifact in all_artifacts(world):
        artifact.replace(b"the same")
    first, second, *_ = paths = [into / usual_place(each) for each in all_artifacts(world)]
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into, dedupe="hardlink")
        assert first.stat().st_nlink == 8
        first.unlink()
        await harvest(fake, into, dedupe="hardlink")
        assert second.stat().st_nlink == 8
        first.unlink()
        first.write_bytes(b"other")
        await harvest(fake, into)
        assert (first.stat().st_nlink, second.stat().st_nlink) == (1, 7)
    assert {path.read_bytes() for path in paths} == {b"the same"}


@pytest.mark.parametrize("size", [900, 1_500_000])
async def test_a_file_that_was_altered_at_equal_size_is_not_linked(size: int, into: Path) -> None:
    world = small_world(pipelines=1, jobs=1, artifacts=1)
    [artifact] = all_artifacts(world)
    artifact.replace(b"a" * size)
    first = into / usual_place(artifact)
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into, dedupe="hardlink")
        status = first.stat()
        first.write_bytes(b"b" * size)
        os.utime(first, ns=(status.st_atime_ns, status.st_mtime_ns))
        new = artifact.job.workflow.pipeline.workflow("again").job("new")
        for number in range(3):
            new.artifact(f"{number}", b"a" * size)
        async with fake.client(retry=QUICK) as circle:
            report = await circle.harvest("gh/acme/api", into, dedupe="hardlink")
        report.raise_for_failures()
    places = [into / usual_place(each) for each in new.artifacts]
    assert {place.read_bytes() for place in places} == {b"a" * size}
    assert first.read_bytes() == b"b" * size
    assert (first.stat().st_nlink, places[0].stat().st_nlink) == (1, 3)


async def test_files_are_copies_where_hard_links_are_not_supported(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = small_world(pipelines=1)
    for artifact in all_artifacts(world):
        artifact.replace(b"the same")

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK):
        report = await harvest(fake, into, dedupe="hardlink")
    report.raise_for_failures()
    assert len({(into / usual_place(each)).stat().st_ino for each in all_artifacts(world)}) == 8


async def test_repaired_files_are_downloaded_again(into: Path) -> None:
    world = small_world(pipelines=2)
    places = [into / usual_place(artifact) for artifact in all_artifacts(world)]
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
        places[0].write_bytes(b"x" * places[0].stat().st_size)
        places[1].unlink()
        (into / "unknown.txt").write_bytes(b"?")
        report = await ca.verify_harvest(into, repair=True)
        assert (len(report.changed), len(report.missing), len(report.unknown)) == (1, 1, 1)
        status = await ca.harvest_status(into)
        assert (status.failed, status.is_complete) == (2, False)
        assert {failure.error for failure in status.failures} == {"the file was changed or deleted"}
        (into / "unknown.txt").unlink()
        again = await harvest(fake, into)
    assert len(again.files) == 2
    assert [place.read_bytes() for place in places] == [artifact.data for artifact in all_artifacts(world)]


async def test_an_intact_harvest_is_not_opened_for_repairs(into: Path) -> None:
    async with FakeCircleCI(small_world(pipelines=1)) as fake:
        await harvest(fake, into)
    before = (into / ".harvest.sqlite").read_bytes()
    assert (await ca.verify_harvest(into, repair=True)).is_intact
    assert (into / ".harvest.sqlite").read_bytes() == before
