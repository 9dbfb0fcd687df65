"""What killed downloads and impossible paths leave in a folder: nothing after the next run."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.downloads import destination, file_lock, part_file
from circleci_async.downloads.part_file import PartFile
from circleci_async.models import Artifact
from tests.downloads.file_server import TOKEN, all_files, artifact_at, by_path, client, random_bytes, served
from tests.raw_server import RawServer, hang, raw_server

PROGRAM = """
import asyncio, sys
import circleci_async as ca

async def main(url, folder):
    hosts = [url.partition("://")[2]]
    async with ca.CircleCI("s3cret-t0ken", host=url, artifact_hosts=hosts, trust_env=False) as circle:
        artifacts = [ca.models.Artifact(path=f"a/{n}.bin", node_index=0, url=f"{url}/{n}") for n in range(3)]
        await circle.artifacts.download_all(artifacts, folder)

asyncio.run(main(*sys.argv[1:]))
"""


def hidden(folder: Path) -> list[str]:
    return [name for name in all_files(folder) if "/." in f"/{name}"]


async def test_the_next_run_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    content = random_bytes(9_000)
    files = {f"/{n}": served(content, cut=5_000, then=hang) for n in range(3)}
    into = tmp_path / "out"
    async with raw_server(by_path(files)) as server:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, server.url, str(into))
        while server.in_flight < 3 or len(hidden(into)) < 3:
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert len(hidden(into)) == 3
    async with raw_server(served(content)) as server, client(server) as circle:
        artifacts = [artifact_at(server, f"a/{n}.bin") for n in range(3)]
        (await circle.artifacts.download_all(artifacts[:2], into)).raise_for_failures()
        assert len(hidden(into)) == 1  # of a file that was not downloaded
        await circle.artifacts.download(artifacts[2], into)
    assert all_files(into) == {f"a/{n}.bin": content for n in range(3)}


async def test_partial_files_that_are_being_written_or_belong_to_others_stay(tmp_path: Path) -> None:
    others = {
        ".a.bin.part",
        ".a.bin.1234567.part",
        ".a.bin.1234567g.part",
        ".b.bin.12345678.part",
        "a.bin.12345678.part",
    }
    for name in others:
        (tmp_path / name).write_bytes(b"mine")
    (tmp_path / "target").write_bytes(b"mine")
    (tmp_path / ".a.bin.00000000.part").symlink_to(tmp_path / "target")
    running = PartFile(tmp_path / "a.bin")
    running.write([b"half"])
    async with raw_server(served(b"new")) as server, client(server) as circle:
        await circle.artifacts.download(artifact_at(server, "a.bin"), tmp_path)
    running.commit()
    assert (tmp_path / "a.bin").read_bytes() == b"half"
    assert (tmp_path / "target").read_bytes() == b"mine"
    assert others <= set(all_files(tmp_path))


def too_long(root: Path) -> list[str]:
    """Return paths whose names are short enough, and which are too long together."""
    left = os.pathconf(root, "PC_PATH_MAX") - len(os.fsencode(root)) - 5
    name = "n" * 200
    return [
        "/".join([name] * 30),
        "/".join(["ä" * 100] * 30),
        f"{'/'.join([name] * (left // 201))}/{'x' * (left % 201)}",  # with a temporary name only
    ]


@pytest.mark.parametrize("before", ["the lock", "the check of the lock"])
def test_a_partial_file_that_is_removed_before_it_is_locked_is_created_again(
    before: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, removed, folder = file_lock.try_lock, list[Path](), tmp_path / "out"
    folder.mkdir()

    def lock_late(file: int) -> None:
        if removed:  # by `remove_abandoned` itself, or by the second attempt
            lock(file)
            return
        removed.append(next(folder.iterdir()))
        part_file.remove_abandoned(removed[0])
        lock(file)

    def hold(file: int) -> None:
        if removed:
            lock(file)
            return
        removed.append(next(folder.iterdir()))
        with removed[0].open() as other:  # as `remove_abandoned` just before it deletes the file
            lock(other.fileno())
            try:
                lock(file)
            finally:
                removed[0].unlink()

    monkeypatch.setattr(part_file, "try_lock", lock_late if before == "the lock" else hold)
    file = PartFile(folder / "report.bin")
    file.write([b"content"])
    file.commit()
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == {"report.bin": b"content"}
    assert removed[0].name != "report.bin"


@pytest.mark.parametrize("name", ["a" * 255, "ä" * 127, "🎉" * 63 + "abc"])
async def test_the_longest_names_leave_room_for_a_temporary_one(name: str, tmp_path: Path) -> None:
    async with raw_server(served(b"x")) as server, client(server) as circle:
        await circle.artifacts.download(artifact_at(server, name), tmp_path)
    assert all_files(tmp_path) == {name: b"x"}


async def test_paths_that_no_file_system_takes_leave_nothing(tmp_path: Path) -> None:
    into = tmp_path / "out"
    async with raw_server(served(b"x")) as server, client(server) as circle:
        artifacts = [artifact_at(server, path) for path in (*too_long(into.parent), "n" * 256, f"a/{'ä' * 128}/b")]
        report = await circle.artifacts.download_all(artifacts, into)
        assert len(report.failed) == 5
        for failure in report.failed:
            assert isinstance(failure.error, ca.DownloadError)
        assert not into.exists()
        assert server.requests == []


async def test_a_file_system_with_shorter_names_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(destination, "MAX_NAME", 10_000)  # the limit of the file system is unknown
    async with raw_server(served(b"x")) as server, client(server) as circle:
        artifacts = [artifact_at(server, f"a/b/{'n' * 300}/c"), artifact_at(server, "a/b/d")]
        report = await circle.artifacts.download_all(artifacts, tmp_path / "out", concurrency=1)
    assert ["File name too long" in str(failure) for failure in report.failed] == [True]
    assert {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*")} == {
        "a",
        "a/b",
        "a/b/d",
    }


async def swap(server: RawServer, folder: Path, victim: Path) -> None:
    while not server.requests:
        await asyncio.sleep(0.001)
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(victim)


async def test_a_folder_that_is_swapped_for_a_link_midway_is_refused(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    async with raw_server(served(random_bytes(9_000), cut=5_000), served(b"x")) as server, client(server) as circle:
        artifacts = [artifact_at(server, f"a/{n}") for n in range(8)]
        swapping = asyncio.create_task(swap(server, tmp_path / "out" / "a", victim))
        report = await circle.artifacts.download_all(artifacts, tmp_path / "out", concurrency=1)
        await swapping
    assert list(victim.iterdir()) == []
    assert len(report.failed) == 8
    assert any("it is a link now" in str(failure) for failure in report.failed)


@pytest.mark.parametrize("folder", ["a\0b", "half \ud800", "\0"])
async def test_a_folder_that_no_path_can_name_is_an_invalid_argument(folder: str, tmp_path: Path) -> None:
    artifact = Artifact(path="a", node_index=0, url="http://127.0.0.1:1/a")
    async with ca.CircleCI(TOKEN, host="http://127.0.0.1:1") as circle:
        for name, call in (
            ("folder", lambda: circle.artifacts.download(artifact, folder)),
            ("folder", lambda: circle.artifacts.download_all([artifact], folder)),
            ("into", lambda: circle.harvest("gh/acme/api", folder)),
            ("into", lambda: ca.harvest_status(folder)),
            ("into", lambda: ca.verify_harvest(folder)),
        ):
            with pytest.raises(ca.InvalidArgument, match=f"^{name} must be a path without NUL and surrogates, got '"):
                await call()
