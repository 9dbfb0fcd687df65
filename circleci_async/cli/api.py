"""`api`: any call, also one that has no command of its own."""

import json
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ..errors import InvalidArgument, PagingError
from .output import Output

if TYPE_CHECKING:
    from ..client import CircleCI


async def api(
    circle: "CircleCI",
    out: Output,
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="Below /api/v2, such as /me; parts quoted.", show_default=False)
    ],
    method: Annotated[
        str | None,
        typer.Option("--method", "-X", metavar="METHOD", help="GET, or POST with --body.", show_default=False),
    ] = None,
    query: Annotated[
        list[str] | None,
        typer.Option("--query", "-q", metavar="NAME=VALUE", help="A query parameter; repeatable.", show_default=False),
    ] = None,
    body: Annotated[
        str | None,
        typer.Option("--body", "-d", metavar="JSON", help="The body; @FILE or @- reads it.", show_default=False),
    ] = None,
    every_page: Annotated[
        bool, typer.Option("--paginate", help="Print the items of all pages as one array.", show_default=False)
    ] = False,
) -> None:
    """Call anything in the API and print its JSON.

    The token, retries and rate limits are handled as for every other command.
    """
    content = None if body is None else _read_json(body)
    method = method or ("GET" if body is None else "POST")
    pairs = _read_query(query or [])
    if not every_page:
        out.data(await circle.request(method, path, query=pairs, json=content))
    elif method.upper() != "GET" or body is not None:
        raise InvalidArgument("--paginate: only what a GET lists comes in pages")
    else:
        await out.array(_items(circle, path, pairs))


async def _items(circle: "CircleCI", path: str, query: dict[str, list[str]]) -> AsyncIterator[Any]:
    """Iterate the items of all pages of a list that has no model here."""
    seen = set[str]()
    while True:
        answer = await circle.request("GET", path, query=query)
        page = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
        if not isinstance(page.get("items"), list):
            raise InvalidArgument(f"--paginate: {path} has no `items`; leave it out to see the answer")
        for item in page["items"]:
            yield item
        token: str | None = page.get("next_page_token")
        if not token:
            return
        if token in seen:
            raise PagingError(f"the server repeated the page token {token!r}, so the list would never end")
        seen.add(token)
        query = {**query, "page-token": [token]}


def _read_query(given: Sequence[str]) -> dict[str, list[str]]:
    query: dict[str, list[str]] = {}
    for pair in given:
        name, is_pair, value = pair.partition("=")
        if not (name and is_pair):
            raise InvalidArgument(f"--query {pair!r}: give NAME=VALUE, such as branch=main")
        query.setdefault(name, []).append(value)
    return query


def _read_json(given: str) -> Any:
    if given.startswith("@"):
        given = sys.stdin.read() if given == "@-" else Path(given[1:]).read_text("utf-8")
    try:
        return json.loads(given)
    except ValueError as error:
        raise InvalidArgument(f"--body: not JSON ({error})") from None
