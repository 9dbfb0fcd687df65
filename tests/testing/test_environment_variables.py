"""Environment variables of projects, with masked values."""

from typing import Any

import pytest

from circleci_async.testing import FakeCircleCI, Project, World

from .caller import Caller
from .clock import Clock

PATH = "/project/gh/acme/api/envvar"


@pytest.fixture
def project(world: World) -> Project:
    return world.project("gh/acme/api", public=True)


async def test_a_variable_is_set_replaced_read_and_deleted(api: Caller, project: Project, clock: Clock) -> None:
    first = await api.post(PATH, {"name": "KEY", "value": "s3cret-1234"}, status=201)
    assert first == {"name": "KEY", "value": "xxxx1234", "created_at": first["created_at"]}
    clock.wait(10)
    second = await api.post(PATH, {"name": "KEY", "value": "s3cret-5678", "other": 1}, status=201)

    assert second["value"] == "xxxx5678"
    assert second["created_at"] > first["created_at"]
    assert project.environment_variables["KEY"].value == "s3cret-5678"
    assert await api.get(f"{PATH}/KEY") == second
    assert await api.get(PATH) == {"items": [second], "next_page_token": None}

    assert (await api.delete(f"{PATH}/KEY"))["message"]
    await api.delete(f"{PATH}/KEY", status=404)
    await api.get(f"{PATH}/KEY", status=404)
    assert (await api.get(PATH))["items"] == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [("", "xxxx"), ("a", "xxxx"), ("abcd", "xxxxbcd"), ("abcde", "xxxxbcde"), ("abcdef", "xxxxcdef")],
)
async def test_a_short_value_is_masked(api: Caller, project: Project, value: str, shown: str) -> None:
    assert (await api.post(PATH, {"name": "KEY", "value": value}, status=201))["value"] == shown


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "KEY"},
        {"value": "x"},
        {"name": "KEY", "value": 1},
        {"name": 1, "value": "x"},
        {"name": "", "value": "x"},
        {"name": "1A", "value": "x"},
        {"name": "A-B", "value": "x"},
        {"name": "A\n", "value": "x"},
        {"name": "\u00c4", "value": "x"},
    ],
    ids=ascii,
)
async def test_an_invalid_variable_is_rejected(api: Caller, project: Project, body: Any) -> None:
    await api.post(PATH, body, status=400)
    assert project.environment_variables == {}


async def test_variables_are_paged(http: Any, world: World, project: Project) -> None:
    for number in range(5):
        project.environment_variable(f"V{number}", "")
    async with FakeCircleCI(world, page_size=2) as fake:
        pages = await Caller(fake, http).walk(PATH)
    assert [[each["name"] for each in page] for page in pages] == [["V0", "V1"], ["V2", "V3"], ["V4"]]


async def test_the_variables_of_a_public_project_are_not_public(api: Caller, project: Project) -> None:
    project.environment_variable("KEY", "x")
    for path in (PATH, f"{PATH}/KEY"):
        await api.get(path, status=401, headers={})
    await api.get("/project/gh/acme/web/envvar", status=404)


def test_values_are_not_in_the_repr_of_a_project(project: Project) -> None:
    project.environment_variable("KEY", "s3cret")
    assert "s3cret" not in repr(project) + repr(project.environment_variables)
