"""Processes that share a ledger in S3: one is killed, and another one continues."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from circleci_async.errors import LedgerBusy
from circleci_async.harvest.destination.bucket import open_bucket
from tests.harvest.ledger.remote.stores import FaultyBucket, content, keys, running, settings
from tests.s3.server import TestBucket

PROGRAM = """
import asyncio, sys
from pathlib import Path
from circleci_async.harvest.destination.bucket import open_bucket
from tests.harvest.ledger.remote.stores import running

async def main():
    async with running(open_bucket("into", sys.argv[1]), Path(sys.argv[2])) as run:
        await run.set("stored")
        await run.remote.checkpoint()
        await run.set("lost")
        print("ready", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_the_ledger_of_a_killed_process_is_continued(s3: TestBucket, tmp_path: Path) -> None:
    url = f"s3://{s3.name}/acme"
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, url, str(tmp_path / "a")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            bucket = FaultyBucket(open_bucket("into", url))
            with pytest.raises(LedgerBusy, match=rf"another harvest \(process {process.pid} on "):
                async with running(bucket, tmp_path / "b"):
                    pass
            assert await settings(bucket, tmp_path / "reader") == ["stored"]
        finally:
            process.send_signal(signal.SIGKILL)
    async with running(bucket, tmp_path / "a") as run:  # at once: it was a process of this host
        assert [name for _, name, _ in content(tmp_path / "a")["settings"]] == ["stored"]
        await run.set("new")
    assert run.lost == []
    assert await settings(bucket, tmp_path / "reader") == ["new", "stored"]
    assert len(keys(bucket)) == 3
