"""Partial files, and the thread that writes them."""

import asyncio
import gc
import hashlib
import threading
from pathlib import Path

import pytest

from circleci_async.downloads.part_file import PartFile, Worker


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name != "home"]


def test_a_file_appears_under_its_name_only_when_it_is_committed(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_bytes(b"old")
    part = PartFile(target)
    part.write([b"new ", b"", b"bytes"])
    assert target.read_bytes() == b"old"
    [partial] = [name for name in names(tmp_path) if name != "a.txt"]
    assert partial.startswith(".a.txt.")
    assert partial.endswith(".part")
    assert part.commit() == hashlib.sha256(b"new bytes").hexdigest()
    part.discard()
    assert (target.read_bytes(), part.size, names(tmp_path)) == (b"new bytes", 9, ["a.txt"])


def test_discarding_deletes_the_partial_file_and_keeps_the_target(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_bytes(b"old")
    part = PartFile(target)
    part.write([b"new"])
    part.discard()
    part.discard()
    assert (target.read_bytes(), names(tmp_path)) == (b"old", ["a.txt"])


def test_starting_over_resets_length_bytes_and_hash(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "a")
    part.write([b"a long beginning"])
    part.start_over()
    part.write([b"short"])
    assert part.size == 5
    assert part.commit() == hashlib.sha256(b"short").hexdigest()
    assert (tmp_path / "a").read_bytes() == b"short"


@pytest.mark.parametrize("name", ["a" * 255, "ä" * 127, "🎉" * 63 + "abc"])
def test_the_longest_names_leave_room_for_a_temporary_one(name: str, tmp_path: Path) -> None:
    part = PartFile(tmp_path / name)
    part.commit()
    assert names(tmp_path) == [name]


def test_two_partial_files_of_one_target_are_separate(tmp_path: Path) -> None:
    one, other = PartFile(tmp_path / "a"), PartFile(tmp_path / "a")
    one.write([b"one"])
    other.write([b"other"])
    one.commit()
    other.discard()
    assert ((tmp_path / "a").read_bytes(), names(tmp_path)) == (b"one", ["a"])


async def test_work_runs_beside_its_owner_one_piece_at_a_time() -> None:
    go, order = threading.Event(), list[str]()

    def first() -> None:
        go.wait(10)
        order.append("first")

    worker = Worker()
    await worker.begin(first)
    order.append("owner")
    second = asyncio.create_task(worker.begin(lambda: order.append("second")))
    await asyncio.sleep(0.01)
    assert order == ["owner"]
    go.set()
    await second
    await worker.finish()
    await worker.finish()
    assert order == ["owner", "first", "second"]


async def test_an_error_of_the_work_is_raised_once_by_the_next_wait() -> None:
    def fail() -> None:
        raise OSError("disk full")

    worker = Worker()
    await worker.begin(fail)
    with pytest.raises(OSError, match="disk full"):
        await worker.finish()
    await worker.finish()
    await worker.begin(fail)
    with pytest.raises(OSError, match="disk full"):
        await worker.begin(lambda: None)
    await worker.aclose()


async def test_closing_waits_for_the_work_although_cancelled() -> None:
    go, done = threading.Event(), list[str]()

    def work() -> None:
        go.wait(10)
        done.append("work")
        raise OSError("ignored")

    async def owner() -> None:
        worker = Worker()
        await worker.begin(work)
        try:
            await worker.finish()
        finally:
            await worker.aclose()
            done.append("closed")  # not reached: the cancellation is raised

    task = asyncio.create_task(owner())
    await asyncio.sleep(0.01)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.01)
        assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["work"]
    del task
    await asyncio.sleep(0)
    gc.collect()  # asyncio would now log an exception that was never retrieved


def test_the_end_of_the_program_waits_for_the_thread() -> None:
    """`asyncio.run` cancels all remaining tasks: the work must not be one of them."""
    go, order = threading.Event(), list[str]()

    def work() -> None:
        go.wait(10)
        order.append("work")

    async def owner() -> None:
        worker = Worker()
        await worker.begin(work)
        try:
            await asyncio.Event().wait()
        finally:
            asyncio.get_running_loop().call_later(0.01, go.set)
            await worker.aclose()
            order.append("file removed")

    async def main() -> None:
        order.append("main")
        asyncio.create_task(owner()).add_done_callback(lambda _: None)
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert order == ["main", "work", "file removed"]
