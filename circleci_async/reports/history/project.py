"""Adds what is new of one project to a history."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any, Final, TypeVar

from attrs import define, field

from ...core.fan_out import map_concurrently
from ...errors import DecodeError, NotFound, PermissionDenied
from ...models.insights import ReportingWindow
from ...models.insights_tables import InsightsFlakyTest, InsightsJobDay, InsightsRun, InsightsTest
from ...models.projects import Project
from ..reading import Attempts, ProjectReader
from ..window import KEPT, Window
from .collection import InsightsChanges, count_changes
from .store import HistoryStore
from .tables import (
    FLAKY_TESTS,
    JOBS,
    RUNS,
    TESTS,
    HistoryTable,
    Partition,
    changes,
    merge_flaky_tests,
    merge_job_days,
    merge_runs,
    merge_tests,
    month_of,
    without_counted,
)

T = TypeVar("T")

DAY: Final = timedelta(days=1)

LASTING: Final = (NotFound, PermissionDenied, DecodeError)
"""Failures that the next collection would have, too: what they keep from being read does not keep runs out."""


@define
class WorkflowNews:
    """What is new of a workflow."""

    name: str
    runs: list[InsightsRun] = field(factory=list[InsightsRun])
    newest: datetime | None = None
    """When its newest run was created."""
    jobs: list[InsightsJobDay] = field(factory=list[InsightsJobDay])
    tests: list[InsightsTest] | None = None
    """None if they could not be read."""
    is_complete: bool = True
    """Whether everything that belongs to the runs was read."""


@define
class ProjectCollection:
    """Collects one project.

    Its runs are stored last: if a run is in the history, everything else that was read for it is, too. A failure keeps
    the runs of its workflow out of the history, so that the next collection reads them again.
    """

    reader: ProjectReader
    store: HistoryStore
    attempts: Attempts
    recheck: timedelta
    now: datetime
    on_runs: Callable[[int], None] = lambda _: None
    """Is called with the number of runs of each page."""
    changes: dict[str, InsightsChanges] = field(factory=dict[str, InsightsChanges], init=False)
    """What was changed in each table that was written."""

    async def collect(self) -> None:
        """Read what is new, and write it. Raises the errors in `FATAL`, and those of the store."""
        stored = await self._stored_runs()
        project: Project | None = None
        names: dict[str, None] = {}
        flaky_tests: list[InsightsFlakyTest] = []

        async def read_project() -> None:
            nonlocal project
            project = await self.reader.get()

        def add_names(page: list[str]) -> None:
            names.update(dict.fromkeys(page))

        async def read_flaky_tests() -> None:
            flaky_tests.extend(await self.reader.flaky_tests())

        if await self.attempts.read("project", None, read_project):
            return
        default_branch = None if project is None else project.vcs_info.default_branch
        pages = partial(self.reader.workflows, ReportingWindow.LAST_90_DAYS)
        if not await self._is_read("workflows", None, partial(_each_page, pages, add_names)):
            return
        found = await _all([partial(self._news, name, stored[name], default_branch) for name in names])
        found = [news for news in found if news.runs]
        if not found or not await self._is_read("flaky_tests", None, read_flaky_tests):
            return
        await self._write([news for news in found if news.is_complete], flaky_tests)

    async def _stored_runs(self) -> defaultdict[str, list[InsightsRun]]:
        """Return the runs in the history that CircleCI still has, by workflow."""
        since = month_of(self.now - KEPT)
        stored: defaultdict[str, list[InsightsRun]] = defaultdict(list)
        for partition in await self.store.partitions(RUNS.name, self.reader.project):
            if partition.month >= since:
                for run in await self.store.read(RUNS, partition):
                    stored[run.workflow].append(run)
        return stored

    async def _news(self, name: str, stored: list[InsightsRun], default_branch: str | None) -> WorkflowNews:
        """Read what is new of a workflow."""
        news = WorkflowNews(name)
        runs: list[InsightsRun] = []

        def add(page: list[InsightsRun]) -> None:
            runs.extend(map(RUNS.storable, page))
            self.on_runs(len(page))

        pages = partial(self.reader.runs, name, _window_from(self._start(stored)), default_branch)
        if not await self._is_read("runs", name, partial(_each_page, pages, add)):
            return news
        merged = merge_runs(stored, runs)
        news.runs, _ = changes(stored, merged)
        if news.runs:
            news.newest = max(run.created_at for run in merged)
            first: dict[str, datetime] = {}
            for run in news.runs:
                if run.branch is not None:
                    first[run.branch] = min(first.get(run.branch, run.created_at), run.created_at)
            parts = [
                partial(self._read_tests, news),
                *(partial(self._read_jobs, news, *each) for each in first.items()),
            ]
            news.is_complete = all(await _all(parts))
        return news

    def _start(self, stored: list[InsightsRun]) -> datetime:
        """Return the time from which on runs of a workflow can be new or different."""
        if not stored:
            return self._kept(datetime.min.replace(tzinfo=UTC))
        newest = self._kept(max(run.created_at for run in stored))
        return self._kept(min([newest - self.recheck, *(run.created_at for run in stored if run.stopped_at is None)]))

    def _kept(self, at: datetime) -> datetime:
        """Return a time, or the closest one at which runs that CircleCI still has can have started."""
        return min(max(at, self.now - KEPT), self.now)

    async def _read_tests(self, news: WorkflowNews) -> bool:
        async def read() -> None:
            news.tests = list(map(TESTS.storable, await self.reader.tests(news.name)))

        return await self._is_read("tests", news.name, read)

    async def _read_jobs(self, news: WorkflowNews, branch: str, first: datetime) -> bool:
        """Read the jobs on a branch from the day before the first new run on: its jobs can have started on that day."""
        day = datetime.combine(self._kept(first).date() - DAY, time(), UTC)
        pages = partial(self.reader.job_days, news.name, branch, _window_from(self._kept(day)))

        def add(page: list[InsightsJobDay]) -> None:
            news.jobs.extend(map(JOBS.storable, page))

        return await self._is_read("jobs", news.name, partial(_each_page, pages, add))

    async def _is_read(self, kind: str, workflow: str | None, read: Callable[[], Awaitable[object]]) -> bool:
        """Read a part. Return False if the next collection has to read it again."""
        error = await self.attempts.read(kind, workflow, read)
        return error is None or isinstance(error, LASTING)

    async def _write(self, found: list[WorkflowNews], flaky_tests: list[InsightsFlakyTest]) -> None:
        """Write the rows of each table, the runs last and in the order of months."""
        jobs = _by_month((job for news in found for job in news.jobs), lambda job: job.day)
        await self._update(JOBS, jobs, merge_job_days)
        snapshots: defaultdict[str, dict[str, list[InsightsTest]]] = defaultdict(dict)
        for news in found:
            if news.tests is not None and news.newest is not None:
                snapshots[month_of(news.newest)][news.name] = news.tests
        for month, tests in snapshots.items():
            rows = {month: [each for some in tests.values() for each in some]}
            await self._update(TESTS, rows, partial(merge_tests, workflows=set(tests)))
        await self._update_flaky_tests(list(map(FLAKY_TESTS.storable, flaky_tests)))
        runs = _by_month((run for news in found for run in news.runs), lambda run: run.created_at)
        await self._update(RUNS, runs, merge_runs)

    async def _update_flaky_tests(self, observed: list[InsightsFlakyTest]) -> None:
        """Write flaky tests, first the new rows: they replace others in earlier months."""
        if not observed:
            return
        since = month_of(self._kept(min(each.workflow_created_at for each in observed)) - KEPT)
        partitions = await self.store.partitions(FLAKY_TESTS.name, self.reader.project)
        months = {each.month: each for each in partitions if each.month >= since}
        stored = [row for each in months.values() for row in await self.store.read(FLAKY_TESTS, each)]
        observed = without_counted(observed, [*stored, *observed])
        written = sorted({*months, *(month_of(each.workflow_created_at) for each in observed)}, reverse=True)
        merges = {month: partial(merge_flaky_tests, observed=observed, month=month) for month in written}
        await self._apply(FLAKY_TESTS, merges)

    async def _update(
        self, table: HistoryTable[T], months: dict[str, list[T]], merge: Callable[[list[T], list[T]], list[T]]
    ) -> None:
        await self._apply(table, {month: partial(_merged, merge, rows) for month, rows in sorted(months.items())})

    async def _apply(self, table: HistoryTable[T], merges: Mapping[str, Callable[[list[T]], list[T]]]) -> None:
        """Merge rows into the partitions of months, in this order, and count the changes."""
        added: list[T] = []
        removed: list[T] = []
        for month, merge in merges.items():
            more, fewer = await self.store.update(table, Partition(table.name, self.reader.project, month), merge)
            added += more
            removed += fewer
        before = self.changes.get(table.name, InsightsChanges())
        self.changes[table.name] = before + count_changes(added, removed, table.identity)


def _window_from(start: datetime) -> Window:
    """Return a window that does not end before now. Its end makes the API accept a start that is just too old."""
    return Window(start, start + KEPT)


def _merged(merge: Callable[[list[T], list[T]], list[T]], observed: list[T], stored: list[T]) -> list[T]:
    return merge(stored, observed)


def _by_month(rows: Iterable[T], day: Callable[[T], date]) -> dict[str, list[T]]:
    months: defaultdict[str, list[T]] = defaultdict(list)
    for row in rows:
        months[month_of(day(row))].append(row)
    return months


async def _each_page(pages: Callable[[], AsyncGenerator[list[T]]], add: Callable[[list[T]], object]) -> None:
    async with aclosing(pages()) as each:
        async for page in each:
            add(page)


async def _all(parts: Sequence[Callable[[], Coroutine[Any, Any, T]]]) -> list[T]:
    """Read all parts concurrently, as the permits allow."""
    return await map_concurrently(parts, lambda part: part(), concurrency=max(len(parts), 1))
