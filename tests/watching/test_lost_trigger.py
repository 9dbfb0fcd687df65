"""`if_lost="find"`: the pipeline of a trigger whose response was lost is found, and never triggered again."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from circleci_async import (
    CircleCI,
    CircleCIError,
    DecodeError,
    InvalidArgument,
    NotFound,
    RequestTimeout,
    ServerError,
    TransportError,
)
from circleci_async.models import CheckoutSource, ConfigSource, PipelineCreated, Ref, Repository
from circleci_async.testing import FakeCircleCI, Pipeline, Project, World
from tests.fastclock import fast_clock

from .builds import SLUG, at, running, world

LOST: dict[str, tuple[dict[str, Any], type[CircleCIError]]] = {
    "connection": ({"reset": "after"}, TransportError),
    "timeout": ({"delay": 200}, RequestTimeout),
    "gateway": ({"status": 502}, ServerError),
    "body": ({"broken_json": True}, DecodeError),
    "incomplete": ({"cut": 5}, TransportError),
}
"""How a response is lost, and the error."""

Start = Callable[[CircleCI, str], Awaitable[PipelineCreated]]

STARTS: dict[str, Start] = {
    "trigger": lambda circle, branch: circle.pipelines.trigger(SLUG, branch=branch, if_lost="find"),
    "run": lambda circle, branch: circle.pipelines.run(SLUG, checkout=Ref(branch=branch), if_lost="find"),
    "run a mapping": lambda circle, branch: circle.pipelines.run(SLUG, checkout={"branch": branch}, if_lost="find"),
}


def posts(fake: FakeCircleCI) -> int:
    """Return how many requests triggered a pipeline."""
    return sum(each.method == "POST" for each in fake.requests)


def api_pipeline(project: Project, **more: Any) -> Pipeline:
    """Create the pipeline of an API call of the token's user."""
    return project.pipeline(trigger_type="api", **more)


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
@pytest.mark.parametrize("how", [how for how in LOST if how != "gateway"])
@fast_clock
async def test_the_pipeline_of_a_lost_response_is_returned(how: str, start: Start) -> None:
    it = world()
    project = it.project(SLUG)
    before = api_pipeline(project, branch="main")
    async with running(it) as (fake, circle):
        fake.fail("*/pipeline*", method="POST", **LOST[how][0])
        created = await start(circle, "main")
        [_, triggered] = project.pipelines.all
        assert (created.id, created.number, created.created_at) == (triggered.id, 2, triggered.created_at)
        assert created.id != before.id
        assert posts(fake) == 1


@fast_clock
async def test_a_pipeline_that_a_gateway_hid_is_found_when_it_appears() -> None:
    it = world()
    project = it.project(SLUG)
    async with running(it) as (fake, circle):
        fake.fail("*/pipeline", method="POST", status=504)
        at(20, lambda: api_pipeline(project, tag="v1"))
        created = await circle.pipelines.trigger(SLUG, tag="v1", if_lost="find")
        assert created.id == project.pipelines.all[0].id
        assert posts(fake) == 1


@pytest.mark.parametrize("how", LOST)
@fast_clock
async def test_by_default_the_error_is_raised_at_once(how: str) -> None:
    it = world()
    it.project(SLUG)
    async with running(it) as (fake, circle):
        fake.fail("*/pipeline", method="POST", **LOST[how][0])
        with pytest.raises(LOST[how][1]) as caught:
            await circle.pipelines.trigger(SLUG)
        assert caught.value.candidates == ()
        assert "The pipeline may have been created: check `pipelines.mine`" in str(caught.value.hint)
        assert [each.method for each in fake.requests] == ["POST"]


@fast_clock
async def test_without_a_pipeline_the_error_is_raised_after_half_a_minute() -> None:
    it = world()
    project = it.project(SLUG)
    other = it.user("ada")
    api_pipeline(project, branch="main")
    async with running(it) as (fake, circle):
        fake.fail("*/pipeline", method="POST", status=503)
        # none of these is the lost one: another branch, another user, not from the API, a tag
        at(2, lambda: api_pipeline(project, branch="dev"))
        at(2, lambda: api_pipeline(project, branch="main", actor=other))
        at(2, lambda: project.pipeline(branch="main", trigger_type="webhook"))
        at(2, lambda: api_pipeline(project, tag="main"))
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(ServerError, match="503") as caught:
            await circle.pipelines.trigger(SLUG, branch="main", if_lost="find")
        assert loop.time() - began == pytest.approx(30, abs=0.5)
        assert caught.value.candidates == ()
        assert "No pipeline of this trigger appeared within 30 s" in str(caught.value.hint)
        assert posts(fake) == 1


@fast_clock
async def test_several_pipelines_are_the_candidates_of_the_error() -> None:
    it = world()
    project = it.project(SLUG)
    async with running(it) as (fake, circle):
        fake.fail("*/pipeline", method="POST", reset="after", delay=1)
        at(0.5, lambda: api_pipeline(project, branch="main"))  # by another program
        with pytest.raises(TransportError) as caught:
            await circle.pipelines.trigger(SLUG, branch="main", if_lost="find")
        assert [each.id for each in caught.value.candidates] == [each.id for each in project.pipelines.all[::-1]]
        assert "One of the pipelines 2, 1 may be the triggered one" in str(caught.value.hint)


@fast_clock
async def test_the_default_branch_counts_without_a_ref() -> None:
    it = world()
    project = it.project(SLUG, default_branch="trunk")
    async with running(it) as (fake, circle):
        fake.fail("*/pipeline", method="POST", status=502)
        at(2, lambda: api_pipeline(project, branch="dev"))
        at(9, lambda: api_pipeline(project, branch="trunk"))
        created = await circle.pipelines.trigger(SLUG, if_lost="find")
        assert it.pipelines_by_id[created.id].branch == "trunk"


@fast_clock
async def test_every_ref_counts_for_a_run_without_a_checkout() -> None:
    it = world()
    project = it.project(SLUG)
    async with running(it) as (fake, circle):
        fake.fail("*/pipeline/run", method="POST", status=502)
        at(2, lambda: api_pipeline(project, branch="dev"))
        created = await circle.pipelines.run(SLUG, if_lost="find")
        assert it.pipelines_by_id[created.id].branch == "dev"


@fast_clock
async def test_pipelines_that_other_triggers_returned_are_no_candidates() -> None:
    it = world()
    project = it.project(SLUG)
    async with running(it) as (fake, circle):
        fake.fail("*/pipeline", method="POST", reset="after", delay=1)
        lost = asyncio.create_task(circle.pipelines.trigger(SLUG, branch="main", if_lost="find"))
        await asyncio.sleep(0.5)
        other = await circle.with_options(timeout=9).pipelines.trigger(SLUG, branch="main")
        first, second = project.pipelines.all
        assert ((await lost).id, other.id) == (first.id, second.id)


@fast_clock
async def test_many_pages_of_new_pipelines_are_searched() -> None:
    it = world()
    project = it.project(SLUG)
    async with running(it, page_size=2) as (fake, circle):
        fake.fail("*/pipeline", method="POST", reset="after", delay=1)

        def add_others() -> None:
            for _ in range(5):
                project.pipeline(branch="main", trigger_type="webhook")

        at(0.5, add_others)
        created = await circle.pipelines.trigger(SLUG, branch="main", if_lost="find")
        assert created.id == project.pipelines.all[0].id


@pytest.mark.parametrize(
    "fault", [{"status": 400, "body": {"message": "no"}}, {"status": 429, "headers": {"Retry-After": "999"}}]
)
@fast_clock
async def test_a_refused_trigger_is_not_searched(fault: dict[str, Any]) -> None:
    it = world()
    it.project(SLUG)
    async with running(it) as (fake, circle):
        fake.fail("*/pipeline", method="POST", times=None, **fault)
        with pytest.raises(CircleCIError) as caught:
            await circle.pipelines.trigger(SLUG, if_lost="find")
        assert caught.value.candidates == ()
        assert [each.path.rpartition("/")[2] for each in fake.requests] == ["mine", "pipeline"]


@fast_clock
async def test_what_was_refused_by_the_rate_limit_is_sent_again() -> None:
    it = world()
    it.project(SLUG)
    async with running(it) as (fake, circle):
        fake.fail("*/pipeline", method="POST", status=429)
        assert (await circle.pipelines.trigger(SLUG, if_lost="find")).number == 1
        assert posts(fake) == 2


@fast_clock
async def test_nothing_is_triggered_if_the_newest_pipeline_is_unknown() -> None:
    async with running(World()) as (fake, circle):
        with pytest.raises(NotFound):
            await circle.pipelines.trigger(SLUG, if_lost="find")
        assert posts(fake) == 0


@fast_clock
async def test_a_search_that_fails_raises_the_error_of_the_trigger() -> None:
    it = world()
    it.project(SLUG)
    async with running(it) as (fake, circle):
        fake.fail("*/pipeline", method="POST", reset="after")
        fake.fail("*/pipeline/mine", after=1, status=403)
        with pytest.raises(TransportError) as caught:
            await circle.pipelines.trigger(SLUG, if_lost="find")
        assert caught.value.candidates == ()
        assert caught.value.hint == (
            "The search for its pipeline failed (403 Forbidden: Forbidden.): check `pipelines.mine` before you trigger"
            " again."
        )


@fast_clock
async def test_invalid_arguments_are_refused_before_anything_is_sent() -> None:
    async with running(world()) as (fake, circle):
        with pytest.raises(InvalidArgument, match="branch and tag cannot be combined"):
            await circle.pipelines.trigger(SLUG, branch="a", tag="b", if_lost="find")
        with pytest.raises(InvalidArgument, match=re.escape("checkout must be Ref(branch='a')")):
            await circle.pipelines.run(SLUG, checkout="a", if_lost="find")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        assert fake.requests == []


@pytest.mark.parametrize("definition_id", [False, True])
@fast_clock
async def test_trigger_and_wait_waits_for_the_pipeline_that_it_finds(definition_id: bool) -> None:
    it = world()
    project = it.project(SLUG)
    async with running(it) as (fake, circle):
        more: dict[str, Any] = {}
        if definition_id:
            definition = await circle.pipeline_definitions.create(
                project.id,
                name="nightly",
                config_source=ConfigSource(provider="circleci", file_path="nightly.yml"),
                checkout_source=CheckoutSource(provider="github_app", repo=Repository(external_id="1")),
            )
            more["definition_id"] = definition.id
            fake.requests.clear()
        fake.fail("*/pipeline*", method="POST", reset="after")
        result = await circle.pipelines.trigger_and_wait(SLUG, branch="dev", if_lost="find", timeout=900, **more)
        assert (result.status, result.pipeline.id) == ("success", project.pipelines.all[0].id)
        assert posts(fake) == 1


@fast_clock
async def test_a_search_can_be_cancelled() -> None:
    it = world()
    it.project(SLUG)
    async with running(it) as (fake, circle):
        fake.fail("*/pipeline", method="POST", status=502)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await circle.pipelines.trigger(SLUG, if_lost="find")
