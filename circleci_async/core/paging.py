"""Lists that the API returns page by page."""

import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Set
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, TypeAlias, TypeVar, get_args

from attrs import frozen

from ..errors import CircleCIError, InvalidArgument, NotFound, PagingError, TruncatedListWarning
from ..untrusted_text import is_valid_unicode, quoted
from .arguments import check_word

__all__ = ["Page", "Paged"]

T = TypeVar("T")

IfTruncated: TypeAlias = Literal["warn", "raise", "ignore"]
"""How the iteration of a list that the API truncates ends: with a `TruncatedListWarning`, with it as an error, or
like any other."""

MAX_REPEATS = 2
"""Consecutive pages that may equal the page before. Equal items are possible; a longer run would never end."""


MAX_EMPTY = 100
"""Consecutive empty pages. A filter can leave out many items; a longer run might never end."""


@frozen
class Page(Generic[T]):
    """One page of a list. `next_page_token` is None on the last one."""

    items: tuple[T, ...]
    next_page_token: str | None


class Paged(Generic[T]):
    """A list that is fetched page by page while it is iterated.

    Nothing is sent before the iteration, and only the pages that are needed are requested. Each `async for` starts a
    new iteration. An error during it has a `page_token`: `pages(start=error.page_token)` continues there.
    """

    def __init__(
        self,
        fetch: Callable[[str | None], Awaitable[Page[T]]],
        *,
        truncation_warning: str | None = None,
        if_truncated: IfTruncated = "warn",
        redact: Callable[[str], str] = str,
    ) -> None:
        check_word("if_truncated", if_truncated, get_args(IfTruncated), required=True)
        self._fetch = fetch
        self._redact = redact
        self._truncation_warning = truncation_warning
        """Text of the warning for a list that the server truncates: it repeats one page endlessly."""
        self._if_truncated: IfTruncated = if_truncated
        self.is_truncated: bool = False
        """Whether the latest iteration ended because the API does not return the rest of the list."""
        self.is_missing: bool = False
        """Whether the latest iteration was empty because the API answered 404: see `empty_if_missing`."""

    async def __aiter__(self) -> AsyncGenerator[T, None]:
        async with aclosing(self.pages()) as pages:
            async for page in pages:
                for item in page.items:
                    yield item

    if not TYPE_CHECKING:  # type checkers refuse `await` without it

        def __await__(self) -> NoReturn:
            raise TypeError(
                "a list cannot be awaited: use `async for item in ...`, or `await ....collect()` for all items"
            )

    async def pages(self, start: str | None = None) -> AsyncGenerator[Page[T], None]:
        """Iterate the pages, from the page that the token `start` names (None: the first).

        Raises `PagingError` if the server repeats a token or one page, sends more than 100 empty pages in a row, or a
        token that is not valid Unicode, because the iteration would not end. For a list that the API is known
        to truncate, the iteration ends as `if_truncated` says instead, and no item is yielded twice.
        """
        self.is_truncated = self.is_missing = False
        seen = {hash(start)}  # hashes, since there can be a million pages
        token = start
        before: tuple[T, ...] = ()
        repeats = empty = 0
        while True:
            try:
                page = await self._fetch(token)
            except CircleCIError as error:
                error.page_token = token
                raise
            repeats = repeats + 1 if page.items and page.items == before else 0
            empty = 0 if page.items else empty + 1
            if not (self._truncation_warning and repeats):
                yield page
            before = page.items
            token = page.next_page_token
            if token is None:
                return
            if self._truncation_warning and (repeats or hash(token) in seen):
                self.is_truncated = True
                if self._if_truncated == "raise":
                    truncated = TruncatedListWarning(self._truncation_warning)
                    truncated.page_token = token
                    raise truncated
                if self._if_truncated == "warn":
                    # at the line that iterates
                    warnings.warn(self._truncation_warning, TruncatedListWarning, stacklevel=3)
                return
            if repeats == MAX_REPEATS:
                raise PagingError(f"the server returned the same {len(before)} items on {repeats + 1} pages in a row")
            if problem := self._problem(token, seen, empty):
                failure = PagingError(problem)
                failure.page_token = token
                raise failure
            seen.add(hash(token))

    def _problem(self, token: str, seen: Set[int], empty: int) -> str | None:
        """Return why the page of a token is not requested, or None."""
        if hash(token) in seen:
            shown = quoted(self._redact(token))
            return f"the server repeated the page token {shown}, so the list would never end"
        if empty > MAX_EMPTY:
            return f"the server returned {empty} empty pages in a row"
        if not is_valid_unicode(token):
            return f"the server returned the page token {quoted(self._redact(token))}, which is not valid Unicode"
        return None

    async def first(self) -> T | None:
        """Return the first item, or None of an empty list."""
        return next(iter(await self.collect(limit=1)), None)

    async def collect(self, limit: int | None = None) -> list[T]:
        """Return the items as a list, at most `limit` of them."""
        if limit is not None and limit < 0:
            raise InvalidArgument(f"limit must be 0 or more, or None for all items, got {limit!r}")
        items: list[T] = []
        if limit == 0:
            return items
        async with aclosing(self.pages()) as pages:
            async for page in pages:
                items += page.items
                if limit is not None and len(items) >= limit:
                    return items[:limit]
        return items

    async def rows(self, limit: int | None = None, *, strip: str = "", **extra: object) -> list[dict[str, Any]]:
        """Return the items as flat rows for a data frame, at most `limit` of them.

        The other arguments are those of `circleci_async.rows`: `await paged.rows(project="gh/acme/api")`.
        """
        from .tables import rows

        return rows(await self.collect(limit), strip=strip, **extra)

    def empty_if_missing(self) -> "Paged[T]":
        """Return the same list, but empty if the API answers 404: what it belongs to is too new, or was deleted.

        A 404 for a later page is raised: part of the list has been read by then.
        """

        async def fetch(token: str | None) -> Page[T]:
            try:
                return await self._fetch(token)
            except NotFound:
                if token is not None:
                    raise
                paged.is_missing = True
                return Page((), None)

        paged = Paged(
            fetch,
            truncation_warning=self._truncation_warning,
            if_truncated=self._if_truncated,
            redact=self._redact,
        )
        return paged
