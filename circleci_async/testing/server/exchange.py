"""Requests and responses of the three origins, without sockets."""

import json
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Literal
from xml.sax.saxutils import escape

from attrs import define
from multidict import MultiMapping

from ..state.content import Extract

Origin = Literal["api", "artifacts", "storage"]

JSON = "application/json;charset=utf-8"


@define(eq=False)
class Request:
    """A request that a `FakeCircleCI` received.

    `path` is escaped as it was sent, without the query; `headers` is case-insensitive. `status` is the status of the
    response: None before the response, or if the connection was reset. `at` is in seconds of the event loop's clock,
    which is `time.monotonic` by default.
    """

    origin: Origin
    method: str
    path: str
    query: MultiMapping[str]
    headers: Mapping[str, str]
    at: float
    body: bytes = b""
    status: int | None = None


@define
class Response:
    """A response."""

    status: int
    body: bytes | Extract
    headers: dict[str, str]

    def pieces(self) -> Iterator[bytes | memoryview]:
        """Return the bytes of the body, in pieces."""
        return iter((self.body,)) if isinstance(self.body, bytes) else self.body.pieces()


ErrorResponse = Callable[[Request, int, str, Mapping[str, str]], Response]
"""Returns an error response to a request, with a status, a message and headers."""


def json_response(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON response, without a body for 204."""
    if status == HTTPStatus.NO_CONTENT:
        return Response(status, b"", dict(headers or {}))
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(status, data, {"Content-Type": JSON, **(headers or {})})


def error_response(
    status: int, message: str | None = None, headers: Mapping[str, str] | None = None, *, key: str = "message"
) -> Response:
    """Return an error response in the API's format."""
    return json_response(status, {key: message or phrase(status)}, headers)


def storage_error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error response in the storage's format."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        "<RequestId>4442587FB7D0A2F9</RequestId><HostId>fake</HostId></Error>"
    )
    return Response(status, text.encode(), {"Content-Type": "application/xml", **(headers or {})})


def phrase(status: int) -> str:
    """Return the reason phrase of a status."""
    try:
        return f"{HTTPStatus(status).phrase}."
    except ValueError:
        return f"Status {status}."
