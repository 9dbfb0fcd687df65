"""One HTTP response whose body has not been read yet."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from yarl import URL

from ..config.redacted import Redacted
from ..config.trust import Origin
from ..errors import TransportError
from .rate_limit import RateLimitState, parse_rate_limit, parse_retry_after
from .response_body import ResponseBody

MAX_DISCARDED = 64 * 1024
"""Bytes of an unwanted body that are read, so that its connection can be reused."""

MAX_DISCARD_TIME = 1.0
"""Seconds for which an unwanted body is read at most."""

DISCARD_SHARE = 0.1
"""Maximum share of a timeout that reading an unwanted body takes."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Redirect(NamedTuple):
    """The target of a redirect."""

    url: Redacted[str]
    """It can be signed."""
    is_cross_origin: bool
    is_downgrade: bool
    """Whether it leads from https to http."""


class Response:
    """Status, headers and unread body of one hop. Read it, or close it."""

    __slots__ = (
        "_body",
        "_url",
        "headers",
        "is_resent",
        "is_trusted",
        "rate_limit",
        "received",
        "retry_after",
        "status",
        "token_fingerprint",
    )

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        url: URL,
        body: ResponseBody,
        *,
        is_trusted: bool = False,
        is_resent: bool = False,
        token_fingerprint: int | None = None,
    ) -> None:
        self._url = url
        self._body = body
        self.status: int = status
        self.headers: Mapping[str, str] = headers
        self.is_trusted: bool = is_trusted
        """Whether the token may be sent to the address: only then do the rate-limit headers count."""
        self.is_resent: bool = is_resent
        """Whether the request was sent twice, since its first connection was lost."""
        self.token_fingerprint: int | None = token_fingerprint
        """Identifies the token that was sent, if the token may change."""
        self.received: int = 0
        """Bytes of the body that were read, decompressed."""
        refused = status == 429
        self.rate_limit: RateLimitState = parse_rate_limit(headers, refused=refused)
        self.retry_after: float | None = None
        """Seconds that an error response asks to wait before a retry, or None."""
        if status >= 300:
            asked = parse_retry_after(headers, now=time.time())
            self.retry_after = self.rate_limit.pause if refused and asked is None else asked
            if refused:
                self.rate_limit = self.rate_limit._replace(pause=self.retry_after)

    @property
    def url(self) -> str:
        """The address that was asked."""
        return str(self._url)

    @property
    def length(self) -> int | None:
        """Bytes of the body as the header states them, or None."""
        return self._body.length

    @property
    def has_arrived(self) -> bool:
        """Whether the whole body has arrived."""
        return self._body.has_arrived

    @property
    def redirect(self) -> Redirect | None:
        """The target, if this is a redirect to an http(s) address."""
        if self.status not in REDIRECTS or not (location := self.headers.get("Location")):
            return None
        try:  # a signed address must be sent as it was written, without quoting it again
            target = self._url.join(URL(location, encoded=location.isascii())).with_fragment(None)
        except ValueError:
            return None
        here, there = Origin.of(self._url), Origin.of(target)
        if here is None or there is None:
            return None
        is_downgrade = (here.scheme, there.scheme) == ("https", "http")
        return Redirect(Redacted(str(target)), is_cross_origin=here != there, is_downgrade=is_downgrade)

    async def read(self, max_bytes: int) -> bytes:
        """Read the whole body. Raises `TransportError` if it is incomplete, `ResponseTooLarge` beyond `max_bytes`."""
        data = await self._body.read(max_bytes)
        self.received += len(data)
        return data

    async def read_start(self, max_bytes: int) -> bytes:
        """Read the first `max_bytes` of the body, or all if it is shorter. Raises `TransportError`."""
        data, _ = await self._body.read_start(max_bytes)
        self.received += len(data)
        return data[:max_bytes]

    async def read_some(self) -> bytes:
        """Read the bytes that have arrived, at least one; b"" at the end. Raises `TransportError`."""
        data = await self._body.read_some()
        self.received += len(data)
        return data

    async def discard(self, timeout: float) -> None:
        """Discard the body. Keep the connection if reading the body is cheap; `timeout` is that of the attempt."""
        try:
            if (self.length or MAX_DISCARDED) < MAX_DISCARDED:
                with suppress(TransportError, TimeoutError):  # an incomplete body is not needed either
                    async with asyncio.timeout(min(MAX_DISCARD_TIME, timeout * DISCARD_SHARE)):
                        while self.received < MAX_DISCARDED and await self.read_some():
                            pass
        finally:
            self.close()

    def close(self) -> None:
        """Release the connection. Idempotent."""
        self._body.close()
