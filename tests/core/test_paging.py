"""Lists that are fetched page by page."""

import asyncio
import re
from typing import Any

import pytest

from circleci_async.core.paging import Page, Paged
from circleci_async.errors import CircleCIError, InvalidArgument, NotFound, PagingError


class Pages:
    """Pages by token, and the requested tokens."""

    def __init__(self, pages: dict[str | None, tuple[tuple[int, ...], str | None] | CircleCIError]) -> None:
        self.pages = pages
        self.requested: list[str | None] = []

    async def fetch(self, token: str | None) -> Page[int]:
        self.requested.append(token)
        found = self.pages[token]
        if isinstance(found, CircleCIError):
            raise found
        return Page(*found)


def three() -> Pages:
    return Pages({None: ((1, 2), "b"), "b": ((3, 4), "c"), "c": ((5,), None)})


async def test_items_are_yielded_page_by_page() -> None:
    pages = three()
    assert [item async for item in Paged(pages.fetch)] == [1, 2, 3, 4, 5]
    assert pages.requested == [None, "b", "c"]


async def test_nothing_is_requested_before_iteration_and_each_walk_starts_again() -> None:
    pages = three()
    paged = Paged(pages.fetch)
    assert pages.requested == []
    assert await paged.collect() == await paged.collect() == [1, 2, 3, 4, 5]
    assert pages.requested == [None, "b", "c"] * 2


async def test_awaiting_a_list_names_what_to_use_instead() -> None:
    pages = three()
    listed: Any = Paged(pages.fetch)
    message = re.escape("a list cannot be awaited: use `async for item in ...`, or `await ....collect()` for all items")
    for awaited in (lambda: listed, lambda: asyncio.gather(listed), lambda: asyncio.wait_for(listed, 1)):
        with pytest.raises(TypeError, match=message):
            await awaited()
    assert pages.requested == []


async def test_pages_start_at_a_token() -> None:
    pages = three()
    assert [page.items async for page in Paged(pages.fetch).pages(start="b")] == [(3, 4), (5,)]
    assert pages.requested == ["b", "c"]


async def test_only_the_needed_pages_are_requested() -> None:
    pages = three()
    async for item in Paged(pages.fetch):
        if item == 2:
            break
    assert pages.requested == [None]


async def test_first_requests_one_page() -> None:
    pages = three()
    assert await Paged(pages.fetch).first() == 1
    assert pages.requested == [None]


async def test_first_skips_empty_pages_and_is_none_of_an_empty_list() -> None:
    assert await Paged(Pages({None: ((), "b"), "b": ((7,), None)}).fetch).first() == 7
    assert await Paged(Pages({None: ((), None)}).fetch).first() is None


@pytest.mark.parametrize(
    ("limit", "items", "asked"), [(0, [], 0), (1, [1], 1), (2, [1, 2], 1), (3, [1, 2, 3], 2), (99, [1, 2, 3, 4, 5], 3)]
)
async def test_collect_stops_at_its_limit(limit: int, items: list[int], asked: int) -> None:
    pages = three()
    assert await Paged(pages.fetch).collect(limit) == items
    assert len(pages.requested) == asked


async def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="limit must be 0 or more"):
        await Paged(three().fetch).collect(-1)


@pytest.mark.parametrize("repeated", ["b", "c"])
async def test_a_repeated_token_is_an_error(repeated: str) -> None:
    pages = Pages({None: ((1,), "b"), "b": ((2,), "c"), "c": ((3,), repeated)})
    found: list[int] = []
    with pytest.raises(PagingError, match=repeated) as caught:
        async for item in Paged(pages.fetch):
            found.append(item)
    assert found == [1, 2, 3]
    assert caught.value.page_token == repeated


async def test_the_token_that_a_walk_started_from_counts_as_seen() -> None:
    pages = Pages({"b": ((1,), "b")})
    with pytest.raises(PagingError):
        _ = [page async for page in Paged(pages.fetch).pages(start="b")]
    assert pages.requested == ["b"]


async def test_an_error_carries_the_token_of_its_page() -> None:
    pages = three()
    pages.pages["c"] = NotFound(404, "gone")
    with pytest.raises(NotFound) as caught:
        await Paged(pages.fetch).collect()
    assert caught.value.page_token == "c"
    pages.pages["c"] = ((5,), None)
    rest = [page.items async for page in Paged(pages.fetch).pages(start=caught.value.page_token)]
    assert rest == [(5,)]


async def test_a_list_that_answers_404_can_be_empty() -> None:
    pages = Pages({None: NotFound(404, "no such pipeline")})
    paged = Paged(pages.fetch)
    assert await paged.empty_if_missing().collect() == []
    assert [item async for item in paged.empty_if_missing()] == []
    with pytest.raises(NotFound):
        await paged.collect()


async def test_a_404_for_a_later_page_is_an_error() -> None:
    pages = three()
    pages.pages["b"] = NotFound(404, "gone")
    with pytest.raises(NotFound) as caught:
        await Paged(pages.fetch).empty_if_missing().collect()
    assert caught.value.page_token == "b"
    with pytest.raises(NotFound):
        _ = [page async for page in Paged(pages.fetch).empty_if_missing().pages(start="b")]


async def endless(token: str | None) -> Page[int]:
    """An empty page with a new token."""
    return Page((), str(int(token or 0) + 1))


async def test_endless_empty_pages_are_an_error_that_can_be_resumed() -> None:
    with pytest.raises(PagingError, match="the server returned 101 empty pages in a row") as caught:
        await Paged(endless).collect()
    assert caught.value.page_token == "101"


async def test_a_hundred_empty_pages_are_skipped() -> None:
    async def fetch(token: str | None) -> Page[int]:
        number = int(token or 0)
        return Page((number,) if number % 101 == 0 else (), str(number + 1) if number < 303 else None)

    assert await Paged(fetch).collect() == [0, 101, 202, 303]


async def test_a_token_that_cannot_be_part_of_an_address_is_an_error() -> None:
    found: list[int] = []
    with pytest.raises(PagingError, match=r"'\\ud800', which is not valid Unicode"):
        async for item in Paged(Pages({None: ((1, 2), "\ud800")}).fetch):
            found.append(item)
    assert found == [1, 2]


async def test_the_token_of_an_error_is_redacted_escaped_and_clipped() -> None:
    token = "secret\x1b[2J\u202e\n" + "t" * 4_000
    paged = Paged(
        Pages({None: ((), token), token: ((), token)}).fetch, redact=lambda text: text.replace("secret", "[token]")
    )
    with pytest.raises(PagingError) as caught:
        await paged.collect()
    text = str(caught.value)
    assert text.isprintable()
    assert "[token]" in text
    assert "secret" not in text
    assert len(text) < 200
    assert caught.value.page_token == token
