"""Destinations from others, such as an unpacked archive: nothing outside is read, written or deleted."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.downloads import directory
from circleci_async.harvest.destination.folder import FolderFiles
from circleci_async.harvest.destination.parts import PARTS_NAME
from circleci_async.harvest.ledger.schema import LEDGER_NAME
from circleci_async.harvest.lock import LOCK_NAME
from circleci_async.testing import FakeCircleCI
from tests.harvest.harvests import (
    QUICK,
    all_artifacts,
    harvest,
    rows,
    small_world,
    tree,
    usual_place,
    usual_tree,
)

WORLD = {"pipelines": 1, "jobs": 2, "artifacts": 3}


@pytest.fixture
def no_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use paths instead of descriptors of folders, as on Windows."""
    monkeypatch.setattr(directory, "HAS_DIR_FD", False)


both_ways = pytest.mark.parametrize("uses", ["descriptors", "paths"], indirect=True)


@pytest.fixture
def uses(request: pytest.FixtureRequest) -> str:
    """Test with descriptors of folders and, as on Windows, with paths."""
    if request.param == "paths":
        request.getfixturevalue("no_descriptors")
    return str(request.param)


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder outside of the destination, with files that must stay as they are."""
    folder = tmp_path / "victim"
    folder.mkdir()
    for name in ("x", ".1.part", ".2.part", "precious", "0.txt"):
        (folder / name).write_bytes(b"mine" * 750)
    return folder


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def execute(into: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(into / LEDGER_NAME)) as sql, sql:
        assert sql.execute(statement, values).rowcount == 1


TARGETS: dict[str, Callable[[Path], object]] = {
    "parent": lambda victim: "../victim/x",
    "parent inside": lambda victim: "gh/../../victim/x",
    "absolute": lambda victim: f"{victim}/x",
    "ledger": lambda victim: LEDGER_NAME,
    "lock": lambda victim: LOCK_NAME,
    "part": lambda victim: f"{PARTS_NAME}/.1.part",
    "wal": lambda victim: f"{LEDGER_NAME}-wal",
    "hidden folder": lambda victim: ".git/hooks/post-checkout",
    "empty": lambda victim: "",
    "empty name": lambda victim: "gh//x",
    "dot": lambda victim: ".",
    "nul": lambda victim: "gh/a\0b",
    "newline": lambda victim: "gh/a\nb",
    "backslash": lambda victim: "..\\victim\\x",
    "drive": lambda victim: "C:/x",
    "long name": lambda victim: "a" * 256,
    "through a link": lambda victim: "link/x",
}


FEW_TARGETS = ("parent", "absolute", "ledger", "through a link")


@pytest.mark.parametrize(
    ("state", "kinds", "uses"),
    [
        ("done", tuple(TARGETS), "descriptors"),
        ("found", FEW_TARGETS, "descriptors"),
        ("fetched", FEW_TARGETS, "descriptors"),
        ("done", FEW_TARGETS, "paths"),
    ],
    indirect=["uses"],
)
async def test_the_targets_of_the_ledger_are_checked(
    state: str, kinds: tuple[str, ...], uses: str, into: Path, victim: Path
) -> None:
    world = small_world(**WORLD)
    artifacts = all_artifacts(world)
    before = content_of(victim)
    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        await harvest(fake, into)
        (into / "link").symlink_to(victim)
        (into / usual_place(artifacts[0])).unlink()
        for number, kind in enumerate(kinds):
            case = into.with_name(f"out-{number}")
            shutil.copytree(into, case, symlinks=True)
            execute(case, "UPDATE artifacts SET target = ?, state = ? WHERE id = 1", TARGETS[kind](victim), state)
            report = await circle.harvest("gh/acme/api", case)
            assert len(report.failed) == 1
            failure = str(report.failed[0])
            assert "refused: " in failure
            assert failure.isprintable()
            assert (await ca.verify_harvest(case)).files == 5
            (case / "link").unlink()
            assert tree(case) == usual_tree(artifacts[1:])
            shutil.rmtree(case)
    assert content_of(victim) == before
    assert {path.name for path in into.parent.iterdir()} == {"home", "out", "victim"}


@both_ways
async def test_verify_reads_nothing_outside(uses: str, into: Path, victim: Path) -> None:
    world = small_world(**WORLD)
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
    place = into / usual_place(all_artifacts(world)[0])
    shutil.copytree(place.parent, victim / "logs")
    shutil.rmtree(place.parent)
    place.parent.symlink_to(victim / "logs")
    os.link(into / usual_place(all_artifacts(world)[3]), victim / "y")
    execute(into, "UPDATE artifacts SET target = '../victim/y' WHERE id = 4")
    report = await ca.verify_harvest(into)
    logs = place.parent.relative_to(into).as_posix()
    assert report.missing == (*(f"{logs}/{number}.txt" for number in range(3)), "../victim/y")
    assert (report.files, report.differences) == (2, 6)  # the link and a file are unknown


@both_ways
async def test_files_behind_a_link_are_not_skipped(uses: str, into: Path, victim: Path) -> None:
    world = small_world(**WORLD)
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
        folder = (into / usual_place(all_artifacts(world)[0])).parent
        shutil.rmtree(folder)
        folder.symlink_to(victim)  # which holds a 0.txt of the same size
        before = content_of(victim)
        async with fake.client(retry=QUICK) as circle:
            report = await circle.harvest("gh/acme/api", into)
        assert (len(report.skipped), len(report.failed)) == (3, 3)
        assert all(f"{folder} refused: it is a symbolic link" in failure.error for failure in report.failed)
    assert content_of(victim) == before


@both_ways
async def test_a_folder_that_is_swapped_for_a_link_midway(uses: str, into: Path, victim: Path) -> None:
    world = small_world(pipelines=1, jobs=1, artifacts=30)
    folder = (into / usual_place(all_artifacts(world)[0])).parent
    before = content_of(victim)
    swapped: list[str] = []

    async def swap(event: ca.HarvestEvent) -> None:
        if isinstance(event, ca.FileDone) and not swapped:
            folder.rename(into.parent / "moved")
            folder.symlink_to(victim)
            swapped.append(event.path)

    async with FakeCircleCI(world, latency=0.002) as fake, fake.client(retry=QUICK) as circle:
        report = await circle.harvest("gh/acme/api", into, concurrency=1, on_progress=swap)
    assert swapped
    assert (len(report.files), report.bytes) == (0, 0)
    assert len(report.failed) == 30
    assert not report.is_complete
    assert content_of(victim) == before


# The files of the harvest itself


def make_link(path: Path, victim: Path) -> None:
    path.symlink_to(victim / "precious")


def make_link_to_folder(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def make_broken_link(path: Path, victim: Path) -> None:
    path.symlink_to(victim / "missing")


def make_fifo(path: Path, victim: Path) -> None:
    os.mkfifo(path)


def make_hard_link(path: Path, victim: Path) -> None:
    os.link(victim / "precious", path)


def make_folder(path: Path, victim: Path) -> None:
    path.mkdir()


def make_file(path: Path, victim: Path) -> None:
    path.write_bytes(b"")


OTHERS = [make_link, make_link_to_folder, make_broken_link, make_fifo]
OWN_FILES = [LOCK_NAME, LEDGER_NAME, f"{LEDGER_NAME}-wal", f"{LEDGER_NAME}-shm", f"{LEDGER_NAME}-journal"]


@both_ways
@pytest.mark.parametrize("is_new", [True, False], ids=["new", "used"])
@pytest.mark.parametrize("name", [*OWN_FILES, PARTS_NAME])
async def test_a_file_of_the_harvest_that_is_something_else(
    name: str, is_new: bool, uses: str, into: Path, victim: Path
) -> None:
    before = content_of(victim)
    async with FakeCircleCI(small_world(**WORLD)) as fake, fake.client(retry=QUICK) as circle:
        if is_new:
            into.mkdir()
        else:
            await circle.harvest("gh/acme/api", into)
            if name == PARTS_NAME:
                (into / name).rmdir()
            else:
                (into / name).unlink(missing_ok=True)
        for make in (*OTHERS, make_file if name == PARTS_NAME else make_folder):
            make(into / name, victim)
            with pytest.raises(ca.LedgerError) as raised:
                await circle.harvest("gh/acme/api", into)
            assert str(into / name) in str(raised.value)
            assert "delete it" in str(raised.value)
            if name.startswith(LEDGER_NAME):
                for check in (ca.harvest_status, ca.verify_harvest):
                    with pytest.raises(ca.LedgerError, match="delete it"):
                        await asyncio.wait_for(check(into), 10)
            elif not is_new:
                assert (await asyncio.wait_for(ca.harvest_status(into), 10)).done == 6
            if make is make_folder:
                (into / name).rmdir()
            else:
                (into / name).unlink()
    assert content_of(victim) == before
    assert {path.name for path in victim.iterdir()} == before.keys()


async def test_the_lock_file_is_not_written_if_it_has_another_name(into: Path, victim: Path) -> None:
    into.mkdir()
    os.link(victim / "precious", into / LOCK_NAME)
    async with FakeCircleCI(small_world(**WORLD)) as fake:
        (await harvest(fake, into)).raise_for_failures()
    assert (victim / "precious").read_bytes() == b"mine" * 750


async def test_a_folder_among_the_partial_files(into: Path) -> None:
    (into / PARTS_NAME / ".1.part").mkdir(parents=True)
    async with FakeCircleCI(small_world(**WORLD)) as fake, fake.client(retry=QUICK) as circle:
        with pytest.raises(ca.LedgerError, match=r"\.harvest\.parts/\.1\.part is a folder, .*: move it away, then run"):
            await circle.harvest("gh/acme/api", into)
        (into / PARTS_NAME / ".1.part").rmdir()
        (await circle.harvest("gh/acme/api", into)).raise_for_failures()


@both_ways
@pytest.mark.parametrize("size", [3_000, 1_500_000])
async def test_a_partial_file_that_is_something_else(size: int, uses: str, into: Path, victim: Path) -> None:
    world = small_world(pipelines=1, jobs=1, artifacts=2, size=size)
    before = content_of(victim)
    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        await harvest(fake, into, max_files=1)
        [(id,)] = rows(into, "SELECT id FROM artifacts WHERE state = 'found'")
        execute(into, "UPDATE artifacts SET etag = '\"v\"', size = 3000 WHERE id = ?", id)
        for number, make in enumerate((*OTHERS, make_hard_link)):
            case = into.with_name(f"out-{number}")
            shutil.copytree(into, case)
            make(case / PARTS_NAME / f".{id}.part", victim)
            make(case / PARTS_NAME / f".{id}.{'0' * 64}.part", victim)
            report = await asyncio.wait_for(circle.harvest("gh/acme/api", case), 10)
            report.raise_for_failures()
            assert tree(case) == usual_tree(all_artifacts(world))
    assert content_of(victim) == before


@both_ways
@pytest.mark.parametrize("make", OTHERS)
def test_a_partial_file_that_becomes_something_else(
    make: Callable[[Path, Path], None], uses: str, tmp_path: Path, victim: Path
) -> None:
    before = content_of(victim)
    with closing(FolderFiles(tmp_path)) as files:
        files.parts.create()
        make(tmp_path / PARTS_NAME / ".1.part", victim)
        with pytest.raises(ca.UnsafePath, match=r"\.1\.part refused: it is not a regular file: delete it"):
            files.parts.open(1)
    assert content_of(victim) == before
