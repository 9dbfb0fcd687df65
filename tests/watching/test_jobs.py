"""Waiting for the end of one job."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from attrs import evolve

from circleci_async import InvalidArgument, NotFound, ProjectSlug, WaitTimeout, to_dict
from circleci_async.core import polling
from circleci_async.models import EventProject
from circleci_async.testing import Job
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_is_left
from tests.watching.builds import SLUG, at, completed, poll_times, running, world


def under_way() -> Job:
    """Return a job that runs until the test changes it."""
    return world().project(SLUG).pipeline().workflow("build", status="running").job("test", status="running")


def number_of(job: Job) -> int:
    assert job.number is not None
    return job.number


@fast_clock
@pytest.mark.parametrize("status", ["success", "failed", "canceled", "timedout"])
async def test_the_details_of_the_job_are_returned_once_it_has_ended(status: str) -> None:
    job = under_way()
    async with running(job.project.world) as (fake, circle):
        at(100, lambda: setattr(job, "status", status))
        details = await circle.jobs.wait(SLUG, number_of(job), interval=(4, 20))
        assert (details.name, details.status, details.number) == ("test", status, job.number)
        waits = [later - sooner for sooner, later in pairwise(poll_times(fake, f"/job/{job.number}"))]
        assert waits[0] == pytest.approx(4, abs=0.3)
        assert 12 < max(waits) < 20.3
        assert len(fake.requests) == len(waits) + 1  # nothing else is requested, and the end is not confirmed
        await check_nothing_is_left(circle)


@fast_clock
async def test_an_unknown_status_is_not_the_end() -> None:
    job = under_way()
    async with running(job.project.world) as (fake, circle):
        body = to_dict(await circle.jobs.get(SLUG, number_of(job))) | {"status": "levitating"}
        unknown = fake.fail("*/job/*", status=200, body=body, times=5)
        job.status = "success"
        assert (await circle.jobs.wait(SLUG, number_of(job))).status == "success"
        assert unknown.hits == 5


@fast_clock
async def test_all_waits_for_a_job_share_its_polls() -> None:
    job = under_way()
    async with running(job.project.world) as (fake, circle):
        at(60, lambda: setattr(job, "status", "success"))
        projects: list[Any] = [SLUG, "github/acme/api", ProjectSlug.parse(SLUG)]
        waits = [circle.jobs.wait(each, number_of(job), interval=(10, 10)) for each in projects * 5]
        assert {each.status for each in await asyncio.gather(*waits)} == {"success"}
        assert len(fake.requests) <= 10


@fast_clock
async def test_an_event_about_the_job_triggers_a_poll() -> None:
    job = under_way()
    async with running(job.project.world) as (_, circle):
        began = asyncio.get_running_loop().time()
        waiting = asyncio.create_task(circle.jobs.wait(SLUG, number_of(job), interval=(1000, 1000)))
        await asyncio.sleep(10)
        event = completed(job, "success")
        assert not circle.notify(event)  # it does not name the project
        assert not circle.notify(evolve(event, project=EventProject(id="p", slug="nonsense")))
        job.status = "success"
        assert circle.notify(evolve(event, project=EventProject(id="p", slug="github/acme/api")))
        assert (await waiting).status == "success"
        assert asyncio.get_running_loop().time() - began < 15


@fast_clock
async def test_a_timeout_error_has_the_last_details() -> None:
    job = under_way()
    async with running(job.project.world) as (_, circle):
        with pytest.raises(WaitTimeout, match=rf"job gh/acme/api/{job.number} did not end within 20 s") as caught:
            await circle.jobs.wait(SLUG, number_of(job), timeout=20)
        assert (caught.value.last.number, caught.value.last.status) == (job.number, "running")


@fast_clock
async def test_a_job_that_stays_missing_is_an_error_after_the_grace() -> None:
    async with running(world()) as (fake, circle):
        with pytest.raises(NotFound):
            await circle.jobs.wait(SLUG, 4711, grace=20)
        assert poll_times(fake, "/job/4711")[-1] == pytest.approx(20, abs=0.5)


@fast_clock
async def test_outages_are_tolerated_as_long_as_in_every_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    job = under_way()
    monkeypatch.setattr(polling, "MAX_OUTAGE", 60.0)
    async with running(job.project.world) as (fake, circle):
        at(30, lambda: fake.fail("*/job/*", status=404, times=None))
        began = asyncio.get_running_loop().time()
        with pytest.raises(NotFound):
            await circle.jobs.wait(SLUG, number_of(job), interval=(2, 10))
        assert 90 < asyncio.get_running_loop().time() - began < 130


@pytest.mark.parametrize("number", [0, -1, True, "42", None])
async def test_an_invalid_number_is_refused(number: Any) -> None:
    async with running(under_way().project.world) as (fake, circle):
        with pytest.raises(InvalidArgument, match="number must be the number of a job in its project"):
            await circle.jobs.wait(SLUG, number)
        assert fake.requests == []
