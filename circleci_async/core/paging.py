"""Lists that come in pages."""

import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Generic, TypeVar

from attrs import frozen

from ..errors import CircleCIError, InvalidArgument, PagingError, TruncatedListWarning

__all__ = ["Page", "Paged"]

T = TypeVar("T")

MOST_REPEATS = 2
"""Pages in a row that may be the same as the one before, for items may be equal; more would never end."""


@frozen
class Page(Generic[T]):
    """One page of a list. `next_page_token` is None on the last one."""

    items: tuple[T, ...]
    next_page_token: str | None


class Paged(Generic[T]):
    """A list that is fetched page by page while it is iterated.

    Nothing is sent until then, and no page is asked for that is not needed. Each `async for` walks the list afresh.
    An error that ends a walk carries `page_token`: `pages(start=error.page_token)` takes it up again.
    """

    def __init__(
        self, fetch: Callable[[str | None], Awaitable[Page[T]]], *, truncation_warning: str | None = None
    ) -> None:
        self._fetch = fetch
        self._truncation_warning = truncation_warning
        """What is missing of a list that the server cuts: it repeats one page for ever."""

    async def __aiter__(self) -> AsyncGenerator[T, None]:
        async with aclosing(self.pages()) as pages:
            async for page in pages:
                for item in page.items:
                    yield item

    async def pages(self, start: str | None = None) -> AsyncGenerator[Page[T], None]:
        """Iterate the pages, from the page that the token `start` names (None: the first).

        Raises `PagingError` if the server repeats a token, or one page for ever. Where that is known to mean that the
        list is longer than what the API gives of it, the walk ends with a `TruncatedListWarning` warning instead, and
        nothing is given twice.
        """
        seen = {start}
        token = start
        before: tuple[T, ...] = ()
        repeats = 0
        while True:
            try:
                page = await self._fetch(token)
            except CircleCIError as error:
                error.page_token = token
                raise
            repeats = repeats + 1 if page.items and page.items == before else 0
            if not (self._truncation_warning and repeats):
                yield page
            before = page.items
            token = page.next_page_token
            if token is None:
                return
            if self._truncation_warning and (repeats or token in seen):
                warnings.warn(self._truncation_warning, TruncatedListWarning, stacklevel=3)  # the line that iterates
                return
            if repeats == MOST_REPEATS:
                raise PagingError(f"the server gave the same {len(before)} items {repeats + 1} times, page after page")
            if token in seen:
                repeated = PagingError(f"the server repeated the page token {token!r}, so the list would never end")
                repeated.page_token = token
                raise repeated
            seen.add(token)

    async def first(self) -> T | None:
        """Return the first item, or None of an empty list."""
        return next(iter(await self.collect(limit=1)), None)

    async def collect(self, limit: int | None = None) -> list[T]:
        """Return the items as a list, at most `limit` of them."""
        if limit is not None and limit < 0:
            raise InvalidArgument(f"limit={limit!r}: give a number from 0, or None for all")
        items: list[T] = []
        if limit == 0:
            return items
        async with aclosing(self.pages()) as pages:
            async for page in pages:
                items += page.items
                if limit is not None and len(items) >= limit:
                    return items[:limit]
        return items
