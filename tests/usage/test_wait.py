"""Waiting for exports, within the rate of the API, through transient failures, and with a timeout."""

import asyncio
from typing import Any

import pytest

from circleci_async import (
    ApiError,
    CircleCI,
    ExportFailed,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    WaitTimeout,
)
from circleci_async.models import UsageExportState, UsageProgress
from circleci_async.usage.poll_rate import MAX_POLLS
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_is_left
from tests.raw_server import answer, hang, raw_server
from tests.usage.exports import END, ORG, QUICK, START, TOKEN, job_in, one_organization, poll_times, running


async def rows_of(export: Any) -> list[dict[str, str]]:
    return [row async for row in export]


@fast_clock
async def test_delays_grow_to_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.0)  # no jitter
    world, organization = one_organization()
    organization.usage.export_time = 100
    async with running(world) as (fake, circle):
        assert len(await rows_of(circle.usage.export(organization.id, START, END))) == 5
        assert poll_times(fake) == pytest.approx([1, 2.5, 4.75, 8.1, 13.2, 20.8, 32.2, 49.3, 74.9, 104.9], abs=0.5)


@fast_clock
async def test_the_interval_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.0)
    world, organization = one_organization()
    organization.usage.export_time = 30
    async with running(world) as (fake, circle):
        assert len(await rows_of(circle.usage.export(organization.id, START, END, interval=(2, 7)))) == 5
        assert poll_times(fake) == pytest.approx([2, 5, 9.5, 16.25, 23.25, 30.25], abs=0.5)


@fast_clock
async def test_a_short_interval_stays_within_the_limit_of_the_api() -> None:
    world, organization = one_organization()
    organization.usage.export_time = 100
    async with running(world) as (fake, circle):
        assert len(await rows_of(circle.usage.export(organization.id, START, END, interval=(0.1, 0.1)))) == 5
        assert {request.status for request in fake.requests} == {200, 201}
        assert len(poll_times(fake)) == 2 * MAX_POLLS + 1


@fast_clock
async def test_many_exports_of_one_organization_share_the_limit() -> None:
    world, organization = one_organization()
    organization.usage.export_time = 200
    other = world.project("gh/other/api").organization
    async with running(world) as (fake, circle):
        exports = [circle.usage.export(organization.id, START, END, interval=(5, 5)) for _ in range(8)]
        many = await asyncio.gather(*map(rows_of, exports), rows_of(circle.usage.export(other.id, START, END)))
        assert [len(rows) for rows in many] == [5] * 8 + [0]
        assert {request.status for request in fake.requests} == {200, 201}
        assert circle.stats.rate_limited == 0


@fast_clock
async def test_an_export_of_hours_is_waited_for() -> None:
    world, organization = one_organization()
    organization.usage.export_time = 3.5 * 3600
    async with running(world) as (fake, circle):
        fake.fail(headers={"Connection": "close"}, times=None)  # an idle connection would set timers for hours
        assert len(await rows_of(circle.usage.export(organization.id, START, END, interval=(10, 900)))) == 5
        assert len(poll_times(fake)) < 35


@fast_clock
async def test_a_completed_export_is_returned_at_once() -> None:
    world, organization = one_organization()
    async with running(world) as (fake, circle):
        begun = await circle.usage.create_export(organization.id, start=START, end=END)
        await asyncio.sleep(1)
        export = await circle.usage.wait(organization.id, begun.usage_export_job_id)
        assert export.state is UsageExportState.COMPLETED
        assert export.download_urls is not None
        assert len(export.download_urls) == 2
        assert poll_times(fake) == pytest.approx([1], abs=0.2)


@pytest.mark.parametrize("state", ["pending", "created", "processing", "a state of the future"])
@fast_clock
async def test_other_states_are_waited_through(state: str) -> None:
    async with (
        raw_server(job_in(state), job_in(state), job_in("completed")) as server,
        CircleCI(TOKEN, host=server.url) as circle,
    ):
        assert (await circle.usage.wait(ORG, "e-1")).state == "completed"
        assert len(server.requests) == 3


@fast_clock
async def test_after_a_timeout_the_wait_can_be_repeated() -> None:
    world, organization = one_organization()
    organization.usage.export_time = 3600
    async with running(world) as (fake, circle):
        fake.fail(headers={"Connection": "close"}, times=None)
        began = asyncio.get_running_loop().time()
        with pytest.raises(WaitTimeout, match=r"still processing after 1800 s.*usage\.wait") as caught:
            await rows_of(circle.usage.export(organization.id, START, END, interval=(300, 300), timeout=1800))
        assert asyncio.get_running_loop().time() - began == pytest.approx(1800, abs=1)
        assert caught.value.export_id is not None
        export = await circle.usage.wait(organization.id, caught.value.export_id, interval=(300, 300))
        assert len(await rows_of(circle.usage.rows(export))) == 5
        assert len(organization.usage.exports) == 1


@fast_clock
async def test_the_timeout_interrupts_a_poll() -> None:
    async with raw_server(hang) as server, CircleCI(TOKEN, host=server.url, timeout=9000) as circle:
        with pytest.raises(WaitTimeout, match="still created after 50 s") as caught:
            await circle.usage.wait(ORG, "e-1", timeout=50)
        assert caught.value.export_id == "e-1"
        await server.all_closed()
        await check_nothing_is_left(circle)


@fast_clock
async def test_other_timeout_errors_are_raised_unchanged() -> None:
    async def token() -> str:
        raise TimeoutError("the vault is slow")

    async with raw_server(job_in("completed")) as server, CircleCI(token, host=server.url) as circle:
        with pytest.raises(TimeoutError, match="vault"):
            await circle.usage.wait(ORG, "e-1")
    async with raw_server(job_in("processing")) as server, CircleCI(TOKEN, host=server.url) as circle:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(100):
                await circle.usage.wait(ORG, "e-1")
        await check_nothing_is_left(circle)


@pytest.mark.parametrize(
    ("reason", "message"), [("the query took too long", "the query took too long"), (None, "CircleCI gives no reason")]
)
@fast_clock
async def test_a_failed_export_is_an_error_with_its_reason(reason: str | None, message: str) -> None:
    more = {} if reason is None else {"error_reason": reason}
    async with (
        raw_server(job_in("processing"), job_in("failed", **more)) as server,
        CircleCI(TOKEN, host=server.url) as circle,
    ):
        with pytest.raises(ExportFailed, match=f"usage export e-1 failed: {message}") as caught:
            await circle.usage.wait(ORG, "e-1")
        assert (caught.value.reason, caught.value.export_id) == (reason, "e-1")


@fast_clock
async def test_a_failed_export_does_not_affect_the_next_one() -> None:
    world, organization = one_organization()
    organization.fail_next_export("too many rows")
    async with running(world) as (_, circle):
        with pytest.raises(ExportFailed, match="too many rows"):
            await rows_of(circle.usage.export(organization.id, START, END))
        assert len(await rows_of(circle.usage.export(organization.id, START, END))) == 5


@fast_clock
async def test_an_outage_of_a_minute_does_not_end_the_wait() -> None:
    world, organization = one_organization()
    organization.usage.export_time = 20
    async with running(world) as (fake, circle):
        down = fake.fail("*/usage_export_job/*", status=503, times=None)
        asyncio.get_running_loop().call_later(60, down.stop)
        assert len(await rows_of(circle.usage.export(organization.id, START, END))) == 5
        assert poll_times(fake)[-1] > 60


@pytest.mark.parametrize(("status", "kind"), [(404, NotFound), (500, ServerError)])
@fast_clock
async def test_a_longer_outage_ends_the_wait_with_the_last_error(status: int, kind: type[ApiError]) -> None:
    async with (
        raw_server(job_in("processing"), answer(status, {"message": "no"})) as server,
        CircleCI(TOKEN, host=server.url, retry=QUICK) as circle,
    ):
        began = asyncio.get_running_loop().time()
        with pytest.raises(kind) as caught:
            await circle.usage.wait(ORG, "e-1")
        assert caught.value.export_id == "e-1"
        assert 120 <= asyncio.get_running_loop().time() - began < 200


@fast_clock
async def test_a_retry_after_beyond_max_wait_delays_the_next_poll() -> None:
    world, organization = one_organization()
    async with running(world) as (fake, circle):
        fake.fail("*/usage_export_job/*", status=429, headers={"Retry-After": "600"})
        assert len(await rows_of(circle.usage.export(organization.id, START, END))) == 5
        assert poll_times(fake)[1] - poll_times(fake)[0] >= 600


@pytest.mark.parametrize(("status", "kind"), [(404, NotFound), (403, PermissionDenied)])
async def test_an_unknown_export_or_a_missing_permission_ends_the_wait_at_once(
    status: int, kind: type[ApiError]
) -> None:
    async with (
        raw_server(answer(status, {"message": "no"})) as server,
        CircleCI(TOKEN, host=server.url, retry=QUICK) as circle,
    ):
        with pytest.raises(kind) as caught:
            await circle.usage.wait(ORG, "e-1")
        assert caught.value.export_id == "e-1"
        assert len(server.requests) == 1


@fast_clock
async def test_exports_beyond_the_hourly_limit_are_refused_at_once() -> None:
    world, organization = one_organization()
    async with running(world) as (_, circle):
        for _ in range(10):
            await circle.usage.create_export(organization.id, start=START, end=END)
        with pytest.raises(RateLimited) as caught:
            await rows_of(circle.usage.export(organization.id, START, END))
        assert caught.value.retry_after is not None
        assert 3500 < caught.value.retry_after <= 3600
        assert len(organization.usage.exports) == 10


@fast_clock
async def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    world, organization = one_organization()
    organization.usage.export_time = 3600
    async with running(world) as (fake, circle):
        waiting = asyncio.ensure_future(rows_of(circle.usage.export(organization.id, START, END)))
        while len(fake.requests) < 3:
            await asyncio.sleep(0.5)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await check_nothing_is_left(circle)


@fast_clock
async def test_each_poll_is_reported() -> None:
    progress: list[UsageProgress] = []
    async with (
        raw_server(job_in("created"), job_in("pending"), job_in("completed", ["https://s.example.com/1"])) as server,
        CircleCI(TOKEN, host=server.url) as circle,
    ):
        await circle.usage.wait(ORG, "e-1", on_progress=progress.append)
    assert progress == [
        UsageProgress(export_id="e-1", state=UsageExportState(state)) for state in ("created", "pending", "completed")
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"interval": each}, "interval must be two positive numbers") for each in (0, (0, 1), (2, 1), None, "12")]
    + [({"timeout": each}, "timeout must be a positive number") for each in (0, -1, float("nan"), None, "5", True)],
    ids=repr,
)
async def test_invalid_arguments_are_refused_at_the_call(arguments: dict[str, Any], message: str) -> None:
    async with CircleCI(TOKEN, host="http://localhost:1") as circle:
        with pytest.raises(InvalidArgument, match=message):
            circle.usage.export(ORG, START, END, **arguments)
        with pytest.raises(InvalidArgument, match=message):
            await circle.usage.wait(ORG, "e-1", **arguments)
        assert circle.stats.requests == 0
