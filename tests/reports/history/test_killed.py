"""Collections that are killed and repeated: the same history as without interruption."""

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from circleci_async.testing import FakeCircleCI
from tests.reports.history.worlds import Nights, collect, files, rows

PROGRAM = """
import asyncio, itertools, json, os, signal, sys, time
import circleci_async as ca
import circleci_async.core.codec, circleci_async.reports.history.collect, polars
from tests.harvest.snapshots import call_before_steps

def die_before_step(number):
    steps = itertools.count(1)
    def before(name):
        if next(steps) == number:
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)  # the signal can take a moment
    call_before_steps(before, setattr)

async def collect(host, into):
    async with ca.CircleCI("fake-token", host=host, trust_env=False) as circle:
        (await circle.insights.collect("gh/acme/api", into)).is_complete or sys.exit(2)

for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if not child:
        die_before_step(order["step"])
        asyncio.run(collect(order["host"], order["into"]))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print("killed" if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status), flush=True)
"""
"""Forks a child for each collection, so that the package is imported once."""


class Killer:
    """Runs collections in child processes, which are killed before a step that changes the disk."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    async def collect(self, fake: FakeCircleCI, into: Path, step: int) -> str:
        """Collect; return `killed`, or the exit code."""
        order: dict[str, Any] = {"host": fake.url, "into": str(into), "step": step}
        return await asyncio.to_thread(self._send, json.dumps(order))

    def _send(self, order: str) -> str:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{order}\n")
        stdin.flush()
        return stdout.readline().strip()


@pytest.fixture(scope="module")
def killer() -> Iterator[Killer]:
    command = (sys.executable, "-c", PROGRAM)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=Path(__file__).parents[3]) as process:
        yield Killer(process)
        process.kill()


async def test_collections_killed_at_ten_moments_and_repeated_equal_one(killer: Killer, tmp_path: Path) -> None:
    nights = Nights()
    nights.pass_days(2)
    await collect(nights, tmp_path / "once")
    expected, expected_rows = files(tmp_path / "once"), rows(tmp_path / "once")
    moments = random.Random(12)
    async with FakeCircleCI(nights.world) as fake:
        into = tmp_path / "killed"
        for _ in range(10):
            assert await killer.collect(fake, into, moments.randint(1, 8)) == "killed"
            stored = rows(into)
            for project in {each.project for each in stored["runs"]}:  # a stored run implies the rest
                for name in ("jobs", "tests", "flaky_tests"):
                    found, due = (
                        [each for each in some[name] if each.project == project] for some in (stored, expected_rows)
                    )
                    assert found == due
        assert await killer.collect(fake, into, 10**6) == "0"
        assert rows(into) == expected_rows
        assert files(into) == expected
