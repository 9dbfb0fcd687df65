"""Harvests in processes that are killed. One process imports the package once and forks a child for each harvest."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from circleci_async.testing import FakeCircleCI

PROGRAM = """
import asyncio, json, os, signal, sqlite3, sys, threading, time
import circleci_async as ca
import circleci_async.core.codec, circleci_async.harvest.run
from circleci_async.downloads.part_file import PartFile

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # the signal can take a moment

steps = []  # what was done to the disk, in order

def counted(function, name, at):
    def call(*args, **kwargs):
        if len(steps) == at:
            die()
        steps.append(name)
        return function(*args, **kwargs)
    return call

def count_steps(at):
    for name in ("mkdir", "replace", "unlink", "write"):
        setattr(os, name, counted(getattr(os, name), name, at))
    PartFile.write = counted(PartFile.write, "write", at)
    class Connection(sqlite3.Connection):
        committed = 0
        def execute(self, statement, *args):
            if statement != "COMMIT" or self.total_changes == self.committed:
                return super().execute(statement, *args)
            self.committed = self.total_changes
            return counted(super().execute, "commit", at)(statement, *args)
    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **kwargs: connect(*args, factory=Connection, **kwargs)

def die_after_bytes(size):
    write, written = PartFile.write, [0]
    def deadly(self, parts):
        written[0] += sum(map(len, parts))
        write(self, parts)
        if written[0] >= size:
            die()
    PartFile.write = deadly

async def harvest(host, artifact_host, into, options):
    retry = ca.RetryPolicy(attempts=3, initial_delay=0.001, max_delay=0.01)
    trusted = [artifact_host]
    async with ca.CircleCI("fake-token", host=host, artifact_hosts=trusted, retry=retry, trust_env=False) as circle:
        report = await circle.harvest("gh/acme/api", into, **options)
        report.raise_for_failures()

for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if not child:
        if order["seconds"] is not None:
            threading.Timer(order["seconds"], die).start()
        if order["written"] is not None:
            die_after_bytes(order["written"])
        count_steps(order["step"])
        asyncio.run(harvest(order["host"], order["artifact_host"], order["into"], order["options"]))
        print(json.dumps(steps), flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        print("killed" if os.WIFSIGNALED(status) else "failed", flush=True)
"""


class Killer:
    """Runs harvests of gh/acme/api in child processes, and kills them."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    async def harvest(self, fake: FakeCircleCI, into: Path, **options: Any) -> list[str]:
        """Harvest, and return the steps that changed the disk, in order."""
        steps: list[str] = json.loads(await self._order(fake, into, options))
        return steps

    async def kill(
        self,
        fake: FakeCircleCI,
        into: Path,
        *,
        seconds: float | None = None,
        step: int | None = None,
        written: int | None = None,
        **options: Any,
    ) -> None:
        """Harvest in a process that is killed after some seconds, before a step, or with so many bytes written."""
        outcome = await self._order(fake, into, options, seconds=seconds, step=step, written=written)
        assert outcome == "killed", (step, outcome)

    async def _order(
        self,
        fake: FakeCircleCI,
        into: Path,
        options: dict[str, Any],
        *,
        seconds: float | None = None,
        step: int | None = None,
        written: int | None = None,
    ) -> str:
        order: dict[str, Any] = {"seconds": seconds, "step": step, "written": written, "options": options}
        order |= {"host": fake.url, "artifact_host": fake.artifact_host, "into": str(into)}
        return await asyncio.to_thread(self._send, json.dumps(order))

    def _send(self, order: str) -> str:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{order}\n")
        stdin.flush()
        return stdout.readline().strip()


@contextmanager
def killer() -> Iterator[Killer]:
    command = (sys.executable, "-c", PROGRAM)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Killer(process)
