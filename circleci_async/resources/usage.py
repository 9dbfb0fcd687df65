"""The usage API, with exports from their creation to their rows."""

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime

from ..core.polling import Interval
from ..core.when import When
from ..endpoints.resource import Id
from ..endpoints.usage import Usage as Endpoints
from ..endpoints.usage import export_request
from ..models.usage import UsageExport
from ..slug import segment
from ..usage.columns import UsageRow
from ..usage.export import INTERVAL, MAX_EXPORT_TIME, ExportWait, check_completed, export_rows, rows_of, with_export_id
from ..usage.progress import OnUsageProgress, UsageProgressTracker


class Usage(Endpoints):
    """Usage exports: the usage and the costs of an organization, as rows.

    An export takes minutes to hours. An organization can request 10 exports per hour, and poll them 10 times per
    minute.
    """

    def export(
        self,
        organization_id: Id,
        start: When,
        end: When | None = None,
        *,
        shared_org_ids: Sequence[Id] | None = None,
        interval: Interval = INTERVAL,
        timeout: float = MAX_EXPORT_TIME,
        on_progress: OnUsageProgress | None = None,
        raw: bool = False,
    ) -> AsyncGenerator[UsageRow, None]:
        """Export an organization's usage, and iterate its rows as dicts by column name, as `rows` does.

        Creates the export as `create_export` does, waits as `wait` does, and reads as `rows` does. `end` is now by
        default. An error carries `export_id`, with which `wait` and `rows` continue without creating another export.
        Reading rows counts towards the client's `concurrency` until the loop ends; to leave it early and close the
        connection at once, wrap this in `contextlib.aclosing`.
        """
        end = datetime.now(UTC) if end is None else end
        export_request(start, end, shared_org_ids)
        segment(organization_id)
        wait = ExportWait(self._session, organization_id, interval, timeout)
        return export_rows(wait, start, end, shared_org_ids, on_progress, raw=raw)

    async def wait(
        self,
        organization_id: Id,
        export_id: Id,
        *,
        interval: Interval = INTERVAL,
        timeout: float = MAX_EXPORT_TIME,
        on_progress: OnUsageProgress | None = None,
    ) -> UsageExport:
        """Wait until an export is completed, and return it.

        `interval`: seconds to the second poll, and at most between polls; all waits of this client together poll an
        organization's exports at most 10 times per minute. `on_progress` is called after each poll. Transient failures
        (no connection, 5xx, 429) are tolerated for two minutes.

        Raises `ExportFailed`, and `WaitTimeout` after `timeout` seconds; the export itself continues.
        """
        wait = ExportWait(self._session, organization_id, interval, timeout)
        segment(export_id)
        tracker = UsageProgressTracker(str(export_id), on_progress)
        with with_export_id(tracker.export_id):
            return await wait.until_completed(tracker)

    def rows(
        self, export: UsageExport, *, on_progress: OnUsageProgress | None = None, raw: bool = False
    ) -> AsyncGenerator[UsageRow, None]:
        """Iterate the rows of a completed export; none if there was no usage.

        Known columns have types: float for credits, percentages and seconds, int for other numbers, bool, aware
        datetimes, and dates. All others are text, and so is a value that does not fit its column. An empty value is
        None. `raw=True` yields the text of the file instead.

        Each part is parsed while it is received, so that it needs little memory. The URLs of the parts are signed and
        on other hosts, which never get the token. Parts can have different columns. `on_progress` is called after each
        batch of rows.

        Raises `DownloadError` if a part is refused, incomplete or malformed, and `ServerError` or `TransportError` when
        the retries are used up; calling `rows` again starts from the beginning.
        """
        check_completed(export)
        return rows_of(self._session, export, UsageProgressTracker(export.usage_export_job_id, on_progress), raw=raw)
