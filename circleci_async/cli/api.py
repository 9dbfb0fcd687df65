"""`api`: call any endpoint."""

import json
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from ..config.redacted import Redacted
from ..errors import InvalidArgument, PagingError
from .arguments import argument, option
from .output import Output

if TYPE_CHECKING:
    from .. import CircleCI


async def api(
    circle: "CircleCI",
    out: Output,
    path: Annotated[str, argument("PATH", "URL-quoted path below /api/v2, such as /me.")],
    method: Annotated[
        str | None, option("HTTP method; by default GET, or POST with --body.", "--method", "-X", metavar="METHOD")
    ] = None,
    query: Annotated[
        list[str] | None, option("Query parameter. Repeatable.", "--query", "-q", metavar="NAME=VALUE")
    ] = None,
    body: Annotated[
        str | None, option("Request body; @FILE or @- (stdin) reads it.", "--body", "-d", metavar="JSON")
    ] = None,
    every_page: Annotated[bool, option("Print the items of all pages as one array.", "--paginate")] = False,
) -> None:
    """Call any endpoint and print its JSON.

    Authentication, retries and rate limits are the same as for every other command.
    """
    content = None if body is None else _read_json(body)
    method = method or ("GET" if body is None else "POST")
    pairs = _read_query(query or [])
    if not every_page:
        out.data(await circle.request(method, path, query=pairs, json=content and content.reveal()))
    elif method.upper() != "GET" or body is not None:
        raise InvalidArgument("--paginate requires a GET without --body")
    else:
        await out.array(_items(circle, path, pairs))


async def _items(circle: "CircleCI", path: str, query: dict[str, list[str]]) -> AsyncIterator[Any]:
    """Iterate the items of all pages of a list, undecoded."""
    seen = set[str]()
    while True:
        answer = await circle.request("GET", path, query=query)
        page = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
        if not isinstance(page.get("items"), list):
            raise InvalidArgument(f"--paginate requires a list: the response of {path} has no `items`")
        for item in page["items"]:
            yield item
        token: object = page.get("next_page_token")
        if not token:
            return
        if not isinstance(token, str):
            raise PagingError(f"the server sent an invalid page token, expected a string, got {token!r}")
        if token in seen:
            raise PagingError(f"the server repeated the page token {token!r}: the list would never end")
        seen.add(token)
        query = {**query, "page-token": [token]}


def _read_query(given: Sequence[str]) -> dict[str, list[str]]:
    query: dict[str, list[str]] = {}
    for pair in given:
        name, is_pair, value = pair.partition("=")
        if not (name and is_pair):
            raise InvalidArgument(f"--query must be NAME=VALUE, such as branch=main, got {pair!r}")
        query.setdefault(name, []).append(value)
    return query


def _read_json(given: str) -> Redacted[Any]:
    text = Redacted(given)
    del given  # a traceback that prints local variables must not print the values in a body
    if text.reveal().startswith("@"):
        text = Redacted(sys.stdin.read() if text.reveal() == "@-" else Path(text.reveal()[1:]).read_text("utf-8"))
    try:
        return Redacted(json.loads(text.reveal()))
    except (ValueError, RecursionError) as error:
        problem = str(error)
    raise InvalidArgument(f"--body must be JSON: {problem}")
