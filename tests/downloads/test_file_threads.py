"""The threads that hash and write large files, and how much memory these share."""

import asyncio
import gc
import threading

import pytest

from circleci_async.downloads.file_threads import (
    FIRST_BATCH,
    INLINE,
    MAX_BATCH,
    MAX_MEMORY,
    FileThreads,
    FileWorker,
    available_cores,
    batch_size,
)


@pytest.mark.parametrize(
    ("files", "received", "size"),
    [
        (1, 0, FIRST_BATCH),
        (1, 2 * FIRST_BATCH, FIRST_BATCH),
        (1, 6 * FIRST_BATCH, 3 * FIRST_BATCH),
        (1, 1 << 40, MAX_BATCH),
        (3, 1 << 40, MAX_BATCH),
        (4, 1 << 40, 3 * 1024 * 1024),
        (32, 1 << 40, 384 * 1024),
        (48, 0, INLINE),
        (1000, 1 << 40, INLINE),
    ],
)
def test_a_batch_grows_with_the_file_and_shrinks_with_the_number_of_files(files: int, received: int, size: int) -> None:
    assert batch_size(files, received) == size


def test_the_batches_of_all_files_share_the_memory() -> None:
    for files in range(1, MAX_MEMORY // (2 * INLINE) + 1):
        assert files * 2 * batch_size(files, 1 << 40) <= MAX_MEMORY


async def test_a_file_counts_as_large_until_its_worker_is_closed() -> None:
    threads = FileThreads()
    small, large, larger = (FileWorker(threads) for _ in range(3))
    assert not small.is_due(INLINE, INLINE)
    assert threads.files == 0
    assert not large.is_due(INLINE + 1, INLINE + 1)
    assert large.is_due(FIRST_BATCH, FIRST_BATCH)
    assert threads.files == 1
    await larger.begin(lambda: None)
    assert threads.files == 2
    for worker in (small, large, larger, larger):
        await worker.aclose()
    assert threads.files == 0


async def test_there_are_as_many_threads_as_cores_and_they_end_with_the_last_file() -> None:
    threads, go, used = FileThreads(), threading.Event(), set[threading.Thread]()

    def work() -> None:
        used.add(threading.current_thread())
        go.wait(10)

    workers = [FileWorker(threads) for _ in range(available_cores() + 2)]
    for worker in workers:
        await worker.begin(work)
    go.set()
    for worker in workers:
        await worker.aclose()
    for thread in used:
        await asyncio.to_thread(thread.join, 10)
    assert len(used) <= available_cores()
    assert not any(thread.is_alive() for thread in used)


async def test_work_runs_beside_its_owner_one_piece_at_a_time() -> None:
    go, order = threading.Event(), list[str]()

    def first() -> None:
        go.wait(10)
        order.append("first")

    worker = FileWorker(FileThreads())
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

    worker = FileWorker(FileThreads())
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
        worker = FileWorker(FileThreads())
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
        worker = FileWorker(FileThreads())
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
