"""Usage exports: what was built, and what it cost."""

from datetime import datetime

from attrs import field, frozen

from .open_enum import OpenEnum

__all__ = ["UsageExport", "UsageExportState", "UsageProgress"]


class UsageExportState(OpenEnum):
    """Where a usage export stands."""

    COMPLETED = "completed"
    CREATED = "created"
    FAILED = "failed"
    PROCESSING = "processing"


@frozen(kw_only=True)
class UsageExport:
    """A usage export: `GET /organizations/{org_id}/usage_export_job/{usage_export_job_id}`."""

    usage_export_job_id: str
    state: UsageExportState
    start: datetime | None = None
    """Told by the answer that made the export, and by no other."""
    end: datetime | None = None
    """Likewise."""
    download_urls: tuple[str, ...] | None = field(default=None, repr=False)
    """The parts of a completed export, gzipped CSV each; None before, and also after if there was no usage.

    Whoever has an address can read the part, for some 36 hours: it is signed. So it takes no token, and is not shown.
    `usage.rows` reads the parts.
    """
    error_reason: str | None = None
    """Why it failed."""


@frozen(kw_only=True)
class UsageProgress:
    """How far an export has come, as `on_progress` of `usage.export`, `usage.wait` and `usage.rows` is told."""

    export_id: str
    """With this, `usage.wait` and `usage.rows` take up an export that was left."""
    state: UsageExportState
    parts_done: int = 0
    parts_total: int | None = None
    """None until the export is completed."""
    rows: int = 0
    """Read so far, of all parts."""
    bytes: int = 0
    """Received so far, compressed."""
