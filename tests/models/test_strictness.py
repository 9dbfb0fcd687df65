"""Every model refuses every value of the wrong kind, and says where it stands."""

import json
from collections.abc import Iterator
from datetime import datetime
from types import NoneType
from typing import Any, get_args, get_origin

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_async.codec import decode
from circleci_async.errors import DecodeError
from circleci_async.models.open_enum import OpenEnum
from circleci_async.models.users import User

from .spec import MODELS, Json, example

PARTS = {
    str: st.text(max_size=90),
    int: st.integers(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    list: st.lists(st.integers(), max_size=2),
    dict: st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    NoneType: st.none(),
}
ACCEPTED = {str: (str,), int: (int,), float: (int, float), bool: (bool,), datetime: ()}
EXPECTED = {str: "a string", int: "an integer", float: "a number", bool: "true or false", datetime: "a date and time"}


def wrong_values(kind: Any) -> tuple[str, st.SearchStrategy[Json]]:
    """Return what a fault says that the kind expects, and values that are something else."""
    optional = NoneType in get_args(kind)
    if optional:
        (kind,) = (part for part in get_args(kind) if part is not NoneType)
    accepted: tuple[type, ...]
    if get_origin(kind) in (list, tuple):
        expected, accepted = "a list", (list,)
    elif attrs.has(kind) or get_origin(kind) is not None:
        expected, accepted = "an object", (dict,)
    elif issubclass(kind, OpenEnum):
        expected, accepted = "a string", (str,)
    else:
        expected, accepted = EXPECTED[kind], ACCEPTED[kind]
    refused = PARTS.keys() - {*accepted, *([NoneType] if optional else [])}
    if kind is int:  # a float without a fraction is accepted
        return expected, st.one_of(
            *(PARTS[part] for part in refused - {float}), st.floats(0.1, 0.9), st.sampled_from([1e-9, -2.5])
        )
    if kind is datetime:
        refused.remove(str)
        return expected, st.one_of(*(PARTS[part] for part in refused), st.sampled_from(["", "soon", "2020-13-01"]))
    return expected, st.one_of(*(PARTS[part] for part in refused))


def places(kind: Any, value: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield each place in a body, with the kind that the model declares for it."""
    yield path, kind
    inner = next((part for part in get_args(kind) if attrs.has(part)), kind) if NoneType in get_args(kind) else kind
    if value is None:
        return
    if get_origin(inner) in (list, tuple):
        for index, item in enumerate(value):
            yield from places(get_args(inner)[0], item, (*path, index))
    elif attrs.has(inner):
        for field in attrs.fields(inner):
            if field.name in value:
                yield from places(field.type, value[field.name], (*path, field.name))


def written(path: tuple[str | int, ...]) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


BREAKABLE = [
    (operation, path, declared)
    for operation in MODELS
    for path, declared in places(MODELS[operation], example(operation))
    if path
]


@given(st.data())
def test_a_value_of_the_wrong_kind_is_refused_wherever_it_stands(data: st.DataObject) -> None:
    operation, path, declared = data.draw(st.sampled_from(BREAKABLE))
    expected, values = wrong_values(declared)
    broken = example(operation)
    parent = broken
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = data.draw(values)
    with pytest.raises(DecodeError) as caught:
        decode(MODELS[operation], json.dumps(broken).encode())
    (fault,) = caught.value.faults
    assert fault.startswith(f"{written(path)}: expected {expected}, got ")
    assert len(fault) < len(written(path)) + 130


def found_faults(kind: Any, raw: bytes) -> tuple[str, ...]:
    """Return the faults of a body that may have none."""
    try:
        decode(kind, raw)
    except DecodeError as error:
        return error.faults
    return ()


@given(st.sampled_from(sorted(MODELS)), st.recursive(st.one_of(*PARTS.values()), st.lists))
def test_no_answer_raises_anything_but_a_decode_error(operation: str, value: Json) -> None:
    found = found_faults(MODELS[operation], json.dumps(value).encode())
    assert all(fault.startswith("$") for fault in found)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_decode_error(raw: bytes) -> None:
    found = found_faults(User, raw)
    assert len(found) >= 1
    assert all(fault.startswith(("not JSON: ", "the body is empty", "$")) for fault in found)
