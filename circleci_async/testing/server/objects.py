"""Reads the objects within the body of a request."""

from collections.abc import Collection, Mapping
from typing import Any, cast

from .calls import Json, Refusal


def inner(body: Mapping[str, Any], name: str, types: Mapping[str, type], *, required: Collection[str] = ()) -> Json:
    """Give the object below `name`, {} if there is none; its fields are checked as `Call.body` checks its own."""
    if name not in body:
        return {}
    fields = cast(Json, body[name])
    for key in required:
        if key not in fields:
            raise Refusal(400, f"{name}.{key}: required.")
    for key, kind in types.items():
        if key in fields and type(fields[key]) is not kind:
            raise Refusal(400, f"{name}.{key}: not of the right type.")
    return fields


def words(value: list[Any], known: Collection[str], name: str) -> list[str]:
    """Give a list that must hold known words only."""
    if not all(isinstance(word, str) and word in known for word in value):
        raise Refusal(400, f"{name}: expected some of {', '.join(known)}.")
    return cast(list[str], value)


def numbers(value: list[Any], lowest: int, highest: int, name: str) -> list[int]:
    """Give a list that must hold whole numbers from `lowest` to `highest` only."""
    if not all(type(number) is int and lowest <= number <= highest for number in value):
        raise Refusal(400, f"{name}: expected numbers from {lowest} to {highest}.")
    return cast(list[int], value)
