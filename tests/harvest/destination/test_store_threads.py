"""Calls of a bucket run in threads that neither abort nor delay the exit of the interpreter."""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from circleci_async.harvest.destination.store_threads import StoreThreads
from tests.s3.proxy import Fault, FaultProxy
from tests.s3.server import TestBucket

PROGRAM = """
import asyncio, sys, time, types
from pathlib import Path
from circleci_async.harvest.destination.stores import open_bucket
from circleci_async.harvest.destination.store_threads import StoreThreads

class Lingering:
    sleep = staticmethod(time.sleep)
    def __del__(self):  # the interpreter shuts down meanwhile
        self.sleep(float(sys_argv[3]))

sys.modules["lingering"] = types.ModuleType("lingering")
sys.modules["lingering"].object = Lingering()
Lingering.__del__.__globals__["sys_argv"] = list(sys.argv)

def put_file(key):
    with Path(sys.argv[2]).open("rb") as file:
        bucket.put(key, file)

async def main():
    threads = StoreThreads(8)
    calls = [asyncio.ensure_future(threads.run(bucket.put, f"small/{n}", b"x")) for n in range(3)]
    calls += [asyncio.ensure_future(threads.run(put_file, f"large/{n}")) for n in range(2)]
    calls += [asyncio.ensure_future(threads.run(lambda: list(bucket.list())))]
    print("started", flush=True)
    if sys.argv[4] == "wait":
        await asyncio.gather(*calls)
    await asyncio.sleep(0.05)

bucket = open_bucket("into", sys.argv[1])
asyncio.run(main())
"""


def run(s3: TestBucket, file: Path, *arguments: str) -> None:
    command = [sys.executable, "-c", PROGRAM, s3.url, str(file), *arguments]
    done = subprocess.run(
        command, env={**os.environ, **s3.env}, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "started\n", "")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(bytes(9_000_000))
    return path


def test_a_program_that_exits_after_its_calls(s3: TestBucket, file: Path) -> None:
    run(s3, file, "0", "wait")
    assert len(s3.keys("large/")) == 2


def test_calls_that_end_while_the_interpreter_shuts_down(s3: TestBucket, s3_proxy: FaultProxy, file: Path) -> None:
    s3_proxy.add(Fault(delay=0.15))
    run(s3, file, "0.3", "exit")


def test_calls_that_wait_do_not_delay_the_exit(s3: TestBucket, s3_proxy: FaultProxy, file: Path) -> None:
    s3_proxy.add(Fault(delay=600))
    run(s3, file, "0", "exit")  # fails after 60 s
    assert s3.keys() == []


async def test_no_more_calls_than_allowed_run_at_a_time() -> None:
    threads = StoreThreads(3)
    barrier = threading.Barrier(3)
    used: set[int] = set()

    def call() -> None:
        used.add(threading.get_ident())
        barrier.wait(30)

    await asyncio.gather(*(threads.run(call) for _ in range(9)))
    assert len(used) == 3
    threads.close()


async def test_a_cancelled_call_does_not_block_the_others() -> None:
    threads = StoreThreads(1)
    release = threading.Event()
    ran: list[str] = []
    first = asyncio.ensure_future(threads.run(release.wait, 30))
    queued = asyncio.ensure_future(threads.run(ran.append, "cancelled"))
    last = asyncio.ensure_future(threads.run(ran.append, "last"))
    await asyncio.sleep(0)
    for call in (first, queued):
        call.cancel()
    await asyncio.gather(first, queued, return_exceptions=True)
    release.set()
    await last
    assert ran == ["last"]
    threads.close()


@pytest.mark.parametrize("closes", [True, False])
async def test_the_threads_end(closes: bool) -> None:
    before = set(threading.enumerate())
    threads = StoreThreads(2)
    barrier = threading.Barrier(2)
    await asyncio.gather(threads.run(barrier.wait, 30), threads.run(barrier.wait, 30))
    ours = [thread for thread in threading.enumerate() if thread not in before and "store" in thread.name]
    assert len(ours) == 2
    if closes:
        threads.close()
    del threads
    for thread in ours:
        await asyncio.to_thread(thread.join, 30)
        assert not thread.is_alive()


async def test_close_cancels_the_calls_that_wait() -> None:
    threads = StoreThreads(1)
    release = threading.Event()
    first = asyncio.ensure_future(threads.run(release.wait, 30))
    queued = asyncio.ensure_future(threads.run(print))
    await asyncio.sleep(0.01)
    threads.close()
    with pytest.raises(asyncio.CancelledError):
        await queued
    release.set()
    assert await first
