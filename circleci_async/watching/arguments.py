"""Check the arguments that `wait` and `watch` share."""

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from attrs import field, frozen

from ..core.arguments import check_word, is_number
from ..core.polling import Interval, check_interval
from ..errors import InvalidArgument

if TYPE_CHECKING:
    from .holds import HeldJob

__all__ = ["OnHold"]

OnHold: TypeAlias = Literal["return", "wait"]

HoldCallback: TypeAlias = Callable[["HeldJob"], Awaitable[object]]

IfLost: TypeAlias = Literal["raise", "find"]
"""What a trigger does if its response is lost: raise the error, or find the pipeline."""

INTERVAL: Interval = (2.0, 30.0)

GRACE = 30.0
"""Seconds for which a pipeline may be missing, have no workflows, or have only its setup workflow."""


@frozen
class WaitOptions:
    """How to wait. Raises `InvalidArgument`."""

    timeout: float | None
    interval: Interval = field(converter=check_interval)
    grace: float
    on_hold: OnHold | HoldCallback
    jobs: bool = False
    """Whether the jobs are part of the state, and are polled too."""

    def __attrs_post_init__(self) -> None:
        if self.timeout is not None and not (_is_finite(self.timeout) and self.timeout > 0):
            raise InvalidArgument(f"timeout must be a positive number of seconds, or None, got {self.timeout!r}")
        if not (_is_finite(self.grace) and self.grace >= 0):
            raise InvalidArgument(f"grace must be a number of seconds, 0 or more, got {self.grace!r}")
        if not callable(self.on_hold):
            check_on_hold(self.on_hold)


def check_on_hold(on_hold: Any) -> None:
    """Raise `InvalidArgument` for a word that is not an `OnHold`, and for a callback."""
    check_word("on_hold", on_hold, get_args(OnHold), required=True)


def _is_finite(value: Any) -> bool:
    return is_number(value) and math.isfinite(value)
