"""Worlds with a clock that stands, to collect from on several nights, and what must be in their histories."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import circleci_async as ca
from circleci_async.reports.history.tables import FLAKY_TESTS, JOBS, RUNS, TESTS, HistoryTable, Partition
from circleci_async.testing import FakeCircleCI, Project, Workflow, World

TABLES: tuple[HistoryTable[Any], ...] = (RUNS, JOBS, TESTS, FLAKY_TESTS)

DAY = timedelta(days=1)

QUICK = ca.RetryPolicy(attempts=1)


class Nights:
    """A world whose clock is set to one night after another, at 2:00."""

    def __init__(self, *projects: str) -> None:
        today = datetime.now(UTC).replace(hour=2, minute=0, second=0, microsecond=0)
        self.first: datetime = today - 6 * DAY
        self.now: datetime = self.first
        self.world: World = World(clock=lambda: self.now)
        self.projects: list[Project] = [self.world.project(slug) for slug in projects or ("gh/acme/api",)]
        for project in self.projects:
            for age in range(70, 0, -3):
                run(project, self.now - age * DAY, status="failed" if age % 4 == 0 else "success")
                run(project, self.now - age * DAY, branch="fix", workflow="nightly")

    def pass_days(self, count: int) -> None:
        """Let days pass, each with some runs."""
        for _ in range(count):
            self.now += DAY
            for project in self.projects:
                run(project, self.now - DAY / 2, revision=f"of {self.now:%F}", status="failed")
                run(project, self.now - DAY / 3, revision=f"of {self.now:%F}")
                run(project, self.now - DAY / 4, branch="fix", workflow="nightly")

    def set(self, days: int) -> None:
        """Set the clock to a night."""
        self.now = self.first + days * DAY


def run(
    project: Project,
    at: datetime,
    *,
    branch: str = "main",
    workflow: str = "build",
    status: str = "success",
    revision: str | None = None,
) -> Workflow:
    """Add a run with two jobs. Its test fails with it, so that it is flaky on a revision with a successful run."""
    created = project.pipeline(branch=branch, created_at=at, revision=revision).workflow(workflow, status=status)
    job = created.job("test", status=status, duration=100 + at.day)
    job.test("test_flaky", result="failure" if status == "failed" else "success", run_time=2.0)
    job.test("test_slow", run_time=10 + at.day, classname="tests.slow", file="tests/slow.py")
    created.job("lint", duration=10)
    return created


async def collect(nights: Nights, into: Any, *projects: str, **options: Any) -> ca.InsightsCollection:
    """Collect all projects of the organization, or these, on a new client."""
    async with FakeCircleCI(nights.world) as fake, fake.client(retry=QUICK) as circle:
        return await circle.insights.collect(projects or "gh/acme", into, **options)


def files(into: Path) -> dict[str, bytes]:
    """Return the files of a history, without the lock."""
    found = {path.relative_to(into).as_posix(): path for path in into.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in sorted(found.items()) if name != ".history.lock"}


def rows(into: Path) -> dict[str, list[Any]]:
    """Return the rows of all tables of a history in a folder."""
    contents = {Partition.parse(name): content for name, content in files(into).items()}
    return {
        table.name: table.sorted(
            row
            for each, content in contents.items()
            if each and each.table == table.name
            for row in table.load(content)
        )
        for table in TABLES
    }


def is_empty(changes: ca.InsightsChanges) -> bool:
    """Return whether nothing was added or changed."""
    return changes == ca.InsightsChanges()
