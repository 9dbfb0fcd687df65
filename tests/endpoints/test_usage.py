"""Usage exports: time ranges, retries, and signed URLs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from circleci_async import CircleCI, TransportError, to_dict
from circleci_async.models import UsageExport, UsageExportState
from tests.endpoints.examples import ID
from tests.raw_server import answer, hang_up, raw_server

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
SIGNED = "https://storage.example.com/part-0.csv.gz?X-Amz-Signature=5ecret"


@pytest.mark.parametrize(
    ("start", "end"),
    [(NOW - 31 * DAY, NOW), (NOW - 365 * DAY, NOW - 360 * DAY), (NOW, NOW), (NOW, NOW + 31 * DAY)],
    ids=["31 days", "a year ago", "a moment", "the future"],
)
async def test_the_longest_and_the_oldest_time_range_are_accepted(start: datetime, end: datetime) -> None:
    made = {"usage_export_job_id": "e-1", "state": "created", "download_urls": None}
    async with raw_server(answer(201, made)) as server, CircleCI("token", host=server.url) as circle:
        export = await circle.usage.create_export(ID, start=start, end=end)
        assert export == UsageExport(usage_export_job_id="e-1", state=UsageExportState.CREATED)


async def test_creating_an_export_is_not_retried() -> None:
    async with raw_server(hang_up) as server, CircleCI("token", host=server.url) as circle:
        with pytest.raises(TransportError):
            await circle.usage.create_export(ID, start=NOW, end=NOW)
        assert len(server.requests) == 1


@pytest.mark.parametrize("state", ["created", "pending", "completed", "failed"])
@pytest.mark.parametrize("urls", [{}, {"download_urls": None}, {"download_urls": []}], ids=str)
async def test_download_urls_are_optional_in_every_state(state: str, urls: dict[str, Any]) -> None:
    async with (
        raw_server(answer(200, {"usage_export_job_id": "e-1", "state": state, **urls})) as server,
        CircleCI("token", host=server.url) as circle,
    ):
        export = await circle.usage.get_export(ID, "e-1")
        assert export.state == state
        assert export.state.is_known == (state != "pending")
        assert not export.download_urls


def test_signed_urls_are_not_in_the_repr() -> None:
    export = UsageExport(usage_export_job_id="e-1", state=UsageExportState.COMPLETED, download_urls=(SIGNED,))
    assert "storage" not in repr(export)
    assert to_dict(export)["download_urls"] == [SIGNED]
