"""`api`: any call, also one that has no command of its own."""

import json
import subprocess
from pathlib import Path

import pytest

from circleci_async.testing import FakeCircleCI, World

from .conftest import Cli
from .process import COMMAND


def test_an_answer_is_printed_as_json(cli: Cli, fake: FakeCircleCI, world: World) -> None:
    ran = cli("api", "/me")
    assert (ran.code, ran.err) == (0, "")
    assert ran.data["id"] == world.me.id
    assert [request.method for request in fake.requests] == ["GET"]


def test_query_parameters_are_sent_each_time_they_are_given(cli: Cli, fake: FakeCircleCI, world: World) -> None:
    world.project("gh/acme/api").pipeline(branch="a=b&c")
    ran = cli("api", "project/gh/acme/api/pipeline", "--query", "branch=a=b&c", "-q", "x=1", "-q", "x=2")
    assert len(ran.data["items"]) == 1
    assert list(fake.requests[0].query.items()) == [("branch", "a=b&c"), ("x", "1"), ("x", "2")]


@pytest.mark.parametrize("how", ["text", "file", "input"])
def test_a_body_makes_it_a_post(cli: Cli, fake: FakeCircleCI, world: World, tmp_path: Path, how: str) -> None:
    world.project("gh/acme/api")
    body = json.dumps({"branch": "main"})
    path = "/project/gh/acme/api/pipeline"
    if how == "input":
        done = subprocess.run(
            [*COMMAND, "api", path, "-d", "@-"], input=body, text=True, capture_output=True, check=True
        )
        number = json.loads(done.stdout)["number"]
    else:
        (tmp_path / "body.json").write_text(body)
        number = cli("api", path, "--body", body if how == "text" else f"@{tmp_path / 'body.json'}").data["number"]
    assert number == 1
    assert [request.method for request in fake.requests] == ["POST"]


def test_every_page_becomes_one_array(cli: Cli, fake: FakeCircleCI, world: World) -> None:
    project = world.project("gh/acme/api")
    for _ in range(45):
        project.pipeline()
    ran = cli("api", "/project/gh/acme/api/pipeline", "--paginate")
    assert [each["number"] for each in ran.data] == list(range(45, 0, -1))
    assert len(fake.requests) == 3


def test_an_answer_without_a_body_is_null(cli: Cli, fake: FakeCircleCI) -> None:
    fake.fail("*/x", status=204, body="")
    assert cli("api", "/x", "-X", "delete").data is None
    assert fake.requests[0].method == "DELETE"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["/me", "--query", "branch"], "--query 'branch': give NAME=VALUE"),
        (["/me", "--body", "{"], "--body: not JSON"),
        (["/me", "--paginate", "-X", "POST"], "--paginate: only what a GET lists"),
        (["https://evil.example/me"], "give a path below the API"),
    ],
    ids=["query", "body", "paginate", "path"],
)
def test_bad_usage_is_said_before_anything_is_sent(
    cli: Cli, fake: FakeCircleCI, arguments: list[str], said: str
) -> None:
    code, out, err = cli("api", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert fake.requests == []


def test_a_list_that_has_no_items_can_not_be_paginated(cli: Cli, fake: FakeCircleCI) -> None:
    code, _, err = cli("api", "/me", "--paginate")
    assert code == 2
    assert "/me has no `items`" in err


def test_a_repeated_token_ends_the_walk(cli: Cli, fake: FakeCircleCI) -> None:
    fake.fail("*/x", times=None, status=200, body={"items": [1], "next_page_token": "t"})
    code, _, err = cli("api", "/x", "--paginate")
    assert code == 1
    assert "repeated the page token 't'" in err


def test_an_error_of_the_api_is_one_line(cli: Cli, fake: FakeCircleCI) -> None:
    code, out, err = cli("api", "/nothing/here")
    assert (code, out) == (1, "")
    assert err.startswith("error: 404 Not Found")
