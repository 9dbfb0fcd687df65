"""Lists that come in pages."""

import pytest

from circleci_async.core.paging import Page, Paged
from circleci_async.errors import CircleCIError, InvalidArgument, NotFound, PagingError


class Pages:
    """Pages by token, and what was asked for."""

    def __init__(self, pages: dict[str | None, tuple[tuple[int, ...], str | None] | CircleCIError]) -> None:
        self.pages = pages
        self.asked: list[str | None] = []

    async def fetch(self, token: str | None) -> Page[int]:
        self.asked.append(token)
        found = self.pages[token]
        if isinstance(found, CircleCIError):
            raise found
        return Page(*found)


def three() -> Pages:
    return Pages({None: ((1, 2), "b"), "b": ((3, 4), "c"), "c": ((5,), None)})


async def test_items_come_page_after_page() -> None:
    pages = three()
    assert [item async for item in Paged(pages.fetch)] == [1, 2, 3, 4, 5]
    assert pages.asked == [None, "b", "c"]


async def test_nothing_is_asked_before_iteration_and_each_walk_starts_afresh() -> None:
    pages = three()
    paged = Paged(pages.fetch)
    assert pages.asked == []
    assert await paged.collect() == await paged.collect() == [1, 2, 3, 4, 5]
    assert pages.asked == [None, "b", "c"] * 2


async def test_pages_start_at_a_token() -> None:
    pages = three()
    assert [page.items async for page in Paged(pages.fetch).pages(start="b")] == [(3, 4), (5,)]
    assert pages.asked == ["b", "c"]


async def test_a_page_is_asked_for_only_when_it_is_needed() -> None:
    pages = three()
    async for item in Paged(pages.fetch):
        if item == 2:
            break
    assert pages.asked == [None]


async def test_first_asks_for_no_more_than_it_needs() -> None:
    pages = three()
    assert await Paged(pages.fetch).first() == 1
    assert pages.asked == [None]


async def test_first_looks_past_empty_pages_and_is_none_of_an_empty_list() -> None:
    assert await Paged(Pages({None: ((), "b"), "b": ((7,), None)}).fetch).first() == 7
    assert await Paged(Pages({None: ((), None)}).fetch).first() is None


@pytest.mark.parametrize(
    ("limit", "items", "asked"), [(0, [], 0), (1, [1], 1), (2, [1, 2], 1), (3, [1, 2, 3], 2), (99, [1, 2, 3, 4, 5], 3)]
)
async def test_collect_stops_at_its_limit(limit: int, items: list[int], asked: int) -> None:
    pages = three()
    assert await Paged(pages.fetch).collect(limit) == items
    assert len(pages.asked) == asked


async def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="limit must be 0 or more"):
        await Paged(three().fetch).collect(-1)


@pytest.mark.parametrize("repeated", ["b", "c"])
async def test_a_repeated_token_ends_the_walk_with_an_error(repeated: str) -> None:
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
    assert pages.asked == ["b"]


async def test_an_error_carries_the_token_to_go_on_from() -> None:
    pages = three()
    pages.pages["c"] = NotFound(404, "gone")
    with pytest.raises(NotFound) as caught:
        await Paged(pages.fetch).collect()
    assert caught.value.page_token == "c"
    pages.pages["c"] = ((5,), None)
    rest = [page.items async for page in Paged(pages.fetch).pages(start=caught.value.page_token)]
    assert rest == [(5,)]


async def test_a_missing_list_is_empty_if_the_caller_asks_for_that() -> None:
    pages = Pages({None: NotFound(404, "no such pipeline")})
    paged = Paged(pages.fetch)
    assert await paged.empty_if_missing().collect() == []
    assert [item async for item in paged.empty_if_missing()] == []
    with pytest.raises(NotFound):
        await paged.collect()


async def test_a_missing_later_page_is_an_error_all_the_same() -> None:
    pages = three()
    pages.pages["b"] = NotFound(404, "gone")
    with pytest.raises(NotFound) as caught:
        await Paged(pages.fetch).empty_if_missing().collect()
    assert caught.value.page_token == "b"
    with pytest.raises(NotFound):
        _ = [page async for page in Paged(pages.fetch).empty_if_missing().pages(start="b")]
