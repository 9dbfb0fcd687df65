"""Harvests in processes that are killed. One process imports the package once and forks a child for each harvest."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from circleci_async.testing import FakeCircleCI

DOWNTIME = 0.05
"""Seconds of an outage that harvests tolerate which `try_to_kill` runs."""

PROGRAM = """
import asyncio, itertools, json, os, signal, sys, threading, time
import circleci_async as ca
import circleci_async.core.codec, circleci_async.harvest.run
from circleci_async.downloads.part_file import PartFile
from circleci_async.harvest import outage
from circleci_async.harvest.committer import Committer
from circleci_async.harvest.ledger.remote import remote_ledger
from tests.harvest.snapshots import call_before_steps

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # the signal can take a moment

def die_after_bytes(size):
    write, written = PartFile.write, [0]
    def deadly(self, parts):
        written[0] += sum(map(len, parts))
        write(self, parts)
        if written[0] >= size:
            die()
    PartFile.write = deadly

def die_after_files(count):
    write, add, added, batches = Committer._write, Committer.add, [], []
    def write_once(self):
        if not batches:
            batches.append(self)
            write(self)
    async def note(self, file):
        await add(self, file)
        added.append(file)
        if len(added) >= count:
            die()
    Committer._write, Committer.add = write_once, note

def die_before_step(number):
    steps = itertools.count(1)
    call_before_steps(lambda name: die() if next(steps) == number else None, setattr)

def limit_files(size):
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

async def harvest(host, artifact_host, into, options, is_strict):
    max_wait = 120 if is_strict else 0.2
    retry = ca.RetryPolicy(attempts=3, initial_delay=0.001, max_delay=0.01, max_wait=max_wait)
    trusted = [artifact_host]
    async with ca.CircleCI("fake-token", host=host, artifact_hosts=trusted, retry=retry, trust_env=False) as circle:
        if "calls" in options:
            calls = options.pop("calls")
            async def on_file(file):
                with open(calls, "a") as notes:
                    print(file.target, file=notes)
            options["on_file"] = on_file
        report = await circle.harvest("gh/acme/api", into, **options)
        if is_strict:
            report.raise_for_failures()

for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if child:
        print(child, flush=True)
    else:
        os.environ.update(order["env"])
        remote_ledger.CHECKPOINT_INTERVAL = order["checkpoints"] or remote_ledger.CHECKPOINT_INTERVAL
        if order["seconds"] is not None:
            threading.Timer(order["seconds"], die).start()
        if order["written"] is not None:
            die_after_bytes(order["written"])
        if order["files"] is not None:
            die_after_files(order["files"])
        if order["step"] is not None:
            die_before_step(order["step"])
        if order["file_size"] is not None:
            limit_files(order["file_size"])
        if not order["is_strict"]:
            outage.MAX_DOWNTIME = order["downtime"]
        parts = ("host", "artifact_host", "into", "options", "is_strict")
        try:
            asyncio.run(harvest(*(order[part] for part in parts)))
        except ca.CircleCIError:
            if order["is_strict"]:
                raise
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print("killed" if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status), flush=True)
"""


class Killer:
    """Runs harvests of gh/acme/api in child processes, and kills them."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._child = 0

    def die(self) -> None:
        """Kill the harvest that is running. Allowed in any thread."""
        if self._child:
            os.kill(self._child, signal.SIGKILL)

    async def harvest(self, fake: FakeCircleCI, into: Path, **options: Any) -> None:
        """Harvest to the end."""
        assert await self._order(fake, into, options) == "0"

    async def try_to_kill(
        self,
        fake: FakeCircleCI,
        into: Path,
        *,
        host: str,
        seconds: float | None = None,
        step: int | None = None,
        file_size: int | None = None,
        **options: Any,
    ) -> bool:
        """Harvest in a process; return whether it was killed before it ended, with or without failures.

        After `seconds`, or before the step with the number `step` that changes the disk. The system refuses to make a
        file longer than `file_size`.
        """
        when = {"seconds": seconds, "step": step, "file_size": file_size}
        end = await self._order(fake, into, options, host=host, is_strict=False, **when)
        assert end in {"0", "killed"}
        return end == "killed"

    async def harvest_until_killed(
        self, fake: FakeCircleCI, into: str, env: Mapping[str, str], *, checkpoints: float | None = None, **options: Any
    ) -> bool:
        """Harvest into a bucket, with these variables in the environment; return whether `die` was called before it
        ended. `checkpoints`: seconds between those of the ledger."""
        end = await self._order(fake, into, options, env=dict(env), checkpoints=checkpoints)
        assert end in {"0", "killed"}
        return end == "killed"

    async def kill(
        self,
        fake: FakeCircleCI,
        into: Path,
        *,
        seconds: float | None = None,
        written: int | None = None,
        files: int | None = None,
        **options: Any,
    ) -> None:
        """Harvest in a process that is killed.

        After `seconds`, after `written` bytes of large files, or when this number of `files` has arrived, of which only
        the first batch is committed.
        """
        when: dict[str, Any] = {"seconds": seconds, "written": written, "files": files}
        assert await self._order(fake, into, options, **when) == "killed"

    async def _order(self, fake: FakeCircleCI, into: Path | str, options: dict[str, Any], **more: Any) -> str:
        names = ("seconds", "written", "files", "step", "file_size", "checkpoints")
        order: dict[str, Any] = {**dict.fromkeys(names), "options": options, "is_strict": True, "downtime": DOWNTIME}
        order["env"] = {}
        order |= {"host": fake.url, "artifact_host": fake.artifact_host, "into": str(into), **more}
        return await asyncio.to_thread(self._send, json.dumps(order))

    def _send(self, order: str) -> str:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{order}\n")
        stdin.flush()
        self._child = int(stdout.readline())
        end = stdout.readline().strip()
        self._child = 0
        return end


@contextmanager
def killer() -> Iterator[Killer]:
    command = (sys.executable, "-c", PROGRAM)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=Path(__file__).parents[2]) as process:
        yield Killer(process)
