"""Fuzz tests: valid bodies are decoded, and errors have the location of each fault."""

import json
from collections.abc import Iterator
from contextlib import aclosing
from datetime import datetime
from types import GenericAlias, NoneType
from typing import Any, NamedTuple, get_args, get_origin

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circleci_async import CircleCI, DecodeError, Paged
from circleci_async.core.codec import decode
from circleci_async.models import Message, User
from tests.endpoints.contract import OPERATIONS
from tests.endpoints.requests import minimal
from tests.raw_server import answer, raw_server

from .spec import MODELS, Json, is_page, resolve, schema, success

# A call of each operation that is answered with JSON.
CALLS = {operation.id: minimal(operation) for operation in OPERATIONS.values() if operation.id in MODELS}
PAGES = [operation for operation in CALLS if is_page(operation)]

# A failure prints a blob that reproduces it. Drawing large bodies can be slow on a busy machine.
few = settings(max_examples=6, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
fewer = settings(few, max_examples=2)

WORDS = st.text(max_size=6)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)
DATES = st.sampled_from(
    ["2026-05-04T10:00:00Z", "2026-05-04T10:00:00.042Z", "2026-05-04T10:00:00.123456789Z", "2026-05-04T12:00:00+02:00"]
)
UNSTATED_DATES = {"workflow_created_at"}
"""Dates that the description calls strings."""


def bodies(schema: Json, *, full: bool = False) -> st.SearchStrategy[Json]:
    """Return a strategy for bodies of a schema, with unknown enum values, unknown fields and other hyphens.

    `full`: no optional part is absent, null or empty.
    """
    schema = resolve(schema)
    if schema.get("nullable") and not full:
        return st.none() | bodies({**schema, "nullable": False})
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return st.one_of(*(bodies(each, full=full) for each in schema[several]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"]) | WORDS
    match schema["type"]:
        case "object":
            return objects(schema, full=full)
        case "array":
            return st.lists(bodies(schema["items"], full=full), min_size=full, max_size=2)
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum"))
        case "number":
            return NUMBERS | st.integers(-(2**53), 2**53)
        case "boolean":
            return st.booleans()
    return {"date-time": DATES, "uuid": st.uuids().map(str)}.get(schema.get("format"), WORDS)


def objects(schema: Json, *, full: bool) -> st.SearchStrategy[Json]:
    properties: Json = schema.get("properties", {})
    if not properties:
        values: Json = schema.get("additionalProperties")
        inner = bodies(values, full=full) if isinstance(values, dict) and values else ANYTHING
        return st.dictionaries(WORDS, inner, min_size=full, max_size=2)
    known = {
        name: DATES if spelt(name) in UNSTATED_DATES else bodies(inner, full=full) for name, inner in properties.items()
    }
    promised = set(known) if full else set(schema.get("required", []))
    names = set(map(spelt, known))

    def together(body: Json, unknown: Json, hyphens: int) -> Json:
        unknown = {name: value for name, value in unknown.items() if spelt(name) not in names}
        return unknown | {
            spelt(name).replace("_", "-") if hyphens >> bit & 1 else spelt(name): value
            for bit, (name, value) in enumerate(body.items())
        }

    return st.builds(
        together,
        st.fixed_dictionaries(
            {name: known[name] for name in known if name in promised},
            optional={name: known[name] for name in known if name not in promised},
        ),
        st.dictionaries(WORDS, ANYTHING, max_size=1),
        st.integers(0, 2 ** len(known) - 1),
    )


def spelt(key: str) -> str:
    return key.replace("-", "_")


@pytest.mark.parametrize("operation", MODELS)
@few
@given(st.data())
def test_a_valid_body_is_decoded(operation: str, data: st.DataObject) -> None:
    body = data.draw(bodies(schema(operation)))
    decode(MODELS[operation], json.dumps(body).encode())


class Place(NamedTuple):
    """A location in a body: its container, and the type that the model expects."""

    holder: Json
    key: Any
    written: str
    kind: Any
    needed: bool
    """Whether the model requires it."""


def places(place: Place) -> Iterator[Place]:
    """Yield a location and all locations within it that the model has."""
    yield place
    body, written, kind = place.holder[place.key], place.written, essence(place.kind)
    if get_origin(kind) in (list, tuple):
        for index in range(len(body)):
            yield from places(Place(body, index, f"{written}[{index}]", get_args(kind)[0], needed=False))
    elif attrs.has(kind):
        keys = {spelt(key): key for key in body}
        for field in attrs.fields(kind):
            if field.name in keys:  # some models serve two operations
                needed = field.default is attrs.NOTHING
                yield from places(Place(body, keys[field.name], f"{written}.{field.name}", field.type, needed))
    elif get_origin(kind) is not None and get_args(kind)[1] is not Any:
        for key in list(body):
            yield from places(Place(body, key, f"{written}[{key!r}]", get_args(kind)[1], needed=False))


def essence(kind: Any) -> Any:
    """Return the type without `| None`."""
    return next((part for part in get_args(kind) if part is not NoneType), kind) if is_optional(kind) else kind


def is_optional(kind: Any) -> bool:
    return NoneType in get_args(kind)


WRONG: dict[str, st.SearchStrategy[Json]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "integer": st.integers(),
    "fraction": st.floats(0.1, 0.9) | st.sampled_from([1e-9, -2.5]),
    "string": st.text(max_size=90),
    "no date": st.sampled_from(["", "soon", "2020-13-01", "12:00"]),
    "list": st.lists(st.integers(), max_size=2),
    "object": st.dictionaries(WORDS, st.integers(), max_size=2),
}


def expected(kind: Any) -> tuple[str, set[str]]:
    """Return the expectation in the message of a fault, and the names in `WRONG` that are valid there."""
    confirms = isinstance(kind, type) and issubclass(kind, Message)  # an empty confirmation is valid
    right = {"null"} if is_optional(kind) or confirms else set()
    kind = essence(kind)
    if get_origin(kind) in (list, tuple):
        return "a list", right | {"list"}
    if attrs.has(kind) or get_origin(kind) is not None:
        return "an object", right | {"object"}
    if issubclass(kind, str):  # enums included
        return "a string", right | {"string", "no date"}
    return {
        int: ("an integer", right | {"integer"}),
        float: ("a number", right | {"integer", "fraction"}),
        bool: ("true or false", right | {"boolean"}),
        datetime: ("a date and time", right | {"string"}),
    }[kind]


def faults(kind: Any, body: Json) -> tuple[str, ...]:
    """Return the faults of a body, or ()."""
    try:
        decode(kind, json.dumps(body).encode())
    except DecodeError as error:
        return error.faults
    return ()


@pytest.mark.parametrize("operation", MODELS)
@fewer
@given(st.data())
def test_an_invalid_value_is_reported_with_its_location(operation: str, data: st.DataObject) -> None:
    root = [data.draw(bodies(schema(operation), full=True))]
    wrong = data.draw(st.fixed_dictionaries(WRONG))
    for place in places(Place(root, 0, "$", MODELS[operation], needed=False)):
        wanted, right = expected(place.kind)
        value = place.holder[place.key]
        for value_of_another_kind in [wrong[name] for name in wrong if name not in right]:
            place.holder[place.key] = value_of_another_kind
            (fault,) = faults(MODELS[operation], root[0])
            assert fault.startswith(f"{place.written}: expected {wanted}, got ")
            assert len(fault) < len(place.written) + 130
        if isinstance(place.holder, dict):
            del place.holder[place.key]
            absent = (f"{place.written}: required, but absent",) if place.needed else ()
            assert faults(MODELS[operation], root[0]) == absent
        place.holder[place.key] = value
    assert not faults(MODELS[operation], root[0])


@given(st.sampled_from(sorted(MODELS)), ANYTHING)
def test_any_json_raises_only_decode_error(operation: str, value: Json) -> None:
    assert all(fault.startswith("$") for fault in faults(MODELS[operation], value))


@given(st.binary(max_size=200))
def test_any_bytes_raise_only_decode_error(raw: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(User, raw)
    assert all(fault.startswith(("not JSON: ", "the body is empty", "$")) for fault in caught.value.faults)


def whole(operation: str) -> Json:
    """Return the schema of an operation's complete response."""
    return success(operation)[1]["schema"]


async def called(operation: str, body: Json) -> Any:
    """Make a call that receives this response; of a paged list, fetch the first page."""
    status, _ = success(operation)
    async with raw_server(answer(status, body)) as server, CircleCI("a-token", host=server.url) as circle:
        began = CALLS[operation].start(circle)
        if not isinstance(began, Paged):
            return await began
        async with aclosing(began.pages()) as pages:
            return (await anext(pages)).items


@pytest.mark.parametrize("operation", CALLS)
@fewer
@given(st.data())
async def test_a_call_returns_every_item_of_a_valid_body(operation: str, data: st.DataObject) -> None:
    body = data.draw(bodies(whole(operation)))
    result = await called(operation, body)
    if is_page(operation):
        assert len(result) == len(body.get("items", []))
    elif isinstance(body, list):
        assert len(result) == len(body)


@pytest.mark.parametrize("operation", PAGES)
@settings(few, max_examples=1)
@given(st.data())
async def test_an_invalid_page_is_reported_with_its_location(operation: str, data: st.DataObject) -> None:
    body = data.draw(bodies(whole(operation), full=True))
    items = Place(body, "items", "$.items", GenericAlias(list, MODELS[operation]), needed=False)
    token = Place(body, "next_page_token", "$.next_page_token", str | None, needed=False)
    place = data.draw(st.sampled_from([*places(items), token]))
    wanted, right = expected(place.kind)
    place.holder[place.key] = data.draw(st.one_of([WRONG[name] for name in WRONG if name not in right]))
    with pytest.raises(DecodeError) as caught:
        await called(operation, body)
    (fault,) = caught.value.faults
    assert fault.startswith(f"{place.written}: expected {wanted}, got ")


@pytest.mark.parametrize("operation", PAGES)
async def test_items_are_optional_only_where_the_description_omits_them(operation: str) -> None:
    if "items" in resolve(whole(operation)).get("required", []):
        with pytest.raises(DecodeError, match=r"\$\.items: required, but absent"):
            await called(operation, {})
    else:
        assert len(await called(operation, {})) == 0
