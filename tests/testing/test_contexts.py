"""Contexts: owners, variables and restrictions."""

from typing import Any

import pytest

from circleci_async.testing import Context, FakeCircleCI, World

from .caller import Caller
from .clock import Clock

UNKNOWN = "503464fe-1c2d-4e3f-8a9b-c7c4a83d9919"


@pytest.fixture
def context(world: World) -> Context:
    return world.context("gh/acme", "aws")


async def test_a_context_is_created_read_listed_and_deleted(api: Caller, world: World) -> None:
    acme = world.organization("gh/acme")
    by_slug = await api.post("/context", {"name": "aws", "owner": {"slug": "github/acme"}}, status=200)
    by_id = await api.post(
        "/context", {"name": "gcp", "owner": {"id": acme.id, "type": "organization"}, "other": 1}, status=200
    )

    assert by_slug.keys() == {"id", "name", "created_at"}
    for owner in ("owner-slug=gh/acme", "owner-slug=gh%2Facme", f"owner-id={acme.id}&owner-type=organization"):
        assert (await api.get(f"/context?{owner}"))["items"] == [by_slug, by_id]
    assert (await api.get("/context?owner-slug=gh/acme&name=gcp"))["items"] == [by_id]
    assert (await api.get("/context?owner-slug=gh/acme&name=g"))["items"] == []
    details = await api.get(f"/context/{by_id['id']}")
    assert details == {**by_id, "org_id": acme.id, "environment_variables": [], "restrictions": []}

    assert (await api.delete(f"/context/{by_id['id']}"))["message"]
    assert (await api.get(f"/context?owner-id={acme.id}"))["items"] == [by_slug]
    await api.get(f"/context/{by_id['id']}", status=403)
    await api.delete(f"/context/{by_id['id']}", status=403)


async def test_contexts_are_paged(http: Any, world: World) -> None:
    made = [world.context("gh/acme", f"c{number}").id for number in range(5)]
    async with FakeCircleCI(world, page_size=2) as fake:
        pages = await Caller(fake, http).walk("/context?owner-slug=gh/acme")
    assert [[each["id"] for each in page] for page in pages] == [made[:2], made[2:4], made[4:]]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("owner_slug=gh/acme", 400),
        (f"owner-slug=gh/acme&owner-id={UNKNOWN}", 400),
        ("owner-id=gh/acme", 400),
        ("owner-slug=gh/acme&owner-type=team", 400),
        (f"owner-id={UNKNOWN}&owner-type=account", 400),
        (f"owner-id={UNKNOWN}", 404),
        ("owner-slug=gh/unknown", 404),
        ("owner-slug=acme", 404),
    ],
)
async def test_an_invalid_owner_is_rejected(api: Caller, context: Context, query: str, status: int) -> None:
    await api.get(f"/context?{query}", status=status)


async def test_unknown_query_parameters_are_ignored(api: Caller, context: Context) -> None:
    [found] = (await api.get("/context?owner-slug=gh/acme&names=nonsense&owner=unknown"))["items"]
    assert found["id"] == context.id


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"name": "gcp"}, 400),
        ({"name": "gcp", "owner": "gh/acme"}, 400),
        ({"name": "gcp", "owner": {}}, 400),
        ({"name": "gcp", "owner": {"slug": "gh/acme", "id": UNKNOWN}}, 400),
        ({"name": "gcp", "owner": {"slug": "gh/acme", "type": "account"}}, 400),
        ({"name": "gcp", "owner": {"slug": "gh/acme", "type": None}}, 400),
        ({"name": "gcp", "owner": {"id": "acme"}}, 400),
        ({"name": "", "owner": {"slug": "gh/acme"}}, 400),
        ({"name": 1, "owner": {"slug": "gh/acme"}}, 400),
        ({"name": "gcp", "owner": {"slug": "gh/unknown"}}, 404),
        ({"name": "gcp", "owner": {"id": UNKNOWN}}, 404),
        ({"name": "aws", "owner": {"slug": "gh/acme"}}, 409),
    ],
)
async def test_an_invalid_context_is_not_created(api: Caller, context: Context, body: Any, status: int) -> None:
    await api.post("/context", body, status=status)
    assert list(api.fake.world.organization("gh/acme").contexts) == [context.id]


async def test_a_missing_context_answers_403(api: Caller, world: World) -> None:
    for path in (f"/context/{UNKNOWN}", f"/context/{UNKNOWN}/environment-variable", f"/context/{UNKNOWN}/restrictions"):
        await api.get(path, status=403)
    await api.put(f"/context/{UNKNOWN}/environment-variable/A", {"value": "x"}, status=403)
    await api.delete(f"/context/{UNKNOWN}/environment-variable/A", status=403)
    await api.post(f"/context/{UNKNOWN}/restrictions", {}, status=403)
    await api.delete(f"/context/{UNKNOWN}/restrictions/{UNKNOWN}", status=403)
    await api.get("/context/aws", status=400)


async def test_contexts_are_not_public(api: Caller, context: Context) -> None:
    for path in ("/context?owner-slug=gh/acme", f"/context/{context.id}", f"/context/{context.id}/restrictions"):
        await api.get(path, status=401, headers={})


async def test_a_variable_is_set_replaced_and_deleted_and_its_value_is_never_returned(
    api: Caller, context: Context, clock: Clock
) -> None:
    path = f"/context/{context.id}/environment-variable"
    first = await api.put(f"{path}/KEY", {"value": "s3cret-1234"})
    clock.wait(10)
    second = await api.put(f"{path}/KEY", {"value": "s3cret-5678"})

    assert first == {
        "variable": "KEY",
        "created_at": first["created_at"],
        "updated_at": first["created_at"],
        "context_id": context.id,
    }
    assert second["created_at"] == first["created_at"] < second["updated_at"]
    assert context.variables["KEY"].value == "s3cret-5678"
    listed = await api.get(path)
    assert listed == {"items": [{**second, "truncated_value": "5678"}], "next_page_token": None}
    assert (await api.get(f"/context/{context.id}"))["environment_variables"] == [second]

    assert (await api.delete(f"{path}/KEY"))["message"]
    await api.delete(f"{path}/KEY", status=404)
    assert (await api.get(path))["items"] == []


@pytest.mark.parametrize("body", [{"values": "s3cret"}, {"Value": "s3cret"}, {}, None], ids=repr)
async def test_a_missing_value_is_stored_as_an_empty_string(api: Caller, context: Context, body: Any) -> None:
    context.variable("KEY", "old")
    await api.put(f"/context/{context.id}/environment-variable/KEY", body)
    assert context.variables["KEY"].value == ""


@pytest.mark.parametrize("value", [1, None, ["x"]], ids=repr)
async def test_a_value_that_is_not_a_string_is_rejected(api: Caller, context: Context, value: Any) -> None:
    await api.put(f"/context/{context.id}/environment-variable/KEY", {"value": value}, status=400)
    assert context.variables == {}


@pytest.mark.parametrize("name", ["1A", "A-B", "A%20B", "A%2FB", "%C3%84"])
async def test_an_invalid_name_is_rejected(api: Caller, context: Context, name: str) -> None:
    await api.put(f"/context/{context.id}/environment-variable/{name}", {"value": "x"}, status=400)


@pytest.mark.parametrize(
    ("value", "shown"), [("", ""), ("a", ""), ("abcd", "bcd"), ("abcde", "bcde"), ("abcdef", "cdef")]
)
async def test_fewer_characters_of_a_short_value_are_shown(
    api: Caller, context: Context, value: str, shown: str
) -> None:
    context.variable("KEY", value)
    [found] = (await api.get(f"/context/{context.id}/environment-variable"))["items"]
    assert found["truncated_value"] == shown


async def test_only_the_first_hundred_variables_are_listed(api: Caller, context: Context) -> None:
    path = f"/context/{context.id}/environment-variable"
    for number in range(100):
        context.variable(f"V{number}", "")
    assert (await api.get(path))["next_page_token"] is None
    context.variable("ONE_MORE", "")

    page = await api.get(path)
    assert [each["variable"] for each in page["items"]] == [f"V{number}" for number in range(100)]
    assert await api.get(f"{path}?page-token={page['next_page_token']}") == page
    assert await api.get(f"{path}?page-token=nonsense") == page


async def test_a_context_is_restricted_to_projects_groups_and_expressions(
    api: Caller, context: Context, world: World
) -> None:
    path = f"/context/{context.id}/restrictions"
    project = world.project("gh/acme/api")
    made = [
        await api.post(path, {"restriction_type": type, "restriction_value": value}, status=201)
        for type, value in (
            ("project", project.id),
            ("group", context.organization_id),
            ("expression", 'pipeline.git.branch == "main"'),
        )
    ]
    made.append(await api.post(path, {"project_id": project.id.upper()}, status=201))

    assert [each.get("project_id") for each in made] == [project.id, None, None, project.id]
    assert [each["restriction_type"] for each in made] == ["project", "group", "expression", "project"]
    assert not any("name" in each for each in made)
    listed = await api.get(path)
    assert listed.keys() == {"items"}
    assert [each.get("name") for each in listed["items"]] == ["acme/api", "All members", None, "acme/api"]
    assert [each["id"] for each in listed["items"]] == [each["id"] for each in made]
    assert (await api.get(f"/context/{context.id}"))["restrictions"] == listed["items"]

    assert (await api.delete(f"{path}/{made[0]['id']}"))["message"]
    await api.delete(f"{path}/{made[0]['id']}", status=404)
    await api.delete(f"{path}/first", status=400)
    assert [each["id"] for each in (await api.get(path))["items"]] == [each["id"] for each in made[1:]]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"restriction_type": "project"},
        {"restriction_value": UNKNOWN},
        {"restriction_type": "team", "restriction_value": UNKNOWN},
        {"restriction_type": "expression", "restriction_value": ""},
        {"restriction_type": "expression", "restriction_value": 1},
        {"restriction_type": "project", "restriction_value": "gh/acme/api"},
        {"restriction_type": "project", "restriction_value": UNKNOWN},
        {"restriction_type": "group", "restriction_value": "developers"},
        {"restriction_type": "group", "restriction_value": UNKNOWN},
        {"project_id": UNKNOWN},
    ],
    ids=str,
)
async def test_an_invalid_restriction_is_rejected(api: Caller, context: Context, body: Any) -> None:
    await api.post(f"/context/{context.id}/restrictions", body, status=400)
    assert context.restrictions == {}


async def test_a_context_is_deleted_with_its_organization(api: Caller, context: Context, world: World) -> None:
    world.delete_organization(world.organization("gh/acme"))
    await api.get(f"/context/{context.id}", status=403)


def test_values_are_not_in_reprs(world: World, context: Context) -> None:
    context.variable("KEY", "s3cret")
    assert "s3cret" not in repr(context) + repr(context.variables) + repr(world.organization("gh/acme"))
