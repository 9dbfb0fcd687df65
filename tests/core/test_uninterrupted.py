"""Work that must finish is waited for although the caller is cancelled."""

import asyncio

import pytest

from circleci_async.core.uninterrupted import uninterrupted


async def cancelled_while_waiting(work: "asyncio.Future[int]") -> "asyncio.Task[int]":
    """Start a task that waits for the work, and cancel it twice."""
    task = asyncio.create_task(uninterrupted(work))
    for _ in range(2):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_the_result_of_the_work_is_returned() -> None:
    work = asyncio.get_running_loop().run_in_executor(None, lambda: 7)
    assert await uninterrupted(work) == 7
    assert await uninterrupted(work) == 7


async def test_the_error_of_the_work_is_raised() -> None:
    work: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    work.set_exception(OSError("disk full"))
    with pytest.raises(OSError, match="disk full"):
        await uninterrupted(work)


async def test_a_cancellation_is_raised_once_the_work_is_done() -> None:
    work: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = await cancelled_while_waiting(work)
    work.set_result(7)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not work.cancelled()


async def test_a_cancellation_hides_the_error_of_the_work() -> None:
    work: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = await cancelled_while_waiting(work)
    work.set_exception(OSError("disk full"))
    with pytest.raises(asyncio.CancelledError):
        await task  # and asyncio does not log the OSError as never retrieved: the suite fails on that


async def test_cancelled_work_raises_its_cancellation() -> None:
    work: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = await cancelled_while_waiting(work)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
