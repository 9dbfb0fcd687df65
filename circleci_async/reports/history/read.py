"""A report from a history, without CircleCI."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from attrs import define, evolve, field

from ...core.fan_out import stream
from ...endpoints.resource import ProjectsRef
from ...errors import InvalidArgument, LedgerError
from ...harvest.destination.place import HarvestDestination
from ...models.insights_tables import (
    InsightsFlakyTest,
    InsightsJob,
    InsightsJobDay,
    InsightsRun,
    InsightsTest,
    InsightsUsage,
    InsightsWorkflow,
)
from ...projects.given import several
from ...slug import project_or_organization
from ..metrics import weighted_median, workflows_of
from ..reading import check_branch
from ..report import InsightsReport
from ..table import InsightsTable, sorted_table
from ..usage_rows import Rows, UsageFilter, UsageRows, local_rows
from ..window import InsightsWindow, Window, parse_window
from ..wording import listed
from .store import HistoryStore
from .tables import FLAKY_TESTS, JOBS, RUNS, TESTS, HistoryTable, Partition, month_of, without_counted

__all__ = ["report_from_history"]

T = TypeVar("T")

DAY: Final = timedelta(days=1)

MAX_QUIET: Final = timedelta(weeks=1)
"""The time without runs after which a history is assumed to begin later."""

MAX_LISTED: Final = 10
"""Projects that an error lists."""

JOBS_NOTE: Final = (
    "jobs are counted by whole days in UTC, without those of tags: runs and credits are exact, median and p95 are the"
    " medians of those of the days, weighted by runs"
)
TESTS_NOTE: Final = "test metrics cover the ten latest runs of each workflow at its last collection in the window"
BRANCH_NOTE: Final = "tests and flaky tests cover all branches"


async def report_from_history(
    history: HarvestDestination,
    projects: ProjectsRef | None = None,
    window: InsightsWindow = "90d",
    branch: str | None = None,
    *,
    usage: str | os.PathLike[str] | UsageRows | None = None,
) -> InsightsReport:
    """Return the report of a history that `insights.collect` wrote. Sends no request to CircleCI.

    - `history`: the folder or bucket, as `into` of `insights.collect`.
    - `projects`: projects of the history, or organizations for all of their projects in it; by default all.
    - `window`: as of `insights.report`, and also longer or earlier than the 90 days that CircleCI keeps.
    - `branch`: only its runs and jobs.
    - `usage`: the CSV file of a usage export, or its rows. A history has no usage.

    Only the files of the window, of the one before it, and of the projects are read. Needs the extra `report`. Raises
    `ConfigurationError`, `InvalidArgument`, `StoreError`, and `LedgerError` for an empty history or a damaged file.
    """
    now = datetime.now(UTC)
    span = parse_window(window, now)
    check_branch(branch)
    used = None if usage is None else local_rows(usage)
    named = None if projects is None else await _named(projects)
    store = HistoryStore(history, name="history")
    try:
        partitions = [each for table in (RUNS, JOBS, TESTS, FLAKY_TESTS) for each in await store.partitions(table.name)]
        known = sorted({each.project for each in partitions})
        if not known:
            raise LedgerError(
                f"history {store.location!r} contains no insights: collect them with"
                f" `circleci-async insights collect gh/acme --into {store.location}`"
            )
        slugs = known if named is None else _selected(named, known, store.location)
        reader = HistoryReader(store, span, branch)
        for slug in slugs:
            await reader.read([each for each in partitions if each.project == slug])
        if used is not None:
            await reader.read_usage(slugs, used())
        return reader.report(slugs)
    finally:
        store.close()


async def _named(projects: ProjectsRef) -> list[str]:
    """Return the slugs of projects and organizations."""
    async with aclosing(stream(several(projects))) as given:
        named = [str(project_or_organization(each)) async for each in given]
    if not named:
        raise InvalidArgument(f"projects must contain at least one project, such as 'gh/acme/api', got {projects!r}")
    return named


def _selected(named: Iterable[str], known: Sequence[str], location: str) -> tuple[str, ...]:
    """Return the projects of a history that slugs name, each once."""
    selected: dict[str, None] = {}
    for slug in named:
        found = [each for each in known if slug.lower() in {each.lower(), each.lower().rpartition("/")[0]}]
        if not found:
            raise InvalidArgument(
                f"projects: history {location!r} has no {slug!r}: it contains {listed(known, MAX_LISTED)}"
            )
        selected |= dict.fromkeys(found)
    return tuple(selected)


@define
class HistoryReader:
    """Reads the rows of a window, one project after another."""

    store: HistoryStore
    window: Window
    branch: str | None
    runs: list[InsightsRun] = field(factory=list[InsightsRun])
    workflows: list[InsightsWorkflow] = field(factory=list[InsightsWorkflow])
    previous: list[InsightsWorkflow] = field(factory=list[InsightsWorkflow])
    jobs: list[InsightsJob] = field(factory=list[InsightsJob])
    tests: list[InsightsTest] = field(factory=list[InsightsTest])
    flaky_tests: list[InsightsFlakyTest] = field(factory=list[InsightsFlakyTest])
    usage: list[InsightsUsage] | None = None
    months: set[str] = field(factory=set[str])
    """With runs in the history."""
    times: list[datetime] = field(factory=list[datetime])
    """When the first and the last run of each project started, in the window and the one before it."""

    async def read(self, partitions: list[Partition]) -> None:
        """Add the rows of the partitions of a project."""
        before = self.window.before()
        stored = await self._rows(RUNS, partitions, Window(before.start, self.window.end))
        self.months.update(each.month for each in partitions if each.table == RUNS.name)
        times = [run.created_at for run in stored]
        self.times += [min(times), max(times)] if times else []
        runs = [run for run in stored if run.created_at in self.window and self._is_on_branch(run)]
        earlier = [run for run in stored if run.created_at in before and self._is_on_branch(run)]
        self.runs += runs
        self.workflows += workflows_of(runs)
        self.previous += workflows_of(earlier)
        first, last = self.window.start.date(), self.window.last.date()
        days = await self._rows(
            JOBS, partitions, self.window, lambda row: first <= row.day <= last and self._is_on_branch(row)
        )
        self.jobs += jobs_of_days(days)
        self.flaky_tests += joined_flaky_tests(
            await self._rows(FLAKY_TESTS, partitions, self.window, lambda row: row.workflow_created_at in self.window)
        )
        newest: dict[str, str] = {}
        for partition in reversed(_of_window(TESTS, partitions, self.window)):
            tests = await self.store.read(TESTS, partition)
            for workflow in {test.workflow for test in tests}:
                newest.setdefault(workflow, partition.month)
            self.tests += [test for test in tests if newest[test.workflow] == partition.month]

    async def read_usage(self, projects: Iterable[str], rows: Rows) -> None:
        """Add the rows of a usage export that belong to the projects, by their names."""
        usage = UsageFilter(dict.fromkeys(projects), self.branch, self.window)
        await usage.add_all(rows)
        self.usage = usage.found

    def report(self, projects: Iterable[str]) -> InsightsReport:
        """Return the report of what was read."""
        return InsightsReport(
            projects=tuple(projects),
            start=self.window.start,
            end=self.window.end,
            branch=self.branch,
            workflows=InsightsTable(InsightsWorkflow, self.workflows),
            runs=sorted_table(InsightsRun, self.runs, "created_at", "id"),
            jobs=sorted_table(InsightsJob, self.jobs, "job"),
            flaky_tests=sorted_table(InsightsFlakyTest, self.flaky_tests, "job", "test_name"),
            tests=sorted_table(InsightsTest, self.tests, "job", "test_name"),
            usage=sorted_table(InsightsUsage, self.usage or (), "started_at"),
            has_usage=self.usage is not None,
            previous=InsightsTable(InsightsWorkflow, self.previous if self._contains_previous else ()),
            notes=(*self._limits(), JOBS_NOTE, TESTS_NOTE, *([] if self.branch is None else [BRANCH_NOTE])),
        )

    @property
    def _contains_previous(self) -> bool:
        """Whether the history begins before the window before, or soon after its start: on some days nothing runs."""
        start = self.window.before().start
        if not self.times or min(self.months) < month_of(start):
            return True
        return min(self.times) <= start + min(MAX_QUIET, self.window.length / 4)

    def _limits(self) -> Iterator[str]:
        """Yield what the history does not contain of the window and the one before it."""
        if not self.times:
            return
        oldest, newest = min(self.times), max(self.times)
        if not self._contains_previous:
            yield f"the history contains no runs before {oldest:%Y-%m-%d}: the window before is not known"
        if self.window.end - newest > DAY and max(self.months) <= month_of(self.window.last):
            yield f"the history contains no runs after {newest:%Y-%m-%d}"

    def _is_on_branch(self, row: InsightsRun | InsightsJobDay) -> bool:
        return self.branch is None or row.branch == self.branch

    async def _rows(
        self,
        table: HistoryTable[T],
        partitions: list[Partition],
        window: Window,
        is_included: Callable[[T], bool] = lambda _: True,
    ) -> list[T]:
        """Return the rows of the months of a window that are included."""
        rows: list[T] = []
        for partition in _of_window(table, partitions, window):
            rows += filter(is_included, await self.store.read(table, partition))
        return rows


def jobs_of_days(days: Iterable[InsightsJobDay]) -> list[InsightsJob]:
    """Return the jobs of a project, with the sums of their days, and weighted medians of the days' durations."""
    jobs: defaultdict[tuple[str, str, str], list[InsightsJobDay]] = defaultdict(list)
    for day in days:
        jobs[day.project, day.workflow, day.job].append(day)
    return [
        InsightsJob(
            project=project,
            workflow=workflow,
            job=job,
            total_runs=sum(day.total_runs for day in rows),
            successful_runs=sum(day.successful_runs for day in rows),
            failed_runs=sum(day.failed_runs for day in rows),
            median_duration=weighted_median((day.median_duration, day.total_runs) for day in rows),
            p95_duration=weighted_median((day.p95_duration, day.total_runs) for day in rows),
            credits_used=sum(day.credits_used for day in rows),
        )
        for (project, workflow, job), rows in jobs.items()
    ]


def joined_flaky_tests(rows: Iterable[InsightsFlakyTest]) -> list[InsightsFlakyTest]:
    """Return one row for each test, with the flakes of all of its rows, and otherwise as in the newest."""
    tests: dict[object, InsightsFlakyTest] = {}
    rows = list(rows)
    for row in FLAKY_TESTS.sorted(without_counted(rows, rows)):  # a collection can be between its two writes
        before = tests.get(key := FLAKY_TESTS.identity(row))
        wasted = [each.time_wasted for each in (before, row) if each is not None and each.time_wasted is not None]
        tests[key] = evolve(
            row,
            times_flaked=row.times_flaked + (before.times_flaked if before else 0),
            time_wasted=sum(wasted) if wasted else None,
        )
    return list(tests.values())


def _of_window(table: HistoryTable[Any], partitions: Iterable[Partition], window: Window) -> list[Partition]:
    """Return the partitions of a table with the months of a window, oldest first."""
    first, last = month_of(window.start), month_of(window.last)
    return sorted(each for each in partitions if each.table == table.name and first <= each.month <= last)
