"""The report of projects: its tables, its answers, and its page."""

import os
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ..core.arguments import local_path
from ..downloads.replaced_file import replaced_file
from ..errors import InvalidArgument
from ..models.insights_tables import (
    InsightsFlakyTest,
    InsightsJob,
    InsightsRun,
    InsightsTest,
    InsightsUsage,
    InsightsWorkflow,
)
from . import page
from .analysis.changes import changes
from .analysis.credits import credits
from .analysis.failures import failures
from .analysis.jobs import flaky_tests, jobs
from .analysis.unread import unread
from .analysis.usage import queue, sizing
from .analysis.waits import waits
from .answer import InsightsAnswer
from .failure import InsightsFailure
from .table import InsightsTable

if TYPE_CHECKING:
    from polars import DataFrame

__all__ = ["InsightsReport"]

TABLES = ("workflows", "runs", "jobs", "flaky_tests", "tests", "usage")
"""The names of the tables."""


@frozen(kw_only=True, eq=False)
class InsightsReport:
    """What the workflows of projects did in a window of time."""

    projects: tuple[str, ...]
    """The slugs of the projects."""
    start: datetime
    """The start of the window, inclusive, in UTC."""
    end: datetime
    """The end of the window, exclusive."""
    branch: str | None = None
    """The branch; None for all branches."""
    workflows: InsightsTable[InsightsWorkflow] = field(
        factory=partial(InsightsTable[InsightsWorkflow], InsightsWorkflow)
    )
    runs: InsightsTable[InsightsRun] = field(factory=partial(InsightsTable[InsightsRun], InsightsRun))
    jobs: InsightsTable[InsightsJob] = field(factory=partial(InsightsTable[InsightsJob], InsightsJob))
    flaky_tests: InsightsTable[InsightsFlakyTest] = field(
        factory=partial(InsightsTable[InsightsFlakyTest], InsightsFlakyTest)
    )
    tests: InsightsTable[InsightsTest] = field(factory=partial(InsightsTable[InsightsTest], InsightsTest))
    usage: InsightsTable[InsightsUsage] = field(factory=partial(InsightsTable[InsightsUsage], InsightsUsage))
    has_usage: bool = False
    """Whether a usage export was read."""
    previous: InsightsTable[InsightsWorkflow] = field(
        factory=partial(InsightsTable[InsightsWorkflow], InsightsWorkflow)
    )
    """The workflows in the window of the same length before this one. Empty if it is not known."""
    failures: tuple[InsightsFailure, ...] = ()
    """What could not be read."""
    notes: tuple[str, ...] = ()
    """The limits of the API that apply to this report, one sentence each."""
    requests: int = 0
    """The requests that were sent."""

    @cached_property
    def answers(self) -> tuple[InsightsAnswer, ...]:
        """What the tables say: a question, an answer in words, and the data of a chart each."""
        answers = (
            failures(self.runs, self.start, self.end),
            waits(self.runs, self.start, self.end),
            jobs(self.jobs),
            flaky_tests(self.flaky_tests),
            credits(self.runs, self.jobs, self.usage),
            queue(self.usage, self.has_usage),
            sizing(self.usage, self.has_usage),
            changes(self.workflows, self.previous),
        )
        return tuple(unread(each, self.failures) for each in answers)

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of each table, by its name, as dicts."""
        return {name: self._table(name).rows() for name in TABLES}

    def frames(self) -> "dict[str, DataFrame]":
        """Return each table, by its name, as a polars `DataFrame`. Raises `ConfigurationError` without the extra."""
        return {name: self._table(name).frame() for name in TABLES}

    def html(self) -> str:
        """Return the answers as one HTML page with charts, which runs no scripts and loads nothing.

        Needs the extra `report`; raises `ConfigurationError` without it. Takes a second or two of CPU time.
        """
        return page.document(self, self.answers)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page of `html` to a file, and return its path. An existing file is replaced.

        Blocks for a second or two: in a service, call `await asyncio.to_thread(report.save, path)`. Raises
        `ConfigurationError` without the extra `report`, `InvalidArgument`, and `CircleCIError` if the file cannot be
        written.
        """
        target = local_path("path", path)
        if target.is_dir():
            raise InvalidArgument(f"path must be the path of a file, got the folder {str(target)!r}: add a file name")
        text = self.html()
        with replaced_file("path", target) as file:
            file.write_text(text, encoding="utf-8", newline="\n")
        return target

    def _repr_html_(self) -> str:
        return page.fragment(self, self.answers)

    def _table(self, name: str) -> InsightsTable[Any]:
        table: InsightsTable[Any] = getattr(self, name)
        return table
