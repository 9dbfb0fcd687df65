"""Usage exports: what can't be exported is refused, and what comes back may lack its addresses."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from circleci_async import CircleCI, InvalidArgument, TransportError, UsageExport, UsageExportState, to_dict
from tests.endpoints.examples import ID
from tests.raw_server import answer, hang_up, raw_server

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
SIGNED = "https://storage.example.com/part-0.csv.gz?X-Amz-Signature=5ecret"

WRONG: dict[str, tuple[Any, Any, str]] = {
    "naive start": (NOW.replace(tzinfo=None), NOW, "start=.*time zone"),
    "naive end": (NOW, NOW.replace(tzinfo=None), "end=.*time zone"),
    "naive text": ("2026-03-01", NOW, "start='2026-03-01'.*time zone"),
    "no date": (NOW, "soon", "end='soon'.*time zone"),
    "no start": (None, NOW, "start=None"),
    "no end": (NOW, None, "end=None"),
    "back": (NOW, NOW - DAY, "end=.*after start="),
    "too long": (NOW - 32 * DAY, NOW, "end=.*at most 31 days"),
    "a little too long": (NOW - 31 * DAY - timedelta(microseconds=1), NOW, "end=.*at most 31 days"),
    "too old": (NOW - 367 * DAY, NOW - 360 * DAY, "start=.*at most a year ago"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("helper", [False, True], ids=["create_export", "export"])
async def test_a_time_that_can_not_be_exported_is_refused(case: str, helper: bool) -> None:
    start, end, said = WRONG[case]
    async with CircleCI("t", host="http://localhost:1") as circle:
        with pytest.raises(InvalidArgument, match=said):
            if helper:
                circle.usage.export(ID, start, end)  # at once, not when it is iterated
            else:
                await circle.usage.create_export(ID, start=start, end=end)
        assert circle.stats.requests == 0


@pytest.mark.parametrize(
    ("start", "end"),
    [(NOW - 31 * DAY, NOW), (NOW - 365 * DAY, NOW - 360 * DAY), (NOW, NOW), (NOW, NOW + 31 * DAY)],
    ids=["31 days", "a year ago", "a moment", "the future"],
)
async def test_the_longest_time_and_the_oldest_are_allowed(start: datetime, end: datetime) -> None:
    made = {"usage_export_job_id": "e-1", "state": "created", "download_urls": None}
    async with raw_server(answer(201, made)) as server, CircleCI("token", host=server.url) as circle:
        export = await circle.usage.create_export(ID, start=start, end=end)
        assert export == UsageExport(usage_export_job_id="e-1", state=UsageExportState.CREATED)


async def test_organizations_in_one_text_are_refused() -> None:
    async with CircleCI("t", host="http://localhost:1") as circle:
        with pytest.raises(InvalidArgument, match="shared_org_ids='o-2'"):
            await circle.usage.create_export(ID, start=NOW, end=NOW, shared_org_ids="o-2")
        with pytest.raises(InvalidArgument, match="shared_org_ids='o-2'"):
            circle.usage.export(ID, NOW, NOW, shared_org_ids="o-2")
        assert circle.stats.requests == 0


@pytest.mark.parametrize("wrong", ["", ".", "..", None, True], ids=repr)
async def test_what_can_not_be_part_of_a_path_is_refused(wrong: Any) -> None:
    async with CircleCI("t", host="http://localhost:1") as circle:
        calls: list[Callable[[], Any]] = [
            lambda: circle.usage.create_export(wrong, start=NOW, end=NOW),
            lambda: circle.usage.get_export(wrong, "e-1"),
            lambda: circle.usage.get_export(ID, wrong),
            lambda: circle.usage.wait(wrong, "e-1"),
            lambda: circle.usage.wait(ID, wrong),
        ]
        for call in calls:
            with pytest.raises(InvalidArgument, match="can't be part of a path"):
                await call()
        with pytest.raises(InvalidArgument, match="can't be part of a path"):
            circle.usage.export(wrong, NOW, NOW)
        assert circle.stats.requests == 0


async def test_an_export_is_never_asked_for_twice() -> None:
    async with raw_server(hang_up) as server, CircleCI("token", host=server.url) as circle:
        with pytest.raises(TransportError):
            await circle.usage.create_export(ID, start=NOW, end=NOW)
        assert len(server.requests) == 1


@pytest.mark.parametrize("state", ["created", "pending", "completed", "failed"])
@pytest.mark.parametrize("urls", [{}, {"download_urls": None}, {"download_urls": []}], ids=str)
async def test_an_export_may_have_no_addresses_whatever_its_state(state: str, urls: dict[str, Any]) -> None:
    async with (
        raw_server(answer(200, {"usage_export_job_id": "e-1", "state": state, **urls})) as server,
        CircleCI("token", host=server.url) as circle,
    ):
        export = await circle.usage.get_export(ID, "e-1")
        assert export.state == state
        assert export.state.is_known == (state != "pending")
        assert not export.download_urls


def test_signed_addresses_are_not_shown_but_kept() -> None:
    export = UsageExport(usage_export_job_id="e-1", state=UsageExportState.COMPLETED, download_urls=(SIGNED,))
    assert "storage" not in repr(export)
    assert to_dict(export)["download_urls"] == [SIGNED]
