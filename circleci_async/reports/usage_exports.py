"""Usage exports of organizations for the window of a report."""

from collections.abc import Collection
from datetime import datetime

from ..core.fan_out import map_concurrently
from ..core.session import Session
from ..endpoints.insights import ROUNDING
from ..endpoints.organizations import Organizations
from ..endpoints.usage import MAX_AGE, MAX_SPAN, Usage
from ..errors import CircleCIError
from ..models.usage import UsageExport
from ..usage.export import INTERVAL, MAX_EXPORT_TIME, ExportWait, with_export_id
from ..usage.progress import UsageProgressTracker
from .failure import InsightsFailure
from .progress import InsightsProgressTracker
from .reading import FATAL
from .window import Window


async def make_exports(
    session: Session,
    organizations: Collection[str],
    window: Window,
    now: datetime,
    tracker: InsightsProgressTracker,
) -> tuple[list[UsageExport], list[InsightsFailure]]:
    """Create exports for the window, which are at most 31 days long, and wait until they are completed.

    Of several failures of an organization, the first is returned. Raises the errors in `FATAL`.
    """
    exported = Window(max(window.start, now - MAX_AGE + ROUNDING), min(window.end, now))
    pieces = exported.pieces(MAX_SPAN)
    exports: list[UsageExport] = []
    failures: dict[str, InsightsFailure] = {}

    async def make_all(organization: str) -> None:
        try:
            id = (await Organizations(session).get(organization)).id
        except FATAL:
            raise
        except CircleCIError as error:
            failed(organization, error)
        else:
            await map_concurrently(pieces, lambda piece: make(organization, id, piece), concurrency=len(pieces))

    async def make(organization: str, id: str, piece: Window) -> None:
        try:
            exports.append(await _completed(session, id, piece, tracker))
        except FATAL:
            raise
        except CircleCIError as error:
            failed(organization, error)

    def failed(organization: str, error: CircleCIError) -> None:
        failures.setdefault(organization, InsightsFailure(project=organization, kind="usage", error=error))

    if pieces and organizations:
        await map_concurrently(organizations, make_all, concurrency=len(organizations))
    return exports, list(failures.values())


async def _completed(
    session: Session, organization_id: str, window: Window, progress: InsightsProgressTracker
) -> UsageExport:
    wait = ExportWait(session, organization_id, INTERVAL, MAX_EXPORT_TIME)
    created = await Usage(session).create_export(organization_id, start=window.start, end=window.end)
    tracker = UsageProgressTracker(
        created.usage_export_job_id, lambda export: progress.export(export.export_id, export.state)
    )
    tracker.update(state=created.state)
    with with_export_id(tracker.export_id):
        return await wait.until_completed(tracker, is_new=True)
