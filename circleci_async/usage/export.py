"""One usage export, from its creation to its rows."""

import asyncio
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any

from attrs import frozen

from ..config.log import log
from ..config.redacted import Redacted
from ..core.arguments import is_number
from ..core.polling import Interval, PollSchedule, check_interval
from ..core.session import Session
from ..core.when import When
from ..endpoints.resource import Id
from ..endpoints.usage import Usage
from ..errors import CircleCIError, ExportFailed, InvalidArgument, WaitTimeout
from ..models.usage import UsageExport, UsageExportState
from .columns import UsageRow, typed
from .part import read
from .poll_rate import PollRateLimiter
from .progress import OnUsageProgress, UsageProgressTracker

INTERVAL: Interval = (1.0, 30.0)

MAX_EXPORT_TIME = 4 * 60 * 60.0
"""Seconds after which CircleCI ends an export as failed."""


@frozen
class ExportWait:
    """How to wait for an export. Raises `InvalidArgument`."""

    session: Session
    organization_id: Id
    interval: Interval
    timeout: float

    def __attrs_post_init__(self) -> None:
        check_interval(self.interval)
        timeout: Any = self.timeout
        if not (is_number(timeout) and timeout > 0):
            raise InvalidArgument(f"timeout must be a positive number of seconds, got {timeout!r}")

    async def until_completed(self, tracker: UsageProgressTracker, *, is_new: bool = False) -> UsageExport:
        """Poll the export until it is completed. A new one is not polled at once.

        Raises `ExportFailed` and `WaitTimeout`, and the error of a poll that is not tolerated.
        """
        deadline = asyncio.timeout(self.timeout)
        try:
            async with deadline:
                return await self._poll(tracker, is_new=is_new)
        except TimeoutError:
            if not deadline.expired():
                raise
        raise WaitTimeout(
            f"usage export {tracker.export_id} is still {tracker.progress.state} after {self.timeout:g} s: wait for it"
            " again with `usage.wait`"
        )

    async def _poll(self, tracker: UsageProgressTracker, *, is_new: bool) -> UsageExport:
        usage, poll_rate = Usage(self.session), self.session.state.singleton(PollRateLimiter)
        schedule = PollSchedule(self.interval)
        was_seen = is_new
        if is_new:
            await asyncio.sleep(schedule.next_delay())
        while True:
            await poll_rate.acquire(str(self.organization_id))
            try:
                export = await usage.get_export(self.organization_id, tracker.export_id)
            except CircleCIError as error:
                if not schedule.failed(error, seen_before=was_seen):
                    raise
                log.info("poll of usage export %s failed, %d in a row: %s", tracker.export_id, schedule.failures, error)
            else:
                schedule.succeeded()
                was_seen = True
                tracker.update(state=export.state)
                if export.state == UsageExportState.COMPLETED:
                    return export
                if export.state == UsageExportState.FAILED:
                    reason = export.error_reason or "CircleCI gives no reason"
                    raise ExportFailed(f"usage export {tracker.export_id} failed: {reason}", reason=export.error_reason)
            await asyncio.sleep(schedule.next_delay())


def check_completed(export: UsageExport) -> None:
    """Raise `InvalidArgument` if the rows of an export cannot be read yet."""
    if not export.download_urls and export.state != UsageExportState.COMPLETED:
        raise InvalidArgument(
            f"export {export.usage_export_job_id} must be completed, got state {export.state.value!r}: wait for it"
            " with `usage.wait`"
        )


async def export_rows(
    wait: ExportWait,
    start: When,
    end: When,
    shared_org_ids: Sequence[Id] | None,
    on_progress: OnUsageProgress | None,
    *,
    raw: bool,
) -> AsyncGenerator[UsageRow, None]:
    """Create an export, wait until it is completed, and iterate its rows; see `usage.export`."""
    usage = Usage(wait.session)
    created = await usage.create_export(wait.organization_id, start=start, end=end, shared_org_ids=shared_org_ids)
    tracker = UsageProgressTracker(created.usage_export_job_id, on_progress)
    with with_export_id(tracker.export_id):
        tracker.update(state=created.state)
        export = await wait.until_completed(tracker, is_new=True)
    async with aclosing(rows_of(wait.session, export, tracker, raw=raw)) as rows:
        async for row in rows:
            yield row


async def rows_of(
    session: Session, export: UsageExport, tracker: UsageProgressTracker, *, raw: bool
) -> AsyncGenerator[UsageRow, None]:
    """Iterate the rows of all parts of a completed export; `raw`: as text."""
    urls = [Redacted(url) for url in export.download_urls or ()]  # they are signed
    tracker.update(state=export.state, parts_total=len(urls))
    received = 0
    with with_export_id(tracker.export_id):
        for number, url in enumerate(urls, 1):
            before = received

            def count(of_part: int, before: int = before) -> None:
                nonlocal received
                received = before + of_part

            name = f"part {number} of {len(urls)} of usage export {tracker.export_id}"
            async with aclosing(read(session, url, name, on_bytes=count)) as batches:
                async for rows in batches:
                    tracker.update(bytes=received, rows=tracker.progress.rows + len(rows))
                    for row in rows:
                        yield row if raw else typed(row)
            tracker.update(bytes=received, parts_done=number)


@contextmanager
def with_export_id(export_id: str) -> Generator[None, None, None]:
    """Set the `export_id` of errors."""
    try:
        yield
    except CircleCIError as error:
        error.export_id = export_id
        raise
