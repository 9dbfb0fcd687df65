"""Lists that come in pages."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Generic, TypeVar

from attrs import frozen

from .errors import CircleCIError, InvalidArgument, PagingError

T = TypeVar("T")


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

    def __init__(self, fetch: Callable[[str | None], Awaitable[Page[T]]]) -> None:
        self._fetch = fetch

    async def __aiter__(self) -> AsyncGenerator[T, None]:
        async with aclosing(self.pages()) as pages:
            async for page in pages:
                for item in page.items:
                    yield item

    async def pages(self, start: str | None = None) -> AsyncGenerator[Page[T], None]:
        """Iterate the pages, from the page that the token `start` names (None: the first).

        Raises `PagingError` if the server repeats a token.
        """
        seen = {start}
        token = start
        while True:
            try:
                page = await self._fetch(token)
            except CircleCIError as error:
                error.page_token = token
                raise
            yield page
            token = page.next_page_token
            if token is None:
                return
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
