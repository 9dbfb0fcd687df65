"""Worlds for the tests of reports, and clients of them."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import circleci_async as ca
from circleci_async.testing import FakeCircleCI, Job, JobTest, Project, World

DAY = timedelta(days=1)
QUICK = ca.RetryPolicy(attempts=2, initial_delay=0.001, max_delay=0.01)


def now() -> datetime:
    return datetime.now(UTC)


def run(
    project: Project,
    days_ago: float,
    duration: float = 60,
    *,
    status: str = "success",
    name: str = "build",
    branch: str = "main",
    job: str = "test",
    tests: tuple[JobTest, ...] = (),
    revision: str | None = None,
) -> Job:
    """Add a run of a workflow with one job."""
    at = project.world.clock() - days_ago * DAY
    pipeline = project.pipeline(branch=branch, created_at=at, revision=revision)
    built = pipeline.workflow(name, status=status).job(job, status=status, duration=duration)
    built.tests.extend(tests)
    return built


@asynccontextmanager
async def serving(world: World, **options: Any) -> AsyncGenerator[tuple[FakeCircleCI, ca.CircleCI]]:
    """Run an embedded CircleCI and a client."""
    async with FakeCircleCI(world, **options) as fake, fake.client(retry=QUICK) as circle:
        yield fake, circle


def repeated(fake: FakeCircleCI) -> list[str]:
    """Return the requests that were sent more than once."""
    counts = Counter(f"{each.method} {each.path}?{sorted(each.query.items())}" for each in fake.requests)
    return [request for request, count in counts.items() if count > 1]


def paths(fake: FakeCircleCI) -> list[str]:
    """Return the paths of the requests below `/api/v2`, sorted."""
    return sorted(each.path.removeprefix("/api/v2") for each in fake.requests)


def queries(fake: FakeCircleCI, ending: str) -> list[dict[str, str]]:
    """Return the queries of the requests whose path ends so, in order of arrival."""
    return [dict(each.query.items()) for each in fake.requests if each.path.endswith(ending)]
