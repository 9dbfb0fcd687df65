"""Capture the responses that calls receive. Without an open capture a request only reads one context variable."""

import asyncio
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, overload

from ..errors import InvalidArgument
from .response import Response
from .signed_urls import redact_query

if TYPE_CHECKING:
    from .captured_response import CapturedResponse
    from .credentials import Credentials

__all__ = ["ResponseCapture", "capture_responses"]

DEFAULT_MAX_RESPONSES: int = 100
"""Responses that a capture holds by default."""


class ResponseCapture(Sequence["CapturedResponse"]):
    """The responses captured so far, in the order in which their calls ended."""

    def __init__(self, max_responses: int) -> None:
        if type(max_responses) is not int or max_responses < 1:
            raise InvalidArgument(f"max_responses must be a positive integer, got {max_responses!r}")
        self._responses: deque[CapturedResponse] = deque(maxlen=max_responses)
        self._is_open = True
        self.dropped: int = 0
        """Responses that were dropped, oldest first, to keep `max_responses`."""

    @overload
    def __getitem__(self, index: int) -> "CapturedResponse": ...
    @overload
    def __getitem__(self, index: slice) -> "list[CapturedResponse]": ...
    def __getitem__(self, index: int | slice) -> "CapturedResponse | list[CapturedResponse]":
        return list(self._responses)[index] if isinstance(index, slice) else self._responses[index]

    def __len__(self) -> int:
        return len(self._responses)

    def __iter__(self) -> "Iterator[CapturedResponse]":
        return iter(tuple(self._responses))  # a task may add to it meanwhile

    def __repr__(self) -> str:
        return f"<ResponseCapture of {len(self)} responses>"

    def add(self, response: "CapturedResponse") -> None:
        """Add a response, unless the block has ended. Drops the oldest one if the capture is full."""
        if self._is_open:
            self.dropped += len(self._responses) == self._responses.maxlen
            self._responses.append(response)

    def close(self) -> None:
        """Add no more responses: tasks that the block started may still be running."""
        self._is_open = False


_CAPTURES: ContextVar[tuple[ResponseCapture, ...]] = ContextVar("circleci_async_captures", default=())

captures: Callable[[], tuple[ResponseCapture, ...]] = _CAPTURES.get
"""Return the captures that are open in this context."""


@contextmanager
def capture_responses(*, max_responses: int = DEFAULT_MAX_RESPONSES) -> Generator[ResponseCapture]:
    """Capture the response of each call that this task, and each task started in the block, makes in the block.

    The captured responses contain neither the token nor signatures. A call that received no response adds none.
    Captures may be nested: each receives all responses of its block.

    `max_responses`: the oldest response is dropped when there are more, since each holds its body.

    Raises `InvalidArgument` for an invalid `max_responses`.
    """
    capture = ResponseCapture(max_responses)
    reset = _CAPTURES.set((*_CAPTURES.get(), capture))
    try:
        yield capture
    finally:
        capture.close()
        with suppress(ValueError):  # the block may end in another context, as fixtures of pytest do
            _CAPTURES.reset(reset)


class CallRecorder:
    """Adds the last response of a call to the open captures when the call ends."""

    __slots__ = ("_body", "_captures", "_credentials", "_method", "_response", "_started")

    def __init__(self, open_captures: tuple[ResponseCapture, ...], credentials: "Credentials", method: str) -> None:
        self._captures = open_captures
        self._credentials = credentials
        self._method = method
        self.start()

    def start(self) -> None:
        """Start a call."""
        self._started = asyncio.get_running_loop().time()
        self._response: Response | None = None
        self._body: bytes | None = None

    def received(self, response: Response, body: bytes | None) -> None:
        """Record a response; the last one counts. `body`: None if it is streamed."""
        self._response = response
        self._body = body

    def end(self, attempts: int) -> None:
        """Add the last response to the captures."""
        response, self._response = self._response, None
        if response is None:
            return
        from .captured_response import CapturedResponse
        from .error_bodies import request_id
        from .rate_limit_status import parse_status

        headers = self._credentials.public_headers(response.headers)
        captured = CapturedResponse(
            method=self._method,
            url=self._credentials.public_url(response.url),
            status=response.status,
            headers=headers,
            request_id=request_id(headers),
            rate_limit=parse_status(headers),
            attempts=attempts,
            seconds=asyncio.get_running_loop().time() - self._started,
            body=None if self._body is None else self._public_body(response, self._body),
        )
        for capture in self._captures:
            capture.add(captured)

    def _public_body(self, response: Response, body: bytes) -> bytes:
        body = self._credentials.redact_bytes(body)
        if response.is_trusted:
            return body
        return redact_query(body.decode("latin-1"), response.url).encode("latin-1")
