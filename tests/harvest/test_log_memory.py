"""Peak memory with a large log."""

import asyncio
import json
import sys
from pathlib import Path

from circleci_async.testing import FakeCircleCI, World
from tests.harvest.test_memory import PROGRAM

SIZE = 24 * 1024 * 1024


async def test_memory_does_not_grow_with_the_size_of_a_log(tmp_path: Path) -> None:
    world = World()
    for name, size in (("few", 100_000), ("large", SIZE)):
        job = world.project(f"gh/acme/{name}").pipeline(branch="main").workflow("build").job("test")
        job.step("Run", size=size)
    program = (
        PROGRAM[: PROGRAM.index("async def main")]
        + """
async def main(url, host, into):
    async with ca.CircleCI("fake-token", host=url, artifact_hosts=[host], trust_env=False) as circle:
        (await circle.harvest("gh/acme/few", into + "/few", what="logs")).raise_for_failures()
        before = peak()
        report = await circle.harvest("gh/acme/large", into + "/large", what="logs")
        report.raise_for_failures()
    print(json.dumps([report.bytes, before, peak()]))

asyncio.run(main(*sys.argv[1:]))
"""
    )
    async with FakeCircleCI(world, record=False) as fake:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, fake.url, fake.artifact_host, str(tmp_path)),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
    size, before, peak = json.loads(output)
    assert size == SIZE
    assert peak - before < 16 * 1024 * 1024
