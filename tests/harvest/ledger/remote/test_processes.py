"""Processes that share a ledger in S3: one is killed, and another one continues."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from circleci_async.errors import LedgerBusy
from circleci_async.harvest.destination.stores import open_bucket
from circleci_async.harvest.ledger.remote.lease import LEASE
from tests.harvest.ledger.remote.stores import FaultyBucket, content, keys, running, settings
from tests.s3.server import TestBucket

PROGRAM = """
import asyncio, sys
from pathlib import Path
from circleci_async.harvest.destination.stores import open_bucket
from circleci_async.harvest.ledger.remote.lease import LEASE
from tests.harvest.ledger.remote.stores import running

async def main():
    async with running(open_bucket("into", sys.argv[1]), Path(sys.argv[2])) as run:
        await run.set("stored")
        await run.remote.checkpoint()
        await run.set("lost")
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
    print(run.lost, flush=True)

asyncio.run(main())
"""


@contextmanager
def process(url: str, folder: Path) -> Generator["subprocess.Popen[str]"]:
    """Run the program until it has stored a checkpoint; kill it at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, url, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == "ready\n"
            yield running
        finally:
            running.kill()


async def test_the_ledger_of_a_killed_process_is_continued(s3: TestBucket, tmp_path: Path) -> None:
    url = f"s3://{s3.name}/acme"
    with process(url, tmp_path / "a") as other:
        bucket = FaultyBucket(open_bucket("into", url))
        with pytest.raises(LedgerBusy, match=rf"another harvest \(process {other.pid} on "):
            async with running(bucket, tmp_path / "b"):
                pass
        assert await settings(bucket, tmp_path / "reader") == ["stored"]
    async with running(bucket, tmp_path / "a") as run:  # at once: it was a process of this host
        assert [name for _, name, _ in content(tmp_path / "a")["settings"]] == ["stored"]
        await run.set("new")
    assert run.lost == []
    assert await settings(bucket, tmp_path / "reader") == ["new", "stored"]
    assert len(keys(bucket)) == 3


async def test_a_process_that_was_suspended_for_minutes_cannot_write(s3: TestBucket, tmp_path: Path) -> None:
    url = f"s3://{s3.name}/acme"
    with process(url, tmp_path / "a") as other:
        other.send_signal(signal.SIGSTOP)
        bucket = FaultyBucket(open_bucket("into", url))
        bucket.ages[LEASE] = timedelta(minutes=2)
        async with running(bucket, tmp_path / "b") as run:
            await run.set("new")
            other.send_signal(signal.SIGCONT)
            output, _ = await asyncio.to_thread(other.communicate, "end\n")
            assert re.search(
                rf"LedgerBusy\('another harvest \(process {os.getpid()} on .+ has taken over {url}", output
            )
    assert run.lost == []
    assert await settings(bucket, tmp_path / "reader") == ["new", "stored"]
