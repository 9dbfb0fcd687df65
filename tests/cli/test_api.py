"""`api`."""

import io
import json
import sys
from pathlib import Path

import pytest

from circleci_async.testing import FakeCircleCI, World

from .conftest import Cli


def test_a_response_is_printed_as_json(cli: Cli, fake: FakeCircleCI, world: World) -> None:
    ran = cli("api", "/me")
    assert (ran.code, ran.err) == (0, "")
    assert ran.data["id"] == world.me.id
    assert [request.method for request in fake.requests] == ["GET"]


def test_repeated_query_parameters_are_all_sent(cli: Cli, fake: FakeCircleCI, world: World) -> None:
    world.project("gh/acme/api").pipeline(branch="a=b&c")
    ran = cli("api", "project/gh/acme/api/pipeline", "--query", "branch=a=b&c", "-q", "x=1", "-q", "x=2")
    assert len(ran.data["items"]) == 1
    assert list(fake.requests[0].query.items()) == [("branch", "a=b&c"), ("x", "1"), ("x", "2")]


@pytest.mark.parametrize("source", ["argument", "file", "stdin"])
def test_a_body_makes_it_a_post(
    cli: Cli, fake: FakeCircleCI, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    world.project("gh/acme/api")
    body = json.dumps({"branch": "main"})
    monkeypatch.setattr(sys, "stdin", io.StringIO(body))
    (tmp_path / "body.json").write_text(body)
    option = {"argument": body, "file": f"@{tmp_path / 'body.json'}", "stdin": "@-"}[source]

    assert cli("api", "/project/gh/acme/api/pipeline", "--body", option).data["number"] == 1
    assert [(request.method, json.loads(request.body)) for request in fake.requests] == [("POST", {"branch": "main"})]


def test_paginate_prints_the_items_of_all_pages_as_one_array(cli: Cli, fake: FakeCircleCI, world: World) -> None:
    project = world.project("gh/acme/api")
    for _ in range(45):
        project.pipeline()
    ran = cli("api", "/project/gh/acme/api/pipeline", "--paginate")
    assert [each["number"] for each in ran.data] == list(range(45, 0, -1))
    assert len(fake.requests) == 3


def test_a_response_without_a_body_is_null(cli: Cli, fake: FakeCircleCI) -> None:
    fake.fail("*/x", status=204, body="")
    assert cli("api", "/x", "-X", "delete").data is None
    assert fake.requests[0].method == "DELETE"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["/me", "--query", "branch"], "--query must be NAME=VALUE, such as branch=main, got 'branch'"),
        (["/me", "--body", "{"], "--body must be JSON"),
        (["/me", "--paginate", "-X", "POST"], "--paginate requires a GET"),
        (["https://evil.example/me"], "path"),
    ],
    ids=["query", "body", "paginate", "path"],
)
def test_invalid_arguments_are_bad_usage_and_send_nothing(
    cli: Cli, fake: FakeCircleCI, arguments: list[str], message: str
) -> None:
    code, out, err = cli("api", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert fake.requests == []


def test_paginate_requires_a_response_with_items(cli: Cli, fake: FakeCircleCI) -> None:
    code, _, err = cli("api", "/me", "--paginate")
    assert code == 2
    assert "the response of /me has no `items`" in err


def test_a_repeated_page_token_is_an_error(cli: Cli, fake: FakeCircleCI) -> None:
    fake.fail("*/x", times=None, status=200, body={"items": [1], "next_page_token": "t"})
    code, _, err = cli("api", "/x", "--paginate")
    assert code == 1
    assert "repeated the page token 't'" in err


def test_an_error_of_the_api_is_one_line(cli: Cli, fake: FakeCircleCI) -> None:
    code, out, err = cli("api", "/nothing/here")
    assert (code, out) == (1, "")
    assert err.startswith("error: 404 Not Found")
