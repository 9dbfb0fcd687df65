"""The arguments that all waiting shares, checked."""

import math
from collections.abc import Sequence
from typing import Literal, cast

from attrs import frozen

from ..errors import InvalidArgument

__all__ = ["Interval", "OnHold"]

OnHold = Literal["return", "wait"]

Interval = tuple[float, float]
"""Seconds to the second look, and at most between looks."""

INTERVAL = (2.0, 30.0)

GRACE = 30.0
"""Seconds for which a pipeline may be missing, lack workflows, or only have had its setup."""


@frozen
class Patience:
    """How to wait. Raises `InvalidArgument` for what makes no sense."""

    timeout: float | None
    interval: Interval
    grace: float
    on_hold: OnHold

    def __attrs_post_init__(self) -> None:
        if self.timeout is not None and not _is_seconds(self.timeout, above=0.0):
            raise InvalidArgument(f"timeout={self.timeout!r}: give a number of seconds above 0, or None")
        if not _is_interval(self.interval):
            raise InvalidArgument(
                f"interval={self.interval!r}: give two numbers of seconds above 0, such as (2.0, 30.0): to the second"
                " look, and at most between looks"
            )
        if not _is_seconds(self.grace, above=-1.0) or self.grace < 0:
            raise InvalidArgument(f"grace={self.grace!r}: give a number of seconds from 0")
        if self.on_hold not in ("return", "wait"):
            raise InvalidArgument(f"on_hold={self.on_hold!r}: give 'return' or 'wait'")


def _is_interval(value: object) -> bool:
    if not isinstance(value, tuple | list) or len(cast("Sequence[object]", value)) != 2:
        return False
    first, longest = cast("Sequence[float]", value)
    return _is_seconds(first, above=0.0) and _is_seconds(longest, above=0.0) and first <= longest


def _is_seconds(value: object, *, above: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and above < value < math.inf
