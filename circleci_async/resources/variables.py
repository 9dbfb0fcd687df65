"""Set many variables: all are tried, and the error says which failed."""

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import TypeVar, cast

from ..core.fan_out import fan_out
from ..core.redaction import checked_value
from ..errors import InvalidArgument, PartialFailure

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


async def set_all(
    variables: Mapping[str, str], set_one: Callable[[str, str], Awaitable[T]], concurrency: int
) -> dict[str, T]:
    """Set each of the variables, and return the answers in their order, or raise `PartialFailure`."""
    values = _checked(variables)
    work = fan_out(values, lambda name: set_one(name, values[name]), concurrency=concurrency)
    async with aclosing(work) as settled:
        outcomes = {name: outcome async for name, outcome in settled}
    done: dict[str, T] = {}
    failed: dict[str, Exception] = {}
    for name in values:
        outcome = outcomes[name]
        if isinstance(outcome, Exception):
            failed[name] = outcome
        else:
            done[name] = outcome
    if failed:
        first = next(iter(failed.values()))
        raise PartialFailure(
            f"{len(failed)} of {len(values)} variables were not set: {', '.join(failed)} (first of all: {first})",
            done=done,
            failed=failed,
        ) from first
    return done


def _checked(variables: object) -> dict[str, str]:
    """Return a copy of the variables; refuse them if one can't be right, without showing a value."""
    if not isinstance(variables, Mapping):
        raise InvalidArgument('variables: give a mapping of names to values, such as {"AWS_REGION": "eu-west-1"}')
    values: dict[str, str] = {}
    for name, value in cast(Mapping[object, object], variables).items():
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise InvalidArgument(
                f"variables: {name!r} can't be a name: it must be of letters, digits and _, and not begin with a digit"
            )
        values[name] = checked_value(name, value)
    return values
