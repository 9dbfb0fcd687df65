"""Setting many variables at once: a failure does not stop the others."""

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

from ..config.redacted import Redacted
from ..core.fan_out import fan_out
from ..core.redaction import checked_value
from ..errors import InvalidArgument, PartialFailure

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


async def set_all(
    variables: Redacted[Mapping[str, str]], set_one: Callable[[str, str], Awaitable[T]], concurrency: int
) -> dict[str, T]:
    """Set all variables and return the results in their order. Raises `PartialFailure` if any failed."""
    values = _check_variables(variables)
    work = fan_out(values, lambda name: set_one(name, values[name].reveal()), concurrency=concurrency)
    async with aclosing(work) as completed:
        outcomes = {name: outcome async for name, outcome in completed}
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
            f"{len(failed)} of {len(values)} variables were not set: {', '.join(failed)} (the first error: {first})",
            done=done,
            failed=failed,
        ) from first
    return done


def _check_variables(variables: Redacted[Any]) -> dict[str, Redacted[str]]:
    """Return a copy of the variables. Raises `InvalidArgument` for an invalid one, without showing its value."""
    if not isinstance(variables.reveal(), Mapping):
        kind = type(variables.reveal()).__name__
        raise InvalidArgument(f'variables must be a mapping such as {{"AWS_REGION": "eu-west-1"}}, got a {kind}')
    values: dict[str, Redacted[str]] = {}
    for name in variables.reveal():
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise InvalidArgument(
                f"variable name must have only letters, digits and _, and not start with a digit, got {name!r}"
            )
        values[name] = checked_value(name, Redacted(variables.reveal()[name]))
    return values
