"""What a capture holds of each call."""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from ..errors import DecodeError
from .rate_limit_status import RateLimitStatus

__all__ = ["CapturedResponse"]


@frozen
class CapturedResponse:
    """The last response of a call, without the token. A call that is retried has only one."""

    method: str
    """Such as `GET`."""

    url: str
    """The address that sent the response, without signatures and tokens."""

    status: int
    """Such as 200."""

    headers: Mapping[str, str] = field(repr=False)
    """The headers; names match in any case."""

    request_id: str | None
    """The server's id of the request, which CircleCI's support asks for."""

    rate_limit: RateLimitStatus
    """The rate limit, as the headers state it."""

    attempts: int
    """Attempts of the call, the first included."""

    seconds: float
    """Duration of the call, with all attempts and waits."""

    body: bytes | None = field(repr=False)
    """The body, decompressed; None if it was streamed, as of an artifact."""

    def json(self) -> Any:
        """Return the body as parsed JSON, or None if it is empty. Raises `DecodeError`."""
        from . import codec

        if self.body is None:
            raise DecodeError(("not kept: the body was streamed",), method=self.method, url=self.url)
        return codec.loads(self.body, method=self.method, url=self.url)
