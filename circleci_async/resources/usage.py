"""The calls about usage, with what one call is not enough for: an export from its beginning to its rows."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import aclosing, contextmanager
from datetime import datetime
from typing import Any

from attrs import evolve

from ..core.session import Session
from ..endpoints.resource import Id
from ..endpoints.usage import Usage as Endpoints
from ..endpoints.usage import export_request
from ..errors import CircleCIError, ExportFailed, InvalidArgument, WaitTimeout
from ..models.usage import UsageExport, UsageExportState, UsageProgress
from ..slug import segment
from ..usage.pace import Pace
from ..usage.part import read
from ..usage.table import Row

log: logging.Logger = logging.getLogger("circleci_async")

OnProgress = Callable[[UsageProgress], None]

FIRST_WAIT = 1.0
"""Seconds before the first look at a new export; the waits double from there."""

POLL = 30.0
"""Seconds between two looks, later on."""

PATIENCE = 4 * 60 * 60.0
"""Seconds: as long as CircleCI itself lets an export take."""


class Usage(Endpoints):
    """Usage exports: what was built, and what it cost.

    An export takes minutes to hours. An organization may ask for 10 of them an hour, and look after them 10 times a
    minute.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._pace = session.state.singleton(Pace)

    def export(
        self,
        organization_id: Id,
        start: datetime | str,
        end: datetime | str,
        *,
        shared_org_ids: Sequence[Id] | None = None,
        poll: float = POLL,
        timeout: float = PATIENCE,
        on_progress: OnProgress | None = None,
    ) -> AsyncGenerator[Row, None]:
        """Export an organization's usage, and iterate its rows: each a dict of text, by the names of the columns.

        Asks for the export as `create_export` does, waits as `wait` does, and reads as `rows` does. An error that ends
        it carries `export_id`, with which `wait` and `rows` take up the export again, without another one being made.
        Once the rows come, a request of the client's `concurrency` is in flight until the loop ends; to leave the loop
        early and be sure that it has ended, wrap this in `contextlib.aclosing`.
        """
        export_request(start, end, shared_org_ids)
        _check_times(poll=poll, timeout=timeout)
        segment(organization_id)
        return self._export(organization_id, start, end, shared_org_ids, poll, timeout, on_progress)

    async def wait(
        self,
        organization_id: Id,
        export_id: Id,
        *,
        poll: float = POLL,
        timeout: float = PATIENCE,
        on_progress: OnProgress | None = None,
    ) -> UsageExport:
        """Wait until an export is completed, and return it.

        `poll`: seconds between two looks; the first ones come sooner, and all waits of this client together look no
        more than 10 times a minute after one organization. `on_progress` is called after each look.

        Raises `ExportFailed`, and `WaitTimeout` after `timeout` seconds; the export goes on then.
        """
        _check_times(poll=poll, timeout=timeout)
        segment(export_id)  # whose text is used from here on
        meter = _Meter(str(export_id), on_progress)
        with _naming(meter.export_id):
            return await self._completed(organization_id, meter, poll, timeout)

    def rows(self, export: UsageExport, *, on_progress: OnProgress | None = None) -> AsyncGenerator[Row, None]:
        """Iterate the rows of a completed export, of all its parts; none if there was no usage.

        A part is read while it is received, so that little of it is in memory. Its addresses are signed and on other
        hosts, which are never sent the token. Parts may have different columns. `on_progress` is called whenever some
        rows have come.

        Raises `DownloadError` if a part is refused or can't be read whole, `ServerError` or `TransportError` when its
        storage fails for longer than is tried again; `rows` may try again from the beginning.
        """
        if not export.download_urls and export.state != UsageExportState.COMPLETED:
            raise InvalidArgument(
                f"export: {export.usage_export_job_id} is {export.state}; `usage.wait` waits until it is completed"
            )
        return self._rows(export, _Meter(export.usage_export_job_id, on_progress))

    async def _export(
        self,
        organization_id: Id,
        start: datetime | str,
        end: datetime | str,
        shared_org_ids: Sequence[Id] | None,
        poll: float,
        timeout: float,
        on_progress: OnProgress | None,
    ) -> AsyncGenerator[Row, None]:
        begun = await self.create_export(organization_id, start=start, end=end, shared_org_ids=shared_org_ids)
        meter = _Meter(begun.usage_export_job_id, on_progress)
        with _naming(meter.export_id):
            meter.tell(state=begun.state)
            export = await self._completed(organization_id, meter, poll, timeout, wait=min(FIRST_WAIT, poll))
        async with aclosing(self._rows(export, meter)) as rows:
            async for row in rows:
                yield row

    async def _completed(
        self, organization_id: Id, meter: "_Meter", poll: float, timeout: float, *, wait: float = 0.0
    ) -> UsageExport:
        deadline = asyncio.timeout(timeout)
        try:
            async with deadline:
                while True:
                    await asyncio.sleep(wait)
                    await self._pace.turn(str(organization_id))
                    export = await self.get_export(organization_id, meter.export_id)
                    meter.tell(state=export.state)
                    if export.state == UsageExportState.COMPLETED:
                        return export
                    if export.state == UsageExportState.FAILED:
                        said = export.error_reason or "CircleCI does not say why"
                        raise ExportFailed(f"usage export {meter.export_id} failed: {said}", reason=export.error_reason)
                    wait = min(wait * 2 or FIRST_WAIT, poll)
        except TimeoutError:
            if not deadline.expired():
                raise
        raise WaitTimeout(
            f"usage export {meter.export_id} is still {meter.progress.state} after {timeout:g} s; it goes on, and "
            "`usage.wait` may wait again"
        )

    async def _rows(self, export: UsageExport, meter: "_Meter") -> AsyncGenerator[Row, None]:
        urls = export.download_urls or ()
        meter.tell(state=export.state, parts_total=len(urls))
        received = 0
        with _naming(meter.export_id):
            for number, url in enumerate(urls, 1):
                before = received

                def count(so_far: int, before: int = before) -> None:
                    nonlocal received
                    received = before + so_far

                name = f"part {number} of {len(urls)} of usage export {meter.export_id}"
                async with aclosing(read(self._session, url, name, on_bytes=count)) as batches:
                    async for rows in batches:
                        meter.tell(bytes=received, rows=meter.progress.rows + len(rows))
                        for row in rows:
                            yield row
                meter.tell(bytes=received, parts_done=number)


class _Meter:
    """Keeps count of one export, and tells the caller."""

    def __init__(self, export_id: str, on_progress: OnProgress | None) -> None:
        self.export_id = export_id
        self.progress = UsageProgress(export_id=export_id, state=UsageExportState.CREATED)
        self._on_progress = on_progress

    def tell(self, **changes: Any) -> None:
        self.progress = evolve(self.progress, **changes)
        if self._on_progress is None:
            return
        try:
            self._on_progress(self.progress)
        except Exception:  # the caller's display is no reason to lose the export
            log.exception("on_progress failed")


@contextmanager
def _naming(export_id: str) -> Generator[None, None, None]:
    """Let errors say which export they are about."""
    try:
        yield
    except CircleCIError as error:
        error.export_id = export_id
        raise


def _check_times(**times: Any) -> None:
    for name, seconds in times.items():
        if not isinstance(seconds, int | float) or not seconds > 0:
            raise InvalidArgument(f"{name}={seconds!r}: give a number of seconds above 0")
