"""Ledgers that cannot be used raise a clear error, and only one harvest writes into a destination at a time."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.harvest.ledger import schema
from circleci_async.harvest.lock import Lock, is_locked
from circleci_async.harvest.placement import Placement
from circleci_async.testing import FakeCircleCI, World
from tests.harvest.harvests import (
    QUICK,
    all_artifacts,
    fill,
    harvest,
    rows,
    small_world,
    states,
    tree,
    usual_place,
    usual_tree,
)
from tests.leftovers import tasks_of_the_package

NAME = ".harvest.sqlite"


async def error_of(into: Path) -> ca.LedgerError:
    """Harvest into an unusable destination, and return the error; no request is sent."""
    async with FakeCircleCI(small_world()) as fake, fake.client(retry=QUICK) as circle:
        with pytest.raises(ca.LedgerError) as caught:
            await circle.harvest("gh/acme/api", into)
        assert fake.requests == []
        assert tasks_of_the_package() == []
    return caught.value


def garble(path: Path) -> None:
    path.write_bytes(b"not a database " * 1000)


def damage(path: Path) -> None:
    """Overwrite pages in the middle of the file."""
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(path.read_bytes())
    data[4096:12288] = os.urandom(8192)
    path.write_bytes(data)


def lose_values(path: Path) -> None:
    """Remove values that each row must have, which only a check of the whole file finds."""
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        sql.execute("PRAGMA writable_schema = ON")
        (table,) = sql.execute("SELECT sql FROM sqlite_schema WHERE name = 'artifacts'").fetchone()
        sql.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'artifacts'", (table.replace("NOT NULL", ""),))
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        sql.execute("UPDATE artifacts SET url = NULL")
        sql.execute("PRAGMA writable_schema = ON")
        sql.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'artifacts'", (table,))


def cut_short(path: Path) -> None:
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize("spoil", [garble, damage, lose_values, cut_short])
async def test_a_damaged_ledger_is_refused(spoil: Callable[[Path], None], into: Path) -> None:
    world = small_world()
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
    for path in into.glob(f"{NAME}-*"):
        path.unlink()
    spoil(into / NAME)
    before = tree(into)
    error = await error_of(into)
    assert "is damaged: move it away" in str(error)
    assert tree(into) == before
    for name in (NAME, f"{NAME}-wal", f"{NAME}-shm"):
        (into / name).unlink(missing_ok=True)
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into)
    assert len(report.files) == 24
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_a_ledger_of_a_newer_version_is_refused(into: Path) -> None:
    async with FakeCircleCI(small_world()) as fake:
        await harvest(fake, into)
    with closing(sqlite3.connect(into / NAME)) as sql:
        sql.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    error = await error_of(into)
    versions = f"(its format is {schema.VERSION + 1}, this version reads {schema.VERSION})"
    assert f"was written by a newer version of circleci_async {versions}" in str(error)
    for read in (ca.harvest_status, ca.verify_harvest):
        with pytest.raises(ca.LedgerError, match="newer version"):
            await read(into)


async def test_a_foreign_database_is_refused(into: Path) -> None:
    into.mkdir()
    with closing(sqlite3.connect(into / NAME)) as sql:
        sql.execute("CREATE TABLE poems (line TEXT)")
    assert "is not the ledger of a harvest" in str(await error_of(into))


async def test_a_locked_ledger_is_refused_after_a_timeout(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "BUSY_TIMEOUT", 0.05)
    async with FakeCircleCI(small_world()) as fake:
        await harvest(fake, into)
    with closing(sqlite3.connect(into / NAME)) as sql:
        sql.execute("BEGIN EXCLUSIVE")
        assert "database is locked" in str(await error_of(into))


async def test_an_empty_ledger_file_is_initialized(into: Path) -> None:
    into.mkdir()
    (into / NAME).touch()
    async with FakeCircleCI(small_world()) as fake:
        assert len((await harvest(fake, into)).files) == 24


async def test_status_and_verify_without_a_harvest_raise(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        for read in (ca.harvest_status, ca.verify_harvest):
            with pytest.raises(ca.LedgerError, match="no harvest in"):
                await read(folder)


# A full disk for the ledger


@pytest.mark.parametrize("pages", [2, 12, 24, 30])
async def test_a_full_disk_for_the_ledger_ends_the_run(pages: int, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever SQLite finds the disk full: a clear error, and the next run continues when there is space."""
    world = World()
    for _ in range(8):
        fill(world.project(f"gh/acme/{_}").pipeline().workflow("build").job("test"), 30, 10)
    projects = list(world.projects)
    connect = schema.connect

    def on_small_disk(root: Path) -> sqlite3.Connection:
        made = sqlite3.connect(root / NAME)  # so that even the creation of the ledger fails
        made.close()
        real: Any = sqlite3.connect

        def small(*args: Any, **kwargs: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = real(*args, **kwargs)
            connection.execute(f"PRAGMA max_page_count = {pages}")
            return connection

        with monkeypatch.context() as patch:
            patch.setattr(sqlite3, "connect", small)
            return connect(root)

    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        monkeypatch.setattr("circleci_async.harvest.ledger.writer.connect", on_small_disk)
        with pytest.raises(ca.LedgerError, match=r"the destination disk is full \(cannot write .*\): free space"):
            report = await circle.harvest(projects, into)
            assert report.stopped == "the destination disk is full"
            report.raise_for_failures()
        assert tasks_of_the_package() == []
        whole = usual_tree(all_artifacts(world))
        assert {name: data for name, data in tree(into).items() if whole[name] != data} == {}
        if pages > 20:
            (await ca.verify_harvest(into)).raise_for_differences()
        monkeypatch.setattr("circleci_async.harvest.ledger.writer.connect", connect)
        report = await harvest(fake, into, projects=projects)
        report.raise_for_failures()
    assert tree(into) == whole


# The disk is read-only


async def test_a_destination_that_is_a_file_or_below_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot create " in str(await error_of(tmp_path / "file"))
    assert "cannot create " in str(await error_of(tmp_path / "file" / "out"))


# One at a time


async def test_a_second_harvest_into_the_same_destination_is_refused(into: Path) -> None:
    world = small_world()
    async with FakeCircleCI(world, latency=0.05) as fake, fake.client() as circle:
        first = asyncio.create_task(circle.harvest("gh/acme/api", into))
        while not fake.requests:
            await asyncio.sleep(0.001)
        assert (await ca.harvest_status(into)).is_running
        with pytest.raises(ca.LedgerBusy, match=rf"another harvest \(process {os.getpid()}\) is running in") as caught:
            await circle.harvest("gh/acme/api", into)
        assert caught.value.hint == "Wait until it has ended, or choose another destination."
        with pytest.raises(ca.LedgerBusy, match="verify after it has ended"):
            await ca.verify_harvest(into)
        (await first).raise_for_failures()
        assert not (await ca.harvest_status(into)).is_running
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_a_harvest_in_another_process_is_named(into: Path) -> None:
    into.mkdir()
    program = (
        "import sys; from pathlib import Path; from circleci_async.harvest.lock import Lock\n"
        "lock = Lock(Path(sys.argv[1])); print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, into], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert f"another harvest (process {process.pid}) is running" in str(await error_of(into))
        assert is_locked(into)
        process.kill()
    assert not is_locked(into)
    async with FakeCircleCI(small_world()) as fake:
        await harvest(fake, into)


def test_a_lock_that_is_not_available_raises(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    into.mkdir()

    def refuse(*args: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("msvcrt.locking" if sys.platform == "win32" else "fcntl.flock", refuse)
    with pytest.raises(ca.LedgerError, match=r"cannot lock .*: No locks available"):
        Lock(into)


# The layout stays


async def test_a_destination_keeps_its_layout(into: Path) -> None:
    layout = "{job}/{number}/{node}/{path}"
    world = small_world(pipelines=1)
    world.project("gh/acme/web")
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        await harvest(fake, into, layout=layout)
        assert "test-0/1/logs/0.txt" in tree(into)
        await harvest(fake, into, layout=layout)
        with pytest.raises(
            ca.InvalidArgument, match=r"layout must be '{job}/{number}/.*, which the files in this destination use"
        ):
            await circle.harvest("gh/acme/api", into)
        with pytest.raises(ca.InvalidArgument, match="files of gh/acme/api, gh/acme/web would collide"):
            await circle.harvest("gh/acme/web", into, layout=layout)
        with pytest.raises(ca.InvalidArgument, match="files of gh/acme/api, gh/acme/web would collide"):
            await circle.harvest(["gh/acme/web", "gh/acme/api"], into / "new", layout=layout)
    assert states(into) == {"done": 8}


# An error in the ledger's thread


async def test_an_error_while_files_are_committed_ends_the_run(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = small_world()
    commit = Placement.commit

    def fail(self: Placement, sql: sqlite3.Connection, files: Any) -> Any:
        if sql.execute("SELECT 1 FROM artifacts WHERE state = 'done'").fetchone():
            raise sqlite3.OperationalError("disk I/O error")
        return commit(self, sql, files)

    async with FakeCircleCI(world, latency=0.002) as fake, fake.client(retry=QUICK) as circle:
        monkeypatch.setattr(Placement, "commit", fail)
        with pytest.raises(ca.LedgerError, match=r"cannot use .*: disk I/O error"):
            await circle.harvest("gh/acme/api", into)
        monkeypatch.setattr(Placement, "commit", commit)
        assert 0 < len(tree(into)) < 24
        report = await harvest(fake, into)
        report.raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_a_ledger_of_the_first_edition_is_continued(into: Path) -> None:
    """It holds 2 files of job 1 that are done, 1 that is pending, and a failed list of the artifacts of job 2."""
    world = World()
    pipeline = world.project("gh/acme/api").pipeline(branch="main")
    workflow = pipeline.workflow("build")
    for job in range(2):
        made = workflow.job(f"test-{job}")
        for number in range(3):
            made.artifact(f"logs/{number}.txt", f"{job} {number}".encode())
    artifacts = all_artifacts(world)
    async with FakeCircleCI(world) as fake:
        into.mkdir()
        dump = Path(__file__).with_name("first_edition.sql").read_text()
        with closing(sqlite3.connect(into / NAME)) as sql:
            sql.executescript(dump.replace("ARTIFACT_HOST", fake.artifact_host))
        for artifact in artifacts[1:3]:
            path = into / usual_place(artifact)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(artifact.data)
        (await ca.verify_harvest(into)).raise_for_differences()
        status = await ca.harvest_status(into)
        assert (status.done, status.pending, status.failed, status.runs) == (2, 1, 1, 1)
        assert [failure.kind for failure in status.failures] == ["artifacts"]
        old = await ca.prune_harvest(into, older_than="1s", dry_run=True)
        assert (old.files, old.bytes) == (2, 6)
        assert rows(into, "PRAGMA user_version") == [(1,)]  # reading changes nothing
        select = ca.Selection(pipeline_id=pipeline.id)
        fake.fail("*/workflow", origin="api", status=400)  # so that only what the ledger contains is downloaded
        report = await harvest(fake, into, select=select)
        names = sorted((file.number, file.artifact) for file in report.files)
        assert names == [(1, "logs/0.txt"), (2, "logs/0.txt"), (2, "logs/1.txt"), (2, "logs/2.txt")]
        assert {(file.branch, file.pipeline_id) for file in report.files} == {("main", pipeline.id)}
        assert rows(into, "PRAGMA user_version") == [(schema.VERSION,)]
        (await harvest(fake, into, select=select)).raise_for_failures()
        fake.requests.clear()
        report = await harvest(fake, into, select=select)
        assert (report.requests, report.requests_saved, len(fake.requests)) == (2, 3, 2)
    assert tree(into) == usual_tree(artifacts)
