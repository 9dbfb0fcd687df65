"""Lists without paging, by offset, and truncated by the API; over real sockets."""

import asyncio
import warnings
from typing import Any

import pytest

from circleci_async import CircleCI, DecodeError, InvalidArgument, PagingError, TruncatedListWarning
from circleci_async.core.paging import IfTruncated
from circleci_async.models import Artifact
from tests.core.session.client import connect
from tests.raw_server import Behaviour, answer, raw_server


def artifacts(*names: str) -> list[dict[str, Any]]:
    return [{"path": name, "node_index": 0, "url": "https://x/y"} for name in names]


def page(token: str | None, *names: str) -> Behaviour:
    return answer(200, {"items": artifacts(*names), "next_page_token": token})


async def test_a_list_without_paging_is_returned_completely() -> None:
    async with raw_server(answer(200, {"items": artifacts("a", "b")})) as server, connect(server) as circle:
        found = await circle._session.listed(Artifact, "/x")
        assert [artifact.path for artifact in found] == ["a", "b"]
        assert [request.target for request in server.requests] == ["/api/v2/x"]


@pytest.mark.parametrize("body", [{}, {"next_page_token": None}], ids=str)
async def test_items_may_be_absent_only_where_the_specification_allows_it(body: dict[str, Any]) -> None:
    async with raw_server(answer(200, body)) as server, connect(server) as circle:
        assert await circle._session.listed(Artifact, "/x", items_optional=True) == []
        assert await circle._session.paged(Artifact, "/x", items_optional=True).collect() == []
        with pytest.raises(DecodeError, match=r"\$\.items: required, but absent"):
            await circle._session.listed(Artifact, "/x")
        with pytest.raises(DecodeError, match=r"\$\.items: required, but absent"):
            await circle._session.paged(Artifact, "/x").collect()


async def test_items_may_be_absent_but_never_null() -> None:
    async with raw_server(answer(200, {"items": None})) as server, connect(server) as circle:
        with pytest.raises(DecodeError, match=r"\$\.items: expected a list, got null"):
            await circle._session.listed(Artifact, "/x", items_optional=True)


async def test_a_list_by_offset_ends_at_its_first_empty_page() -> None:
    answers = [answer(200, artifacts("a", "b")), answer(200, artifacts("c")), answer(200, [])]
    async with raw_server(*answers) as server, connect(server) as circle:
        listing = circle._session.paged_by_offset(Artifact, "/x", query={"branch": "a/b"})
        assert [artifact.path async for artifact in listing] == ["a", "b", "c"]
        assert [request.target.partition("?")[2] for request in server.requests] == [
            "branch=a%2Fb",
            "branch=a%2Fb&offset=2",
            "branch=a%2Fb&offset=3",
        ]


async def test_an_iteration_by_offset_can_be_resumed() -> None:
    async with raw_server(answer(200, artifacts("c")), answer(200, [])) as server, connect(server) as circle:
        pages = [page async for page in circle._session.paged_by_offset(Artifact, "/x").pages(start="2")]
        assert [page.next_page_token for page in pages] == ["3", None]
        assert server.requests[0].target == "/api/v2/x?offset=2"


async def paths(circle: CircleCI) -> list[str]:
    listing = circle._session.paged(Artifact, "/x", truncation_warning="there may be more than 2 of them")
    return [artifact.path async for artifact in listing]


@pytest.mark.parametrize("token", ["t", "u"], ids=["the same token", "another token"])
async def test_a_truncated_list_ends_at_the_repetition_with_a_warning(token: str) -> None:
    async with raw_server(page("t", "a", "b"), page(token, "a", "b")) as server, connect(server) as circle:
        with pytest.warns(TruncatedListWarning, match="there may be more than 2 of them") as caught:
            assert await paths(circle) == ["a", "b"]
        assert len(caught) == 1
        assert len(server.requests) == 2


async def test_a_token_repeated_after_new_items_loses_nothing() -> None:
    async with raw_server(page("t", "a", "b"), page("t", "c")) as server, connect(server) as circle:
        with pytest.warns(TruncatedListWarning):
            assert await paths(circle) == ["a", "b", "c"]
        assert len(server.requests) == 2


async def test_a_complete_list_does_not_warn() -> None:
    async with raw_server(page("t", "a", "b"), page(None, "c")) as server, connect(server) as circle:
        with warnings.catch_warnings():
            warnings.simplefilter("error", TruncatedListWarning)
            assert await paths(circle) == ["a", "b", "c"]


async def test_a_truncated_list_can_be_an_error() -> None:
    async with raw_server(page("t", "a"), page("t", "a")) as server, connect(server) as circle:
        listing = circle._session.paged(Artifact, "/x", truncation_warning="there may be more", if_truncated="raise")
        found: list[str] = []
        with pytest.raises(TruncatedListWarning, match=r"^there may be more$") as caught:
            async for artifact in listing:
                found.append(artifact.path)
        assert found == ["a"]
        assert isinstance(caught.value, PagingError)
        assert caught.value.page_token == "t"
        assert listing.is_truncated


async def test_a_truncated_list_can_be_ignored() -> None:
    async with raw_server(page("t", "a"), page("t", "a")) as server, connect(server) as circle:
        listing = circle._session.paged(Artifact, "/x", truncation_warning="there may be more", if_truncated="ignore")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert [artifact.path for artifact in await listing.collect()] == ["a"]
        assert listing.is_truncated


async def test_each_iteration_finds_out_whether_the_list_is_truncated() -> None:
    pages = [page("t", "a"), page("t", "a"), page("t", "a"), page(None, "b"), page("t", "a")]
    async with raw_server(*pages) as server, connect(server) as circle:
        listing = circle._session.paged(Artifact, "/x", truncation_warning="more", if_truncated="ignore")
        found = [listing.is_truncated]
        for limit in (None, None, 1):
            await listing.collect(limit=limit)
            found.append(listing.is_truncated)
        assert found == [False, True, False, False]


async def test_concurrent_tasks_choose_independently() -> None:
    async with raw_server(page("t", "a")) as server, connect(server) as circle:

        async def collect(if_truncated: IfTruncated) -> list[str]:
            listing = circle._session.paged(Artifact, "/x", truncation_warning="more", if_truncated=if_truncated)
            return [artifact.path for artifact in await listing.collect()]

        choices: list[IfTruncated] = ["raise", "ignore", "warn", "raise", "ignore"]
        with pytest.warns(TruncatedListWarning) as warned:
            results = await asyncio.gather(*map(collect, choices), return_exceptions=True)
    assert [isinstance(result, TruncatedListWarning) for result in results] == [True, False, False, True, False]
    assert results[1] == results[2] == results[4] == ["a"]
    assert len(warned) == 1


def test_an_unknown_choice_is_refused() -> None:
    circle = CircleCI("t", host="http://localhost:1")
    wrong: Any = "error"
    for start in (circle.contexts.variables, circle.groups.list):
        with pytest.raises(
            InvalidArgument, match=r"^if_truncated must be one of 'warn', 'raise', 'ignore', got 'error'$"
        ):
            start("5034460f-c7c4-4c43-9457-de07e2029e7b", if_truncated=wrong)


async def test_empty_pages_are_not_a_repetition() -> None:
    async with raw_server(page("t"), page("u"), page(None, "a")) as server, connect(server) as circle:
        with warnings.catch_warnings():
            warnings.simplefilter("error", TruncatedListWarning)
            assert await paths(circle) == ["a"]


async def test_a_list_that_ignores_the_offset_ends_with_an_error() -> None:
    async with raw_server(answer(200, artifacts("a", "b"))) as server, connect(server) as circle:
        with pytest.raises(PagingError, match="the same 2 items on 3 pages"):
            await circle._session.paged_by_offset(Artifact, "/x").collect()
        assert len(server.requests) == 3


async def test_two_pages_of_a_list_can_be_equal() -> None:
    async with raw_server(page("t", "a"), page("u", "a"), page(None, "b")) as server, connect(server) as circle:
        assert len(await circle._session.paged(Artifact, "/x").collect()) == 3


async def test_a_page_token_that_is_not_an_offset_is_rejected_before_sending() -> None:
    async with raw_server(answer(200, [])) as server, connect(server) as circle:
        with pytest.raises(InvalidArgument, match=r"start must be a page token.*got 'abc'"):
            await anext(circle._session.paged_by_offset(Artifact, "/x").pages(start="abc"))
        assert server.requests == []
