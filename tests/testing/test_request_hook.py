"""`on_request` receives each request, and may answer or fail it."""

import asyncio
import json
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.testing import FakeCircleCI, Fault, Request, World

ONCE = ca.RetryPolicy(attempts=1)
PIPELINES = "/api/v2/project/gh/acme/api/pipeline"


async def test_each_request_is_observed_with_its_body_before_it_has_an_effect(world: World) -> None:
    project = world.project("gh/acme/api")
    seen: list[Any] = []

    def observe(request: Request) -> None:
        seen.append((request.origin, request.method, request.path, request.body, len(project.pipelines.all)))

    async with FakeCircleCI(world, on_request=observe, record=False) as fake, fake.client() as circle:
        await circle.pipelines.trigger("gh/acme/api", branch="dev")
        await circle.users.me()
    body = json.dumps({"branch": "dev"}, separators=(",", ":")).encode()
    assert seen == [("api", "POST", PIPELINES, body, 0), ("api", "GET", "/api/v2/me", b"", 1)]


async def test_the_artifact_host_and_the_storage_are_observed_too(world: World) -> None:
    job = world.project("gh/acme/api").pipeline().workflow().job("test")
    job.artifact("a.txt", b"a")
    seen: list[Request] = []
    async with FakeCircleCI(world, on_request=seen.append) as fake, fake.client() as circle:
        [artifact] = await circle.artifacts.list("gh/acme/api", job.number or 0).collect()
        async with circle.artifacts.open(artifact) as stream:
            assert [part async for part in stream] == [b"a"]
        assert [each.origin for each in seen] == ["api", "artifacts", "storage"]
        assert seen == fake.requests


async def test_a_fault_is_the_response(world: World) -> None:
    def impostor(request: Request) -> Fault | None:
        return Fault(status=200, body={"id": "1", "login": "impostor"}) if request.path.endswith("/me") else None

    async with FakeCircleCI(world, on_request=impostor) as fake, fake.client() as circle:
        assert (await circle.users.me()).login == "impostor"
        assert (await circle.users.get(world.me.id)).login == "octo-dev"
        assert [each.status for each in fake.requests] == [200, 200]


@pytest.mark.parametrize("reset", ["before", "after"])
async def test_a_fault_resets_the_connection(world: World, reset: Any) -> None:
    project = world.project("gh/acme/api")
    fault = Fault(reset=reset)

    async with FakeCircleCI(world, on_request=lambda _: fault) as fake, fake.client(retry=ONCE) as circle:
        with pytest.raises(ca.TransportError):
            await circle.pipelines.trigger("gh/acme/api")
        assert (len(project.pipelines.all), fault.hits) == (1 if reset == "after" else 0, 1)
        assert fake.requests[0].status is None


async def test_a_fault_of_the_hook_takes_precedence_over_planned_ones(world: World) -> None:
    answers = iter([Fault("/elsewhere", status=418), None])
    async with FakeCircleCI(world, on_request=lambda _: next(answers)) as fake, fake.client(retry=ONCE) as circle:
        planned = fake.fail("*/me", status=409)
        for status, hits in ((418, 0), (409, 1)):
            with pytest.raises(ca.ApiError) as caught:
                await circle.users.me()
            assert (caught.value.status, planned.hits) == (status, hits)


async def test_an_async_hook_holds_a_request_until_the_test_goes_on(world: World) -> None:
    arrived, released = asyncio.Event(), asyncio.Event()

    async def hold(request: Request) -> Fault | None:
        arrived.set()
        await released.wait()
        return None

    async with FakeCircleCI(world, on_request=hold) as fake, fake.client() as circle:
        call = asyncio.create_task(circle.users.me())
        await arrived.wait()
        assert not call.done()
        released.set()
        assert (await call).login == "octo-dev"


async def test_an_error_of_the_hook_is_the_response(world: World, caplog: pytest.LogCaptureFixture) -> None:
    def check(request: Request) -> Any:
        assert request.method == "POST", "only POST is expected"
        return 7

    world.project("gh/acme/api")
    async with FakeCircleCI(world, on_request=check) as fake, fake.client(retry=ONCE) as circle:
        with pytest.raises(ca.ServerError, match="on_request failed: AssertionError: only POST is expected"):
            await circle.users.me()
        with pytest.raises(ca.ServerError, match="on_request failed: TypeError: it must return a Fault or None, got 7"):
            await circle.pipelines.trigger("gh/acme/api")
        assert world.projects["gh/acme/api"].pipelines.all == []
    assert [record.getMessage() for record in caplog.records if record.exc_info] == [
        "on_request failed for GET /api/v2/me",
        f"on_request failed for POST {PIPELINES}",
    ]


def test_what_cannot_be_called_is_refused_at_once() -> None:
    with pytest.raises(ca.InvalidArgument, match="on_request must be a function that takes a Request, got 503"):
        FakeCircleCI(on_request=503)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
