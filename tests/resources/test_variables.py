"""`set_variables` of contexts and projects: order, failures, and secret values."""

import asyncio
import copy
import json
import pickle
from collections import UserDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs
import pytest

import circleci_async as ca
from circleci_async.testing import Context, FakeCircleCI, Project, World
from tests.endpoints.refusal import refusal
from tests.raw_server import Behaviour, Request, answer, hang, raw_server

P = "gh/acme/api"
ID = "5034460f-c7c4-4c43-9457-de07e2029e7b"
MANY = {f"V{number}": f"s3cret-{number}" for number in range(40)}

Set = Callable[..., Awaitable[dict[str, Any]]]


@attrs.frozen
class Setter:
    """The setter of many variables of a context or a project."""

    to: Callable[[ca.CircleCI], Set]
    """Returns the method, which takes the place and the variables."""
    place: Any
    stored: Callable[[], Mapping[str, Any]]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def context(world: World) -> Context:
    return world.context("gh/acme", "aws")


@pytest.fixture
def project(world: World) -> Project:
    return world.project(P)


@pytest.fixture(params=["context", "project"])
def setter(request: pytest.FixtureRequest, context: Context, project: Project) -> Setter:
    if request.param == "context":
        return Setter(lambda c: c.contexts.set_variables, context.id, lambda: context.variables)
    return Setter(lambda c: c.environment_variables.set_variables, P, lambda: project.environment_variables)


def name_of(request: Request) -> str:
    """Return the name of the variable in a request."""
    return str(json.loads(request.body).get("name") or request.path.rpartition("/")[2])


def stored_variable(request: Request) -> dict[str, str]:
    return {"name": name_of(request), "variable": name_of(request), "value": "xxxx"}


async def test_the_results_have_the_order_of_the_variables(setter: Setter, world: World) -> None:
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        answers = await setter.to(circle)(setter.place, MANY)
    assert list(answers) == list(MANY)
    assert {name: each.value for name, each in setter.stored().items()} == MANY
    assert {getattr(each, "variable", None) or each.name for each in answers.values()} == set(MANY)


async def test_existing_values_are_replaced(setter: Setter, world: World) -> None:
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        await setter.to(circle)(setter.place, {"A": "old", "B": "kept"})
        await setter.to(circle)(setter.place, UserDict({"A": "new"}))
    assert {name: each.value for name, each in setter.stored().items()} == {"A": "new", "B": "kept"}


async def test_no_variables_send_no_request(setter: Setter) -> None:
    async with ca.CircleCI("t", host="http://localhost:1") as circle:
        assert await setter.to(circle)(setter.place, {}) == {}
        assert circle.stats.requests == 0


@pytest.mark.parametrize(("options", "at_once"), [({}, 8), ({"concurrency": 3}, 3), ({"concurrency": 1}, 1)])
async def test_concurrency_limits_the_requests_in_flight(setter: Setter, options: dict[str, int], at_once: int) -> None:
    waiting = 0
    full = asyncio.Event()

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        nonlocal waiting
        waiting += 1
        if waiting == at_once:
            full.set()
        await full.wait()
        return await answer(201, stored_variable(request))(request, writer)

    async with raw_server(behave) as server, ca.CircleCI("token", host=server.url) as circle:
        await setter.to(circle)(setter.place, MANY, **options)
        assert server.max_in_flight == at_once
        assert len(server.requests) == len(MANY)


def failing(*names: str) -> Behaviour:
    """Refuse some variables and echo the requests; the first refusal comes last."""
    others = asyncio.Event()

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        name = name_of(request)
        if name not in names:
            return await answer(201, stored_variable(request))(request, writer)
        if name == names[0]:
            await others.wait()
        if name == names[-1]:
            others.set()
        said = {"message": f"{name} is not allowed: {json.loads(request.body)['value']}"}
        return await answer(403, said)(request, writer)

    return behave


async def test_a_failure_does_not_stop_the_others(setter: Setter) -> None:
    async with raw_server(failing("V3", "V17")) as server, ca.CircleCI("token", host=server.url) as circle:
        with pytest.raises(ca.PartialFailure) as caught:
            await setter.to(circle)(setter.place, MANY)
        assert len(server.requests) == len(MANY)
    error = caught.value
    assert list(error.failed) == ["V3", "V17"]
    assert list(error.done) == [name for name in MANY if name not in {"V3", "V17"}]
    assert all(isinstance(each, ca.PermissionDenied) for each in error.failed.values())
    assert error.__cause__ is error.failed["V3"]
    assert str(error).startswith(
        "2 of 40 variables were not set: V3, V17 (the first error: 403 Forbidden: V3 is not allowed: [value] ("
    )
    assert error.hint is not None


async def test_values_are_not_in_the_error(setter: Setter) -> None:
    async with raw_server(failing("V3", "V17")) as server, ca.CircleCI("token", host=server.url) as circle:
        with pytest.raises(ca.PartialFailure) as caught:
            await setter.to(circle)(setter.place, MANY)
    error = caught.value
    for text in (str(error), repr(error), repr(vars(error)), repr(pickle.dumps(error))):
        assert "s3cret" not in text
    for each in error.failed.values():
        assert "s3cret" not in f"{each} {each!r} {vars(each)}"
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (str(twin), list(twin.done), list(twin.failed)) == (str(error), list(error.done), list(error.failed))


async def test_failed_variables_can_be_set_again(setter: Setter, world: World) -> None:
    async with FakeCircleCI(world) as fake, fake.client(retry=ca.RetryPolicy(attempts=1)) as circle:
        fake.fail(times=2, status=500)
        with pytest.raises(ca.PartialFailure) as caught:
            await setter.to(circle)(setter.place, MANY)
        assert len(caught.value.failed) == 2
        await setter.to(circle)(setter.place, {name: MANY[name] for name in caught.value.failed})
    assert {name: each.value for name, each in setter.stored().items()} == MANY


async def test_all_variables_can_fail(setter: Setter) -> None:
    denied = answer(403, {"message": "Permission denied"})
    async with raw_server(denied) as server, ca.CircleCI("token", host=server.url) as circle:
        with pytest.raises(ca.PartialFailure, match=r"^2 of 2 variables were not set: A, B \(") as caught:
            await setter.to(circle)(setter.place, {"A": "x", "B": "y"})
    assert caught.value.done == {}


@pytest.mark.parametrize("name", ["", "A-B", "1A", "A B", "A\n", "\u00c4", "A=1", 5, None], ids=repr)
async def test_an_invalid_name_sends_no_request(setter: Setter, name: Any) -> None:
    message = await refusal(lambda c: setter.to(c)(setter.place, {"A": "s3cret", name: "s3cret"}))
    expected = f"variable name must have only letters, digits and _, and not start with a digit, got {name!r}"
    assert message == expected


@pytest.mark.parametrize("value", [None, b"s3cret", 5353, ["s3cret"], "s3cret\udc80"], ids=ascii)
async def test_an_invalid_value_sends_no_request_and_is_not_shown(setter: Setter, value: Any) -> None:
    message = await refusal(lambda c: setter.to(c)(setter.place, {"A": "s3cret", "_b2": value}))
    assert message.startswith("the value of '_b2' must be ")
    assert "s3cret" not in message
    assert "5353" not in message


@pytest.mark.parametrize("variables", ["A=s3cret", [("A", "s3cret")], None], ids=repr)
async def test_variables_are_a_mapping(setter: Setter, variables: Any) -> None:
    message = await refusal(lambda c: setter.to(c)(setter.place, variables))
    expected = 'variables must be a mapping such as {"AWS_REGION": "eu-west-1"}, got a '
    assert message == f"{expected}{type(variables).__name__}"


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, None, True], ids=repr)
async def test_concurrency_is_a_positive_integer(setter: Setter, concurrency: Any) -> None:
    message = await refusal(lambda c: setter.to(c)(setter.place, {"A": "x"}, concurrency=concurrency))
    assert message.startswith("concurrency must be a positive integer, got")


async def test_an_invalid_context_or_project_raises_one_error() -> None:
    assert "path segment must be" in await refusal(lambda c: c.contexts.set_variables("", MANY))
    assert "project slug 'api' is invalid" in await refusal(
        lambda c: c.environment_variables.set_variables("api", MANY)
    )


async def test_cancelling_stops_all_requests(setter: Setter) -> None:
    async with raw_server(hang) as server, ca.CircleCI("token", host=server.url) as circle:
        setting = asyncio.ensure_future(setter.to(circle)(setter.place, MANY))
        while server.in_flight < 8:
            await asyncio.sleep(0.001)
        setting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await setting
        await server.all_closed()
        assert len(server.requests) == 8


async def test_changing_the_mapping_during_the_call_has_no_effect(setter: Setter, world: World) -> None:
    variables = dict(MANY)
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        setting = asyncio.ensure_future(setter.to(circle)(setter.place, variables))
        await asyncio.sleep(0)
        variables.clear()
        assert list(await setting) == list(MANY)
    assert len(setter.stored()) == len(MANY)
