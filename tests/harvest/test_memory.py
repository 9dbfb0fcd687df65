"""Peak memory with many and with large artifacts."""

import asyncio
import json
import sys
from pathlib import Path

from circleci_async.testing import FakeCircleCI, World

MANY = 10_000
FETCHED = 500

PROGRAM = """
import asyncio, json, sys
import circleci_async as ca
from tests.harvest.peak import peak

async def main(url, host, into):
    async with ca.CircleCI("fake-token", host=url, artifact_hosts=[host], trust_env=False) as circle:
        few = await circle.harvest("gh/acme/few", into + "/few")
        before = peak()
        many = await circle.harvest("gh/acme/many", into + "/many", select=ca.Selection(path="**/*0.txt"))
        again = await circle.harvest("gh/acme/many", into + "/many", select=ca.Selection(path="**/*0.txt"))
        large = await circle.harvest("gh/acme/large", into + "/large")
    for report in (few, many, again, large):
        report.raise_for_failures()
    counts = [len(few.files), len(many.files), len(again.skipped), len(large.files)]
    print(json.dumps([counts, before, peak()]))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_memory_does_not_grow_with_the_number_of_artifacts(tmp_path: Path) -> None:
    world = World()
    few = world.project("gh/acme/few").pipeline().workflow("build").job("test")
    for number in range(50):
        few.artifact(f"{number}.txt", size=2_000)
    workflow = world.project("gh/acme/many").pipeline().workflow("build")
    for _ in range(10):
        job = workflow.job("test")
        for number in range(MANY // 10):
            ending = "0.txt" if number % (MANY // FETCHED) == 0 else "1.txt"
            job.artifact(f"logs/{number % 7}/of a path as long as they are/{number}-{ending}", size=2_000)
    large = world.project("gh/acme/large").pipeline().workflow("build").job("test")
    for number in range(4):
        large.artifact(f"{number}.bin", size=24 * 1024 * 1024)
    async with FakeCircleCI(world, page_size=500, record=False) as fake:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROGRAM, fake.url, fake.artifact_host, str(tmp_path)),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
    counts, before, peak = json.loads(output)
    assert counts == [50, FETCHED, FETCHED, 4]
    assert peak < 150 * 1024 * 1024
    assert peak - before < 80 * 1024 * 1024
