"""The callback `on_progress` of calls."""

from collections.abc import Callable
from typing import Any, TypeVar

from ..config.log import log
from ..errors import InvalidArgument
from .arguments import is_async_function

P = TypeVar("P")


def check_on_progress(function: Any) -> None:
    """Raise `InvalidArgument` if `on_progress` cannot be called. None is allowed."""
    if is_async_function(function):
        raise InvalidArgument("on_progress must be a plain function, got an async one, which is never awaited")
    if function is not None and not callable(function):
        raise InvalidArgument(f"on_progress must be a function, got {function!r}")


def report_progress(function: Callable[[P], object] | None, progress: P) -> None:
    """Call `on_progress` if there is one. An error in it is logged: it must not fail the call."""
    if function is None:
        return
    try:
        function(progress)
    except Exception:
        log.exception("on_progress failed")
