"""The progress of one export, reported to the caller."""

from collections.abc import Callable
from typing import Any, TypeAlias

from attrs import evolve

from ..core.progress import report_progress
from ..models.usage import UsageExportState, UsageProgress

__all__ = ["OnUsageProgress"]

OnUsageProgress: TypeAlias = Callable[[UsageProgress], None]


class UsageProgressTracker:
    """Counts the progress of one export, and calls `on_progress`."""

    def __init__(self, export_id: str, on_progress: OnUsageProgress | None) -> None:
        self.export_id = export_id
        self.progress: UsageProgress = UsageProgress(export_id=export_id, state=UsageExportState.CREATED)
        self._on_progress = on_progress

    def update(self, **changes: Any) -> None:
        """Change fields of the progress, and report it."""
        self.progress = evolve(self.progress, **changes)
        report_progress(self._on_progress, self.progress)
