"""Adds what is new in the insights of projects to a history."""

import asyncio
from collections import defaultdict
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ...core.arguments import check_positive_integer
from ...core.fan_out import fan_out
from ...core.session import Session
from ...core.when import parse_when
from ...endpoints.resource import ProjectsRef
from ...errors import InvalidArgument
from ...harvest.destination.place import HarvestDestination
from ...projects.given import given_projects
from ..attempts import Attempts
from ..reading import ProjectReader
from ..report import InsightsFailure
from .collection import InsightsChanges, InsightsCollection
from .project import ProjectCollection
from .store import HistoryStore

RECHECK: Final = "3d"


async def collect(
    session: Session,
    projects: ProjectsRef,
    into: HarvestDestination,
    *,
    recheck: str | timedelta = RECHECK,
    concurrency: int = 8,
) -> InsightsCollection:
    """Add what is new to a history. See `Insights.collect`."""
    length = _length("recheck", recheck)
    permits = asyncio.Semaphore(check_positive_integer("concurrency", concurrency))
    store = HistoryStore(into, name="into")
    try:
        given = await given_projects(session, projects)
        now = datetime.now(UTC)
        done: defaultdict[str, Any] = defaultdict(InsightsChanges)
        failures = [
            InsightsFailure(project=organization, kind="projects", error=error)
            for organization, error in given.organizations.items()
            if error is not None
        ]

        async def collect_project(project: str) -> dict[str, InsightsChanges]:
            attempts = Attempts(project, permits, failures)
            return await ProjectCollection(ProjectReader(session, project), store, attempts, length, now).collect()

        async with aclosing(fan_out(given.projects, collect_project, concurrency=concurrency)) as outcomes:
            async for _, outcome in outcomes:
                if isinstance(outcome, Exception):
                    raise outcome
                for name, changes in outcome.items():
                    done[name] += changes
    finally:
        store.close()
    return InsightsCollection(location=store.location, projects=given.projects, failures=tuple(failures), **done)


def _length(name: str, given: str | timedelta) -> timedelta:
    length = parse_when(name, given)
    if not isinstance(length, timedelta):
        raise InvalidArgument(f"{name} must be a length of time such as '3d' or '12h', got {given!r}")
    return length
