"""Exports are waited for, within the limits of the API, and not for ever."""

import asyncio
from typing import Any

import pytest

from circleci_async import (
    CircleCI,
    ExportFailed,
    InvalidArgument,
    NotFound,
    RateLimited,
    ServerError,
    UsageExportState,
    UsageProgress,
    WaitTimeout,
)
from circleci_async.usage.pace import LOOKS
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_is_left
from tests.raw_server import answer, hang, raw_server
from tests.usage.exports import END, ORG, QUICK, START, TOKEN, looks, one_organization, running, told


async def rows_of(export: Any) -> list[dict[str, str]]:
    return [row async for row in export]


@fast_clock
async def test_the_first_looks_come_soon_and_the_later_ones_every_half_minute() -> None:
    world, organization = one_organization()
    organization.usage.export_time = 100
    async with running(world) as (fake, circle):
        assert len(await rows_of(circle.usage.export(organization.id, START, END))) == 5
        assert looks(fake) == pytest.approx([1, 3, 7, 15, 31, 61, 91, 121], abs=0.5)


@fast_clock
async def test_the_time_between_two_looks_can_be_set() -> None:
    world, organization = one_organization()
    organization.usage.export_time = 30
    async with running(world) as (fake, circle):
        assert len(await rows_of(circle.usage.export(organization.id, START, END, poll=7))) == 5
        assert looks(fake) == pytest.approx([1, 3, 7, 14, 21, 28, 35], abs=0.5)


@fast_clock
async def test_however_impatient_the_caller_the_limit_is_kept() -> None:
    world, organization = one_organization()
    organization.usage.export_time = 100
    async with running(world) as (fake, circle):
        assert len(await rows_of(circle.usage.export(organization.id, START, END, poll=0.1))) == 5
        assert {request.status for request in fake.requests} == {200, 201}
        assert len(looks(fake)) == 2 * LOOKS + 1


@fast_clock
async def test_many_exports_of_one_organization_share_the_limit() -> None:
    world, organization = one_organization()
    organization.usage.export_time = 200
    other = world.project("gh/other/api").organization
    async with running(world) as (fake, circle):
        exports = [circle.usage.export(organization.id, START, END, poll=5) for _ in range(8)]
        many = await asyncio.gather(*map(rows_of, exports), rows_of(circle.usage.export(other.id, START, END)))
        assert [len(rows) for rows in many] == [5] * 8 + [0]
        assert {request.status for request in fake.requests} == {200, 201}
        assert circle.stats.rate_limited == 0


@fast_clock
async def test_an_export_of_hours_is_waited_for() -> None:
    world, organization = one_organization()
    organization.usage.export_time = 3.5 * 3600
    async with running(world) as (fake, circle):
        fake.fail(headers={"Connection": "close"}, times=None)  # an idle connection would be looked after for hours
        assert len(await rows_of(circle.usage.export(organization.id, START, END, poll=900))) == 5
        assert len(looks(fake)) == 23


@fast_clock
async def test_what_is_completed_already_is_not_waited_for() -> None:
    world, organization = one_organization()
    async with running(world) as (fake, circle):
        begun = await circle.usage.create_export(organization.id, start=START, end=END)
        await asyncio.sleep(1)
        export = await circle.usage.wait(organization.id, begun.usage_export_job_id)
        assert export.state is UsageExportState.COMPLETED
        assert export.download_urls is not None
        assert len(export.download_urls) == 2
        assert looks(fake) == pytest.approx([1], abs=0.2)


@pytest.mark.parametrize("state", ["pending", "created", "processing", "a word of tomorrow"])
@fast_clock
async def test_a_state_that_is_no_end_is_waited_through(state: str) -> None:
    async with (
        raw_server(told(state), told(state), told("completed")) as server,
        CircleCI(TOKEN, host=server.url) as circle,
    ):
        assert (await circle.usage.wait(ORG, "e-1")).state == "completed"
        assert len(server.requests) == 3


@fast_clock
async def test_when_the_time_is_up_the_wait_ends_and_can_be_taken_up_again() -> None:
    world, organization = one_organization()
    organization.usage.export_time = 3600
    async with running(world) as (fake, circle):
        fake.fail(headers={"Connection": "close"}, times=None)
        began = asyncio.get_running_loop().time()
        with pytest.raises(WaitTimeout, match=r"still processing after 1800 s.*usage\.wait") as caught:
            await rows_of(circle.usage.export(organization.id, START, END, poll=300, timeout=1800))
        assert asyncio.get_running_loop().time() - began == pytest.approx(1800, abs=1)
        assert caught.value.export_id is not None
        export = await circle.usage.wait(organization.id, caught.value.export_id, poll=300)
        assert len(await rows_of(circle.usage.rows(export))) == 5
        assert len(organization.usage.exports) == 1


@fast_clock
async def test_a_look_that_hangs_does_not_outlast_the_time() -> None:
    async with raw_server(hang) as server, CircleCI(TOKEN, host=server.url, timeout=9000) as circle:
        with pytest.raises(WaitTimeout, match="still created after 50 s") as caught:
            await circle.usage.wait(ORG, "e-1", timeout=50)
        assert caught.value.export_id == "e-1"
        await server.all_closed()
        await check_nothing_is_left(circle)


@fast_clock
async def test_a_timeout_of_the_callers_own_is_not_taken_for_that() -> None:
    async def token() -> str:
        raise TimeoutError("the vault is slow")

    async with raw_server(told("completed")) as server, CircleCI(token, host=server.url) as circle:
        with pytest.raises(TimeoutError, match="vault"):
            await circle.usage.wait(ORG, "e-1")
    async with raw_server(told("processing")) as server, CircleCI(TOKEN, host=server.url) as circle:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(100):
                await circle.usage.wait(ORG, "e-1")
        await check_nothing_is_left(circle)


@pytest.mark.parametrize(
    ("reason", "said"), [("the query took too long", "the query took too long"), (None, "CircleCI does not say why")]
)
@fast_clock
async def test_an_export_that_failed_says_why(reason: str | None, said: str) -> None:
    more = {} if reason is None else {"error_reason": reason}
    async with (
        raw_server(told("processing"), told("failed", **more)) as server,
        CircleCI(TOKEN, host=server.url) as circle,
    ):
        with pytest.raises(ExportFailed, match=f"usage export e-1 failed: {said}") as caught:
            await circle.usage.wait(ORG, "e-1")
        assert (caught.value.reason, caught.value.export_id) == (reason, "e-1")


@fast_clock
async def test_an_export_that_is_to_fail_fails_and_the_next_one_does_not() -> None:
    world, organization = one_organization()
    organization.fail_next_export("too many rows")
    async with running(world) as (_, circle):
        with pytest.raises(ExportFailed, match="too many rows"):
            await rows_of(circle.usage.export(organization.id, START, END))
        assert len(await rows_of(circle.usage.export(organization.id, START, END))) == 5


@fast_clock
async def test_an_error_says_which_export_it_ended() -> None:
    for status, kind in ((404, NotFound), (500, ServerError)):
        async with (
            raw_server(told("processing"), answer(status, {"message": "no"})) as server,
            CircleCI(TOKEN, host=server.url, retry=QUICK) as circle,
        ):
            with pytest.raises(kind) as caught:
                await circle.usage.wait(ORG, "e-1")
            assert caught.value.export_id == "e-1"


@fast_clock
async def test_a_look_that_fails_for_a_moment_is_made_again() -> None:
    world, organization = one_organization()
    organization.usage.export_time = 20
    async with running(world) as (fake, circle):
        fake.fail("*/usage_export_job/*", status=503, times=3)
        assert len(await rows_of(circle.usage.export(organization.id, START, END))) == 5


@fast_clock
async def test_more_exports_than_an_hour_allows_are_refused_at_once() -> None:
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
async def test_cancelling_a_wait_leaves_nothing_behind() -> None:
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
async def test_each_look_is_told() -> None:
    progress: list[UsageProgress] = []
    async with (
        raw_server(told("created"), told("pending"), told("completed", ["https://s.example.com/1"])) as server,
        CircleCI(TOKEN, host=server.url) as circle,
    ):
        await circle.usage.wait(ORG, "e-1", on_progress=progress.append)
    assert progress == [
        UsageProgress(export_id="e-1", state=UsageExportState(state)) for state in ("created", "pending", "completed")
    ]


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), None, "5"], ids=repr)
async def test_times_that_are_none_are_refused_at_the_call(wrong: Any) -> None:
    async with CircleCI(TOKEN, host="http://localhost:1") as circle:
        for name in ("poll", "timeout"):
            with pytest.raises(InvalidArgument, match=f"{name}="):
                circle.usage.export(ORG, START, END, **{name: wrong})
            with pytest.raises(InvalidArgument, match=f"{name}="):
                await circle.usage.wait(ORG, "e-1", **{name: wrong})
        assert circle.stats.requests == 0
