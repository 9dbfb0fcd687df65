"""The iterator over the changes of a pipeline or a workflow."""

from collections.abc import AsyncIterator
from typing import Generic, Self, TypeVar

from ..errors import ConfigurationError
from .arguments import check_on_hold
from .changes import Change
from .wait import Wait

__all__ = ["Watch"]

R = TypeVar("R")


class Watch(AsyncIterator[Change], Generic[R]):
    """Iterates changes until the pipeline or workflow has ended; then `result` is what `wait` returns.

    To leave the loop early and stop the polling at once, wrap this in `contextlib.aclosing`.
    """

    def __init__(self, wait: Wait[R]) -> None:
        check_on_hold(wait.options.on_hold)  # changes include the holds: callbacks are for waits
        self._results: list[R] = []
        self._changes = wait.changes(self._results.append)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Change:
        return await anext(self._changes)

    async def aclose(self) -> None:
        """Stop the polling. Idempotent."""
        await self._changes.aclose()

    @property
    def result(self) -> R:
        """The result, once the iteration has reached the end. Raises `ConfigurationError` before."""
        if not self._results:
            raise ConfigurationError(
                "the watch has no result: iterate it to its end first, or call `wait`, which returns the result"
            )
        return self._results[0]
