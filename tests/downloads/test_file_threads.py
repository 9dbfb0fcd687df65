"""The threads that hash and write large files, and how much memory these share."""

import asyncio
import gc
import threading

import pytest

from circleci_async.downloads.file_threads import (
    INLINE,
    MAX_MEMORY,
    FileThreads,
    FileWorker,
    available_cores,
    batch_size,
)


def test_the_batches_of_all_files_share_the_memory() -> None:
    for files in range(1, MAX_MEMORY // (2 * INLINE) + 1):
        assert files * 2 * batch_size(files, 1 << 40) <= MAX_MEMORY


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
