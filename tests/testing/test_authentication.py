"""Authentication with the three headers."""

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
async def test_the_token_is_accepted_in_each_header(api: Caller, headers: dict[str, str]) -> None:
    assert (await api.get("/me", headers=headers))["login"] == "octo-dev"


@pytest.mark.parametrize(
    "path", ["/me", "/project/gh/acme/api", "/project/gh/acme/none", "/pipeline", "/me?circle-token=fake-token"]
)
async def test_a_request_without_a_token_answers_401(api: Caller, world: World, path: str) -> None:
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
async def test_an_invalid_token_is_rejected_even_for_public_projects(
    api: Caller, world: World, headers: dict[str, str]
) -> None:
    world.project("gh/acme/open", public=True)

    for path in ("/me", "/project/gh/acme/open"):
        assert await api.get(path, status=401, headers=headers) == {"message": "Invalid token provided."}


async def test_a_public_project_can_be_read_without_a_token(api: Caller, world: World) -> None:
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


async def test_a_public_project_cannot_be_changed_without_a_token(api: Caller, world: World) -> None:
    workflow = world.project("gh/acme/open", public=True).pipeline().workflow(status="running")
    api.headers = {}

    await api.post("/project/gh/acme/open/pipeline", status=401)
    await api.post(f"/workflow/{workflow.id}/cancel", status=401)
    await api.get("/project/gh/acme/open/pipeline/mine", status=401)
    assert workflow.status == "running"


@pytest.mark.parametrize("kind", ["pipeline", "workflow"])
async def test_without_a_token_unknown_and_private_ids_have_the_same_response(
    api: Caller, world: World, kind: str
) -> None:
    workflow = world.project("gh/acme/api").pipeline().workflow()
    known = workflow.id if kind == "workflow" else workflow.pipeline.id

    unknown = await api.get(f"/{kind}/00000000-0000-4000-8000-000000000000", status=401, headers={})

    assert await api.get(f"/{kind}/{known}", status=401, headers={}) == unknown
