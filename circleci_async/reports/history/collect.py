"""Adds what is new in the insights of projects to a history."""

import asyncio
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ...core.arguments import check_positive_integer
from ...core.fan_out import map_concurrently
from ...core.progress import check_on_progress
from ...core.session import Session
from ...core.when import parse_length
from ...endpoints.resource import ProjectsRef
from ...harvest.destination.place import HarvestDestination
from ...projects.given import given_projects
from ..progress import InsightsProgressTracker, OnInsightsProgress
from ..reading import Attempts, ProjectReader, organization_failures
from .collection import InsightsChanges, InsightsCollection
from .project import ProjectCollection
from .store import HistoryStore
from .tables import FLAKY_TESTS, JOBS, RUNS, TESTS, HistoryTable

RECHECK: Final = "7d"


async def collect(
    session: Session,
    projects: ProjectsRef,
    into: HarvestDestination,
    *,
    recheck: str | timedelta = RECHECK,
    concurrency: int = 16,
    on_progress: OnInsightsProgress | None = None,
) -> InsightsCollection:
    """Add what is new to a history. See `Insights.collect`."""
    length = parse_length("recheck", recheck)
    permits = asyncio.Semaphore(check_positive_integer("concurrency", concurrency))
    check_on_progress(on_progress)
    session = session.with_options()  # counts the requests of this collection only
    with closing(HistoryStore(into, name="into")) as store:
        await store.check()
        given = await given_projects(session, projects)
        tracker = InsightsProgressTracker(session, on_progress)
        tracker.update(projects_total=len(given.projects))
        now = datetime.now(UTC)

        async def collect_project(slug: str) -> ProjectCollection:
            project = ProjectCollection(
                ProjectReader(session, slug),
                store,
                Attempts(slug, permits),
                length,
                now,
                lambda runs: tracker.add(runs=runs),
            )
            await project.collect()
            tracker.add(projects=1)
            return project

        done = await map_concurrently(given.projects, collect_project, concurrency=concurrency)

    def changes(table: HistoryTable[Any]) -> InsightsChanges:
        return sum((each.changes.get(table.name, InsightsChanges()) for each in done), InsightsChanges())

    return InsightsCollection(
        location=store.location,
        projects=given.projects,
        runs=changes(RUNS),
        jobs=changes(JOBS),
        tests=changes(TESTS),
        flaky_tests=changes(FLAKY_TESTS),
        failures=(*organization_failures(given), *(failure for each in done for failure in each.attempts.failures)),
        requests=session.requests,
    )
