"""Harvests in processes that can be killed. One process imports all there is, then forks a child for each harvest."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from circleci_async.testing import FakeCircleCI

PROGRAM = """
import asyncio, itertools, json, os, signal, sys, threading, time
import circleci_async as ca
import circleci_async.core.codec, circleci_async.harvest.run
from circleci_async.downloads.part_file import PartFile
from circleci_async.harvest.ledger import Ledger
from circleci_async.harvest.register import Register
from circleci_async.harvest.store import Store
from circleci_async.harvest.tree import Tree

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # it may take a moment

def die_at(where, when, call):
    kind, name = where.split(".")
    kind = globals()[kind]
    method = getattr(kind, name)
    calls = itertools.count(1)
    def deadly(*args, **kwargs):
        number = next(calls)  # there may be several threads
        if number == call and when == "before":
            die()
        result = method(*args, **kwargs)
        if number == call:
            die()
        return result
    setattr(kind, name, deadly)

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
        if "after" in order:
            threading.Timer(order["after"], die).start()
        if "at" in order:
            die_at(*order["at"])
        asyncio.run(harvest(order["host"], order["artifact_host"], order["into"], order["options"]))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print("killed" if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status), flush=True)
"""


class Killer:
    """Runs harvests of gh/acme/api, and kills them."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def harvest(
        self, fake: FakeCircleCI, into: Path, *, options: dict[str, Any] | None = None, **order: Any
    ) -> str:
        """Harvest; `after` seconds or `at` a call of a method (such as `("Tree.settle", "before", 3)`) the process is
        killed. Returns "killed" or the exit code."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        order |= {"host": fake.url, "artifact_host": fake.artifact_host, "into": str(into), "options": options or {}}
        stdin.write(f"{json.dumps(order)}\n".encode())
        return (await stdout.readline()).decode().strip()


@asynccontextmanager
async def killer() -> AsyncGenerator[Killer]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Killer(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
