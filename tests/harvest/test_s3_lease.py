"""Two harvests into one bucket of S3: in one process, in two, on two machines, and after one was killed or paused."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.harvest.ledger.remote import remote_ledger
from circleci_async.testing import FakeCircleCI
from tests.cli.process import COMMAND
from tests.harvest.archives import archive, check_archive, check_finished, expire_lease, url_of
from tests.harvest.harvests import QUICK, all_artifacts, gets, small_world, usual_tree
from tests.s3.proxy import Fault, FaultProxy
from tests.s3.server import TestBucket

FILES = r"acme/[^.].*"
"""The names of finished files."""

pytestmark = pytest.mark.usefixtures("tmp_path")


class Gate:
    """A fault that lets some files through and holds all further ones."""

    def __init__(self, proxy: FaultProxy, skip: int) -> None:
        self.fault = proxy.add(Fault("PUT", FILES, skip=skip, delay=3600))

    async def reached(self, process: "subprocess.Popen[bytes] | None" = None) -> None:
        for _ in range(4_000):
            if self.fault.happened:
                return
            assert process is None or process.poll() is None
            await asyncio.sleep(0.005)
        raise AssertionError("timed out")


@contextmanager
def harvest_in_process(fake: FakeCircleCI, s3: TestBucket, cache: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """Run the command while the block runs, unless the block ends it."""
    env = {**os.environ, **s3.env, "XDG_CACHE_HOME": str(cache), "CIRCLE_HOST": fake.url, "CIRCLE_TOKEN": fake.token}
    env["CIRCLE_ARTIFACT_HOSTS"] = fake.artifact_host
    command = [*COMMAND, "harvest", "run", "gh/acme/api", "--into", url_of(s3)]
    process = subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


async def test_a_killed_process_on_this_machine_and_on_another_one(
    s3: TestBucket, s3_proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = small_world()
    async with FakeCircleCI(world) as fake:
        gate = Gate(s3_proxy, 3)
        with harvest_in_process(fake, s3, tmp_path / "a") as process:
            await gate.reached(process)
            holder = rf"another harvest \(process {process.pid} on {socket.gethostname()}\) is running in {url_of(s3)}"
            monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
            with pytest.raises(ca.LedgerBusy, match=holder):
                await archive(fake, s3)
            monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a"))
            with pytest.raises(ca.LedgerBusy, match=holder):  # from the lock of the shared working folder
                await archive(fake, s3)
            assert (await ca.harvest_status(url_of(s3))).is_running
            with pytest.raises(ca.LedgerBusy, match="verify after it has ended"):
                await ca.verify_harvest(url_of(s3))
            process.send_signal(signal.SIGKILL)
            process.wait()
        s3_proxy.faults.clear()
        put = check_finished(s3, usual_tree(all_artifacts(world)))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
        with pytest.raises(ca.LedgerBusy, match=r"if that process is gone, run the same command again in \d+ s"):
            await archive(fake, s3)
        assert check_finished(s3, usual_tree(all_artifacts(world))) == put

        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a"))
        (await archive(fake, s3)).raise_for_failures()  # at once, since it was a process of this machine
        await check_archive(fake, s3, all_artifacts(world))


async def test_two_harvests_in_one_process(s3: TestBucket, s3_proxy: FaultProxy) -> None:
    world = small_world(pipelines=1)
    async with FakeCircleCI(world) as fake:
        gate = Gate(s3_proxy, 2)
        async with fake.client(retry=QUICK) as circle:
            first = asyncio.create_task(circle.harvest("gh/acme/api", url_of(s3)))
            await gate.reached()
            with pytest.raises(ca.LedgerBusy, match=str(os.getpid())):
                await circle.harvest("gh/acme/api", url_of(s3))
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
        s3_proxy.faults.clear()
        (await archive(fake, s3)).raise_for_failures()
        await check_archive(fake, s3, all_artifacts(world))


async def test_a_harvest_that_was_paused_for_too_long_ends(
    s3: TestBucket, s3_proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = small_world()
    monkeypatch.setattr(remote_ledger, "RENEWAL_INTERVAL", 0.2)
    async with FakeCircleCI(world) as fake:
        gate = Gate(s3_proxy, 5)
        renewals = s3_proxy.add(Fault("PUT", r".*/lease\.json", skip=1, delay=3600))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a"))
        async with fake.client(retry=QUICK) as circle:
            paused = asyncio.create_task(circle.harvest("gh/acme/api", url_of(s3), concurrency=1))
            await gate.reached()
            while not renewals.happened:
                await asyncio.sleep(0.005)
            expire_lease(s3)
            s3_proxy.faults.clear()
            with monkeypatch.context() as patch:
                patch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
                (await archive_at(fake, s3)).raise_for_failures()
            s3_proxy.drop_connections()
            with pytest.raises(ca.LedgerBusy, match="has taken over"):
                report = await paused
                raise report.error or AssertionError(report)
        check_finished(s3, usual_tree(all_artifacts(world)))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
        await check_archive(fake, s3, all_artifacts(world))
        assert len(gets(fake)) <= len(all_artifacts(world)) + 7


async def archive_at(fake: FakeCircleCI, s3: TestBucket) -> ca.HarvestReport:
    """Harvest while another harvest of this process runs."""
    async with fake.client(retry=QUICK) as circle:
        return await circle.harvest("gh/acme/api", url_of(s3))
