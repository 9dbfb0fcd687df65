"""Requests that the real API rejects."""

from io import BytesIO
from typing import Any

import pytest

from circleci_async.testing import World

from .caller import Caller

ID = "00000000-0000-4000-8000-000000000000"
TRIGGER = "/project/gh/acme/api/pipeline"


@pytest.fixture(autouse=True)
def project(world: World) -> None:
    world.project("gh/acme/api").pipeline().workflow("build")


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/me/",
        "//me",
        "/project/gh/acme",
        "/project/gh/acme/api/",
        "/workflow",
        "/workflow//job",
        "/insights/gh",
    ],
)
async def test_an_unknown_path_answers_404_in_json(api: Caller, path: str) -> None:
    assert await api.get(path, status=404) == {"message": "Not found"}


async def test_a_path_outside_the_api_answers_404(api: Caller) -> None:
    for path in ("/api/v1/me", "/api/v1.1/me", "/api/v3/me", "/api/v2", "/"):
        status, body = await api.fetch(f"{api.fake.url}{path}", Circle_Token=api.fake.token, Accept="application/json")

        assert (status, body) == (404, b'{"message":"Not found"}')


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/me"), ("POST", "/me"), ("PUT", TRIGGER), ("GET", f"/workflow/{ID}/cancel")]
)
async def test_a_wrong_method_answers_405_with_allow(api: Caller, method: str, path: str) -> None:
    await api.send(method, path, status=405)

    assert method not in api.answer.headers["Allow"].split(", ")


@pytest.mark.parametrize(
    "path",
    [
        "/workflow/nonsense",
        f"/workflow/{{{ID}}}/job",
        f"/workflow/{ID.replace('-', '')}",
        "/pipeline/1",
        "/user/me",
        f"{TRIGGER}/one",
        f"{TRIGGER}/-1",
        "/project/gh/acme/api/job/test",
        "/project/gh/acme/api/%D9%A3/artifacts",
        "/pipeline?mine=yes",
    ],
)
async def test_a_malformed_id_number_or_flag_answers_400(api: Caller, path: str) -> None:
    assert (await api.get(path, status=400))["message"]


@pytest.mark.parametrize(
    "body",
    [
        [],
        "text",
        1,
        {"branch": 1},
        {"branch": None},
        {"tag": ["v1"]},
        {"parameters": []},
        {"branch": "main", "tag": "v1"},
        {"branch": ""},
        {"tag": ""},
        {"parameters": {"n": 1.5}},
        {"parameters": {"n": None}},
        {"parameters": {"n": {}}},
        {"parameters": {f"p{n}": n for n in range(101)}},
        {"parameters": {"p" * 129: 1}},
        {"parameters": {"p": "v" * 513}},
    ],
)
async def test_an_invalid_trigger_answers_400_and_has_no_effect(api: Caller, world: World, body: Any) -> None:
    assert (await api.post(TRIGGER, body, status=400))["message"]

    assert len(world.projects["gh/acme/api"].pipelines.all) == 1


async def test_parameters_up_to_the_limits_are_accepted(api: Caller) -> None:
    parameters: dict[str, Any] = {f"p{n}": n for n in range(98)} | {"k" * 128: "v" * 512, "flag": True}

    await api.post(TRIGGER, {"parameters": parameters}, status=201)


async def test_unknown_fields_are_ignored(api: Caller) -> None:
    await api.post(TRIGGER, {"branch": "main", "nonsense": 1}, status=201)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
async def test_another_content_type_answers_415(api: Caller, kind: str) -> None:
    await api.send("POST", TRIGGER, status=415, data=b"{}", headers={**api.headers, "Content-Type": kind})


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
async def test_content_types_of_json_are_accepted(api: Caller, kind: str) -> None:
    headers = {**api.headers, "Content-Type": kind}

    created = await api.send("POST", TRIGGER, status=201, data=b'{"branch":"x"}', headers=headers)

    assert (await api.get(f"/pipeline/{created['id']}"))["vcs"]["branch"] == "x"


@pytest.mark.parametrize("body", [b"{", b"\xff", b"{} {}", b" "])
async def test_malformed_json_answers_400(api: Caller, body: bytes) -> None:
    headers = {**api.headers, "Content-Type": "application/json"}

    assert "JSON" in (await api.send("POST", TRIGGER, status=400, data=body, headers=headers))["message"]


async def test_a_body_of_more_than_a_megabyte_answers_413(api: Caller) -> None:
    body = BytesIO(b'{"branch": "%s"}' % (b"x" * 1_100_000))

    await api.send("POST", TRIGGER, status=413, data=body, headers={**api.headers, "Content-Type": "application/json"})


@pytest.mark.parametrize(
    "content",
    [b'{"name": "\\ud800"}', b'{"a": NaN}', b'{"a":' + b"[" * 100_000, b"{", b"\xff"],
    ids=["half a character", "NaN", "nested without end", "cut", "not UTF-8"],
)
async def test_invalid_json_values_are_rejected(api: Caller, content: bytes) -> None:
    organization = api.fake.world.organization("gh/acme")
    api.headers["Content-Type"] = "application/json"
    refused = await api.send("POST", f"/organizations/{organization.id}/groups", status=400, data=content)
    assert refused["message"] == "Malformed JSON in request body."
    assert organization.groups == {}
