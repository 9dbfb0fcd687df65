"""Report 5,000 runs of 20 projects from an embedded CircleCI with a rate limit: requests, quota, memory and size."""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import circleci_async as ca
from circleci_async.testing import FakeCircleCI, RateLimit, World

from .measure import direct_environment, folder_for, peak_memory

PROJECTS, RUNS = 20, 5_200
RATE, BURST = 50, 50
"""Requests per second that the server admits, and those that it admits at once."""

PAGE_ROOM = 10 * 1024 * 1024
"""Bytes for the page."""


def run(*, is_quick: bool = False) -> None:
    """Print the table."""
    projects, runs = (4, 400) if is_quick else (PROJECTS, RUNS)
    with folder_for(PAGE_ROOM) as folder:
        if folder is None:
            print("No room for the page of a report.\n")
            return
        found = asyncio.run(_measure(World.history(projects=projects, runs=runs), folder))
    print(f"| a report of {projects} projects, {found['runs']:,} runs in 90 days | measured | goal |")
    print("|---|--:|--:|")
    share = found["admitted"] / (BURST + RATE * found["seconds"])
    print(f"| requests for {found['pages']:,} pages, refused ones left out | {found['admitted']:,} | 1.05 x |")
    print(f"| requests that were refused | {found['refused']:,} | |")
    print(f"| share of the quota of {RATE} requests per second | {share:.0%} | 85 % |")
    print(f"| reading, s | {found['seconds']:.1f} | |")
    print(f"| making the page, s | {found['page_seconds']:.1f} | |")
    print(f"| peak memory after reading, MiB | {found['peak_tables']:.0f} | 200 |")
    print(f"| peak memory after making the page, MiB | {found['peak']:.0f} | 200 |")
    print(f"| size of the page, MB | {found['page_size'] / 1e6:.2f} | 3 |\n", flush=True)


async def _measure(world: World, folder: Path) -> dict[str, Any]:
    """Make the report in a process of its own; return what it printed and what the server counted."""
    async with FakeCircleCI(world, rate_limit=RateLimit(RATE, burst=BURST)) as fake:
        client = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.report", str(folder / "report.html")),
            stdout=asyncio.subprocess.PIPE,
            env={**direct_environment(), **fake.environment},
        )
        out, _ = await client.communicate()
        if client.returncode:
            raise RuntimeError(f"the report failed with exit code {client.returncode}")
        pages = {(request.path, str(request.query)) for request in fake.requests}
        refused = fake.rate_limited
        return {**json.loads(out), "pages": len(pages), "refused": refused, "admitted": len(fake.requests) - refused}


async def main(page: str) -> None:
    """Read the report and make its page; print the times and the memory."""
    async with ca.CircleCI() as circle:
        start = time.perf_counter()
        report = await circle.insights.report("gh/acme")
        seconds = time.perf_counter() - start
    assert report.failures == (), report.failures
    rows = report.rows()
    peak_tables = peak_memory() or 0.0
    start = time.perf_counter()
    size = report.save(page).stat().st_size
    print(
        json.dumps(
            {
                "runs": len(rows["runs"]),
                "seconds": seconds,
                "peak_tables": peak_tables,
                "page_seconds": time.perf_counter() - start,
                "peak": peak_memory() or 0.0,
                "page_size": size,
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
