"""Many pipelines are watched at once, within the rate limit."""

import asyncio
from collections import defaultdict
from itertools import pairwise

from circleci_async import Change
from circleci_async.testing import RateLimit
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_is_left
from tests.watching.builds import SLUG, running, world

PIPELINES = 25
PER_SECOND = 5
ORDER = ("pending", "created", "blocked", "queued", "running", "failing", "success", "failed")
"""The order of states and statuses in the pipelines of this test."""


@fast_clock
async def test_25_pipelines_are_watched_within_5_requests_per_second() -> None:
    it = world()
    project = it.project(SLUG)
    project.on_trigger("build", ["test:failed"])
    async with running(it, rate_limit=RateLimit(PER_SECOND), run_time=50) as (fake, circle):
        ids = [(await circle.pipelines.trigger(SLUG)).id for _ in range(PIPELINES)]
        seen: dict[str, list[Change]] = defaultdict(list)

        async def watch(id: str) -> None:
            async for change in circle.pipelines.watch(id):
                seen[id].append(change)

        tasks = [asyncio.create_task(watch(id)) for id in ids]
        await asyncio.sleep(40)
        for task in tasks[::10]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)

        for number, (id, result) in enumerate(zip(ids, results, strict=True)):
            if number % 10 == 0:
                assert isinstance(result, asyncio.CancelledError)
                continue
            assert result is None
            statuses: dict[str, list[str]] = defaultdict(list)
            for change in seen[id]:
                before = statuses[f"{change.kind} {change.name}"]
                assert change.before == (before[-1] if before else None)
                before.append(change.after)
            for each in statuses.values():
                assert all(ORDER.index(sooner) < ORDER.index(later) for sooner, later in pairwise(each))
            assert {what: each[-1] for what, each in statuses.items()} == {
                f"pipeline {number + 1}": "created",
                "workflow build": "failed",
                "job test": "failed",
            }
        times = sorted(each.at for each in fake.requests)
        for begin, end in zip(times, times[6 * PER_SECOND :], strict=False):
            assert end - begin > 4.9  # 31 requests, refused ones included, take 5 s
        assert fake.rate_limited < len(times) / 50
        await check_nothing_is_left(circle)
