"""Report 5,000 runs of 20 projects from an embedded CircleCI: requests, quota, memory, and bare aiohttp."""

import asyncio
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

import circleci_async as ca
from circleci_async.testing import FakeCircleCI, RateLimit, World

from .measure import direct_environment, folder_for, peak_memory

PROJECTS, RUNS = 20, 5_200
RATE, BURST = 50, 50
"""Requests per second that the server admits, and those that it admits at once."""

CONCURRENCY = 16
"""Requests in flight, of both sides."""

PAGE_ROOM = 10 * 1024 * 1024
"""Bytes for the page."""


def run(*, is_quick: bool = False, rounds: int = 5) -> None:
    """Print the tables."""
    projects, runs = (2, 100) if is_quick else (PROJECTS, RUNS)
    with folder_for(PAGE_ROOM) as folder:
        if folder is None:
            print("No room for the page of a report.\n")
            return
        world = World.history(projects=projects, runs=runs)
        found = asyncio.run(_measure(world, folder / "report.html"))
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
        sdk, bare = asyncio.run(_compare(world, 1 if is_quick else rounds))
    print("| without a limit | this SDK, ms | bare aiohttp, ms | ratio of medians |")
    print("|---|--:|--:|--:|")
    cells = f"{sdk * 1000:,.0f} | {bare * 1000:,.0f} | {sdk / bare:.2f}"
    print(
        f"| the same {found['pages']:,} requests, {CONCURRENCY} at once, into tables and into dicts | {cells} |\n",
        flush=True,
    )


async def _measure(world: World, page: Path) -> dict[str, Any]:
    """Make the report in a process of its own; return what it printed, and what the server counted."""
    async with FakeCircleCI(world, rate_limit=RateLimit(RATE, burst=BURST)) as fake:
        found = await _child(fake, "page", str(page))
        pages = {(request.path, str(request.query)) for request in fake.requests}
        refused = fake.rate_limited
        return {**found, "pages": len(pages), "refused": refused, "admitted": len(fake.requests) - refused}


async def _compare(world: World, rounds: int) -> tuple[float, float]:
    """Return the median seconds of a report and of bare requests, alternately, from a server without a limit."""
    async with FakeCircleCI(world, record=False) as fake:
        found = await _child(fake, "compare", str(rounds))
        return statistics.median(found["sdk"]), statistics.median(found["bare"])


async def _child(fake: FakeCircleCI, *arguments: str) -> dict[str, Any]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.report", *arguments),
        stdout=asyncio.subprocess.PIPE,
        env={**direct_environment(), **fake.environment},
    )
    out, _ = await child.communicate()
    if child.returncode:
        raise RuntimeError(f"the report failed with exit code {child.returncode}")
    found: dict[str, Any] = json.loads(out)
    return found


async def page(path: str) -> dict[str, Any]:
    """Read the report and make its page; return the times and the memory."""
    async with ca.CircleCI() as circle:
        start = time.perf_counter()
        report = await circle.insights.report("gh/acme", concurrency=CONCURRENCY)
        seconds = time.perf_counter() - start
    assert report.failures == (), report.failures
    rows = report.rows()
    peak_tables = peak_memory() or 0.0
    start = time.perf_counter()
    size = report.save(path).stat().st_size
    return {
        "runs": len(rows["runs"]),
        "seconds": seconds,
        "peak_tables": peak_tables,
        "page_seconds": time.perf_counter() - start,
        "peak": peak_memory() or 0.0,
        "page_size": size,
    }


async def compare(rounds: str) -> dict[str, list[float]]:
    """Read the report, and send the same requests with bare aiohttp, alternately; return the seconds."""
    urls: list[str] = []

    async def record(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        urls.append(str(request.url))
        return await handler(request)

    await _sdk(record)  # not counted
    times: dict[str, list[float]] = {"sdk": [], "bare": []}
    for _ in range(int(rounds)):
        for name, work in (("sdk", _sdk()), ("bare", _bare(urls))):
            start = time.perf_counter()
            await work
            times[name].append(time.perf_counter() - start)
    return times


async def _sdk(*middlewares: aiohttp.ClientMiddlewareType) -> None:
    async with ca.CircleCI(middlewares=middlewares) as circle:
        await circle.insights.report("gh/acme", concurrency=CONCURRENCY)


async def _bare(urls: list[str]) -> None:
    async def worker() -> None:
        while left:
            async with http.get(URL(left.pop(), encoded=True)) as response:
                response.raise_for_status()
                json.loads(await response.read())

    left = [*urls]
    async with aiohttp.ClientSession(headers={"Circle-Token": os.environ["CIRCLE_TOKEN"]}) as http:
        await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))


if __name__ == "__main__":
    name, argument = sys.argv[1:]
    print(json.dumps(asyncio.run(page(argument) if name == "page" else compare(argument))))
