"""Usage exports: the usage and the costs of an organization."""

from datetime import datetime

from attrs import field, frozen

from .open_enum import OpenEnum

__all__ = ["UsageExport", "UsageExportState", "UsageProgress"]


class UsageExportState(OpenEnum):
    """The state of a usage export."""

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
    """Only in the result of `create_export`."""
    end: datetime | None = None
    """Only in the result of `create_export`."""
    download_urls: tuple[str, ...] | None = field(default=None, repr=False)
    """The URLs of the files of a completed export (CSV, gzip). None before, and for an export without usage.

    They are signed and grant access for about 36 hours without a token; therefore they are not in the repr.
    `usage.rows` reads the files.
    """
    error_reason: str | None = None
    """The reason of a failure."""


@frozen(kw_only=True)
class UsageProgress:
    """The progress of an export, for `on_progress` of `usage.export`, `usage.wait` and `usage.rows`."""

    export_id: str
    """The argument of `usage.wait` to resume an interrupted export."""
    state: UsageExportState
    parts_done: int = 0
    parts_total: int | None = None
    """None until the export is completed."""
    rows: int = 0
    """Rows read so far."""
    bytes: int = 0
    """Compressed bytes received so far."""
