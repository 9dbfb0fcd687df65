"""Whoever asks must show the token, in one of three ways."""

import base64

import pytest

from circleci_async.testing import World

from .caller import Caller


def _basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    "headers",
    [
        {"Circle-Token": "fake-token"},
        {"circle-token": "fake-token"},
        {"Authorization": "Bearer fake-token"},
        {"Authorization": "bearer fake-token"},
        {"Authorization": _basic("fake-token:")},
        {"Authorization": _basic("fake-token")},
    ],
)
async def test_the_token_is_accepted_in_each_way_to_send_it(api: Caller, headers: dict[str, str]) -> None:
    assert (await api.get("/me", headers=headers))["login"] == "octo-dev"


@pytest.mark.parametrize(
    "path", ["/me", "/project/gh/acme/api", "/project/gh/acme/none", "/pipeline", "/me?circle-token=fake-token"]
)
async def test_without_a_token_it_says_to_log_in(api: Caller, world: World, path: str) -> None:
    world.project("gh/acme/api")

    assert await api.get(path, status=401, headers={}) == {"message": "You must log in first."}


@pytest.mark.parametrize(
    "headers",
    [
        {"Circle-Token": "wrong"},
        {"Circle-Token": ""},
        {"Circle-Token": "  "},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": _basic("wrong:fake-token")},
        {"Authorization": "Basic !"},
        {"Authorization": "Digest fake-token"},
        {"Authorization": ""},
        {"Circle-Token": "wrong", "Authorization": "Bearer fake-token"},
    ],
)
async def test_a_bad_or_blank_token_is_refused_even_where_none_is_needed(
    api: Caller, world: World, headers: dict[str, str]
) -> None:
    world.project("gh/acme/open", public=True)

    for path in ("/me", "/project/gh/acme/open"):
        assert await api.get(path, status=401, headers=headers) == {"message": "Invalid token provided."}


async def test_anybody_may_read_a_public_project(api: Caller, world: World) -> None:
    project = world.project("gh/acme/open", public=True)
    workflow = project.pipeline().workflow("build")
    job = workflow.job("test")
    job.artifact("a.txt", b"a")
    api.headers = {}

    for path in (
        "/project/gh/acme/open",
        "/project/gh/acme/open/pipeline",
        "/project/gh/acme/open/pipeline/1",
        f"/pipeline/{workflow.pipeline.id}",
        f"/pipeline/{workflow.pipeline.id}/workflow",
        f"/workflow/{workflow.id}",
        f"/workflow/{workflow.id}/job",
        f"/project/gh/acme/open/job/{job.number}",
        f"/project/gh/acme/open/{job.number}/artifacts",
        "/insights/gh/acme/open/workflows",
    ):
        await api.get(path)


async def test_nobody_may_change_a_public_project_or_ask_for_what_is_theirs(api: Caller, world: World) -> None:
    workflow = world.project("gh/acme/open", public=True).pipeline().workflow(status="running")
    api.headers = {}

    await api.post("/project/gh/acme/open/pipeline", status=401)
    await api.post(f"/workflow/{workflow.id}/cancel", status=401)
    await api.get("/project/gh/acme/open/pipeline/mine", status=401)
    assert workflow.status == "running"


@pytest.mark.parametrize("kind", ["pipeline", "workflow"])
async def test_without_a_token_an_unknown_id_is_not_told_from_a_private_one(
    api: Caller, world: World, kind: str
) -> None:
    workflow = world.project("gh/acme/api").pipeline().workflow()
    known = workflow.id if kind == "workflow" else workflow.pipeline.id

    unknown = await api.get(f"/{kind}/00000000-0000-4000-8000-000000000000", status=401, headers={})

    assert await api.get(f"/{kind}/{known}", status=401, headers={}) == unknown
