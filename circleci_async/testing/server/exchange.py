"""A request as it was received, and the reply to it: all that the three origins deal in, without sockets."""

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Literal
from xml.sax.saxutils import escape

from attrs import define
from multidict import MultiMapping

from ..state.content import Extract

Origin = Literal["api", "artifacts", "storage"]

JSON = "application/json;charset=utf-8"


@define(eq=False)
class Received:
    """A request that reached the server.

    `path` is as it was sent, still escaped, without the query; `headers` has no case. `status` is that of the answer:
    None as long as there is none, and for ever if the connection was reset. `at` is in seconds of the event loop's
    clock, which is `time.monotonic` by default.
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
class Reply:
    """What is answered."""

    status: int
    body: bytes | Extract
    headers: dict[str, str]

    def pieces(self) -> Iterator[bytes | memoryview]:
        """Give the bytes of the body."""
        return iter((self.body,)) if isinstance(self.body, bytes) else self.body.pieces()


def json_reply(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Reply:
    """Answer with JSON, or with nothing at all where the status says so."""
    if status == HTTPStatus.NO_CONTENT:
        return Reply(status, b"", dict(headers or {}))
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Reply(status, data, {"Content-Type": JSON, **(headers or {})})


def message_reply(
    status: int, message: str | None = None, headers: Mapping[str, str] | None = None, *, key: str = "message"
) -> Reply:
    """Answer with an error in the API's shape."""
    return json_reply(status, {key: message or phrase(status)}, headers)


def storage_error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    """Answer with an error in the storage's shape."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        "<RequestId>4442587FB7D0A2F9</RequestId><HostId>fake</HostId></Error>"
    )
    return Reply(status, text.encode(), {"Content-Type": "application/xml", **(headers or {})})


def phrase(status: int) -> str:
    """Name a status."""
    try:
        return f"{HTTPStatus(status).phrase}."
    except ValueError:
        return f"Status {status}."
