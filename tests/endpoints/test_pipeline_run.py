"""Running a pipeline: all kinds of projects, `NotCreated`, and no retries."""

import pytest

from circleci_async import ApiError, CircleCI, NotCreated, ServerError
from circleci_async.models import Ref
from circleci_async.testing import FakeCircleCI, World
from tests.raw_server import answer, raw_server

P = "gh/acme/api"
OPAQUE = "circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat"


@pytest.mark.parametrize("project", [P, "bb/acme/api", OPAQUE])
async def test_a_pipeline_runs_in_every_kind_of_project(project: str) -> None:
    world = World()
    world.project(project)
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        created = await circle.pipelines.run(project, checkout=Ref(tag="v1"), parameters={"n": 1})
        assert (created.number, created.state) == (1, "pending")
        [pipeline] = world.projects[project].pipelines.all
        assert (pipeline.id, pipeline.tag, pipeline.parameters) == (created.id, "v1", {"n": 1})


async def test_a_run_without_a_pipeline_raises_not_created() -> None:
    world = World()
    world.project(P).skip_next_run("the commit message holds [skip ci]")
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        with pytest.raises(NotCreated) as caught:
            await circle.pipelines.run(P)
        assert isinstance(caught.value, ApiError)
        assert (caught.value.status, caught.value.message) == (200, "the commit message holds [skip ci]")
        assert len(fake.requests) == 1
        assert (await circle.pipelines.run(P)).number == 1


@pytest.mark.parametrize("status", [200, 202, 204])
@pytest.mark.parametrize("body", ["", '{"message": ""}', "null"])
async def test_any_status_but_201_raises_not_created(status: int, body: str) -> None:
    said = answer(status, "" if status == 204 else body)
    async with raw_server(said) as server, CircleCI("t", host=server.url) as circle:
        with pytest.raises(NotCreated) as caught:
            await circle.pipelines.run(P)
        assert caught.value.message


async def test_a_run_is_not_retried_after_a_server_error() -> None:
    async with raw_server(answer(503, {})) as server, CircleCI("t", host=server.url) as circle:
        with pytest.raises(ServerError):
            await circle.pipelines.run(P)
        assert len(server.requests) == 1
