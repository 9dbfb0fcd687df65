"""The progress of a report or a collection."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from attrs import evolve, field, frozen

from ..core.progress import report_progress
from ..core.session import Session
from ..models.usage import UsageExportState

__all__ = ["InsightsProgress", "OnInsightsProgress"]


@frozen(kw_only=True)
class InsightsProgress:
    """The progress of a report or a collection, for `on_progress`."""

    projects_done: int = 0
    projects_total: int = 0
    """0 until all projects of organizations have been listed."""
    runs: int = 0
    """Runs read so far, also those of the window before."""
    usage_exports: Mapping[str, UsageExportState] = field(factory=dict[str, UsageExportState])
    """The state of each usage export that CircleCI was asked for, by its id."""
    usage_rows: int = 0
    """Rows of usage exports read so far."""
    requests: int = 0
    """HTTP requests sent so far."""


OnInsightsProgress: TypeAlias = Callable[[InsightsProgress], object]
"""A plain function. It is called on the event loop, so it should be fast."""


class InsightsProgressTracker:
    """Counts the progress of one call, and calls `on_progress`."""

    def __init__(self, session: Session, on_progress: OnInsightsProgress | None) -> None:
        self.progress: InsightsProgress = InsightsProgress()
        self._session = session
        self._on_progress = on_progress

    def update(self, **changes: Any) -> None:
        """Change fields of the progress, and report it."""
        self.progress = evolve(self.progress, requests=self._session.requests, **changes)
        report_progress(self._on_progress, self.progress)

    def export(self, export_id: str, state: UsageExportState) -> None:
        """Change the state of a usage export, and report the progress."""
        self.update(usage_exports={**self.progress.usage_exports, export_id: state})

    def add(self, *, projects: int = 0, runs: int = 0, usage_rows: int = 0) -> None:
        """Count projects, runs and rows, and report the progress."""
        now = self.progress
        self.update(
            projects_done=now.projects_done + projects,
            runs=now.runs + runs,
            usage_rows=now.usage_rows + usage_rows,
        )
