"""Reads all insights of one project concurrently, and keeps what cannot be read apart."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from attrs import define, field

from ..core.fan_out import map_concurrently
from ..errors import CircleCIError, NotFound
from ..models.insights import ReportingWindow
from ..models.insights_tables import InsightsFlakyTest, InsightsJob, InsightsRun, InsightsTest
from ..models.projects import Project
from ..models.summaries import ProjectSummary
from .attempts import Attempts
from .failure import InsightsFailure
from .reading import ProjectReader
from .window import Window

T = TypeVar("T")


@define
class ProjectInsights:
    """What was read of a project."""

    slug: str
    project: Project | None = None
    """None if it could not be read."""
    workflows: list[str] = field(factory=list[str])
    """The names of the workflows that ran."""
    runs: list[InsightsRun] = field(factory=list[InsightsRun])
    jobs: list[InsightsJob] = field(factory=list[InsightsJob])
    flaky_tests: list[InsightsFlakyTest] = field(factory=list[InsightsFlakyTest])
    tests: list[InsightsTest] = field(factory=list[InsightsTest])
    summary: ProjectSummary | None = None
    """Only if it was requested."""
    failures: list[InsightsFailure] = field(factory=list[InsightsFailure])


@define
class ProjectFetch:
    """Reads one project: each list once, and concurrently as `permits` allow."""

    reader: ProjectReader
    window: Window
    """The runs to read."""
    metrics_window: ReportingWindow
    """Of the metrics of jobs."""
    permits: asyncio.Semaphore
    """How many lists are read at a time, over all projects."""
    now: datetime
    summary_window: ReportingWindow | None = None
    """Of the summary; None for no summary."""
    on_runs: Callable[[int], None] = lambda _: None
    """Is called with the number of runs of each page."""
    found: ProjectInsights = field(init=False)
    attempts: Attempts = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.found = ProjectInsights(self.reader.project)
        self.attempts = Attempts(self.reader.project, self.permits, self.found.failures)

    async def read(self) -> ProjectInsights:
        """Return what can be read. A project that answers 404 has one failure, and nothing else is requested.

        Raises the errors in `FATAL`.
        """
        error: CircleCIError | None = None
        for kind, read in (("project", self._project), ("workflows", self._workflows)):
            error = await self.attempts.read(kind, None, read)
            if isinstance(error, NotFound):
                return self.found
        parts: list[tuple[str, str | None, Callable[[], Coroutine[Any, Any, None]]]] = [
            ("flaky_tests", None, self._flaky_tests)
        ]
        if self.summary_window is not None and error is None:
            parts.append(("workflows", None, partial(self._summary, self.summary_window)))
        for name in self.found.workflows:
            parts.append(("runs", name, partial(self._runs, name)))
            parts.append(("jobs", name, partial(self._jobs, name)))
            parts.append(("tests", name, partial(self._tests, name)))
        await map_concurrently(parts, lambda part: self.attempts.read(*part), concurrency=len(parts))
        return self.found

    async def _project(self) -> None:
        self.found.project = await self.reader.get()

    async def _workflows(self) -> None:
        names: dict[str, None] = {}
        try:
            async with aclosing(self.reader.workflows(self.window.reporting_window(self.now))) as pages:
                async for page in pages:
                    names.update(dict.fromkeys(page))
        finally:
            self.found.workflows = list(names)

    async def _summary(self, window: ReportingWindow) -> None:
        self.found.summary = await self.reader.summary(window)

    async def _flaky_tests(self) -> None:
        self.found.flaky_tests = await self.reader.flaky_tests()

    async def _runs(self, workflow: str) -> None:
        project = self.found.project
        default_branch = None if project is None else project.vcs_info.default_branch
        await _extend(self.found.runs, self.reader.runs(workflow, self.window, default_branch), self.on_runs)

    async def _jobs(self, workflow: str) -> None:
        await _extend(self.found.jobs, self.reader.jobs(workflow, self.metrics_window))

    async def _tests(self, workflow: str) -> None:
        self.found.tests += await self.reader.tests(workflow)


async def _extend(
    rows: list[T], pages: AsyncGenerator[list[T]], on_page: Callable[[int], None] = lambda _: None
) -> None:
    async with aclosing(pages):
        async for page in pages:
            rows += page
            on_page(len(page))
