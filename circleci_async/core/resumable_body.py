"""The body of one GET, resumed after an interruption where it stopped."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

from ..config.redacted import Redacted, redacted
from ..config.trust import Origin
from ..errors import ApiError, DownloadError, DownloadInterrupted, RequestTimeout, TransportError
from .encoding import to_url
from .ranges import only_value, parse_content_range, strong_etag
from .session import Session
from .speed import SpeedMeter
from .stream import Stream
from .time_limit import within

T = TypeVar("T")

PROGRESS = 1024 * 1024
"""Bytes that a body must advance for its attempts to be counted anew. For a small one, a twentieth is enough."""

_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity"}


class Part(NamedTuple):
    """Bytes of a body that follow those of the part before."""

    data: bytes
    """Not empty, unless the body has `restarted` and is empty now."""
    restarted: bool
    """Whether the body starts over with these bytes, so that all parts before must be discarded."""


class RangeRefused(DownloadError):
    """The server does not send a range of the version that was received so far."""


class ResumableBody:
    """Reads a body from its first byte to its last: `async for part in body`, then `close`.

    After an interruption the original URL is requested again (a redirect target is signed for a short time only), from
    where the body stopped if the server supports it (`Range`, and `If-Range` with a strong ETag, so that two versions
    never mix), otherwise from the start: the next part is then `restarted`. A response slower than the client's
    `min_speed` counts as interrupted.

    - `offset`, `etag` (a strong one): continue a body whose first `offset` bytes were received earlier.
    - `anonymous`: never send the token.

    Iterating raises `ApiError`, `TransportError` when the retries are used up, and `DownloadError` for an incomplete
    body (`DownloadInterrupted`, which is both, if each attempt was interrupted).
    """

    def __init__(
        self,
        session: Session,
        url: str | Redacted[str],
        *,
        offset: int = 0,
        etag: str | None = None,
        anonymous: bool = False,
    ) -> None:
        self._url = redacted(url)
        del url  # it can be signed
        try:
            is_http = Origin.of(to_url(self._url.reveal())) is not None
        except ValueError:
            is_http = False
        if not is_http:
            raise DownloadError("the url must be an http or https URL")
        self._session = session
        self._anonymous = anonymous
        self._request = session.start_request("GET", self._url)
        self._stream: Stream | None = None
        self._speed = SpeedMeter(session.options.min_speed)
        self._now = asyncio.get_running_loop().time
        self._offset = self._progress_offset = offset
        self._responses = 0
        """Responses since the body last advanced by `PROGRESS`."""
        self._forgiven = 0
        """Responses no longer counted because of that; counted again if the body starts over."""
        self._is_started = False
        self._is_counted = True
        """Whether the current response has added to the retry budget."""
        self._is_complete = False
        self._is_closed = False
        self._stop: int | None = None
        """The first byte that is not requested; None: all are."""
        self.is_pinned: bool = False
        """Whether to raise `RangeRefused` instead of starting over."""
        self.received: int = offset
        """Bytes of the parts so far, from the start of the body."""
        self.size: int | None = None
        """Length according to the server, or None if it is unknown."""
        self.etag = None if etag is None else strong_etag({"ETag": etag})
        self._has_begun = False
        """Whether the headers of the whole body are known; not if only an earlier process received them."""
        self._last_modified: str | None = None
        self.content_encoding: str | None = None
        self.accepts_ranges: bool = True
        """False if the server states that it supports no ranges."""
        self.resumed: int = 0
        """How often the body was resumed after an interruption."""

    def __aiter__(self) -> "ResumableBody":
        return self

    async def __anext__(self) -> Part:
        if self._is_complete:
            raise StopAsyncIteration
        data = await self._run(self._read)
        restarted = self._offset != self.received
        self._offset += len(data)
        self.received = self._offset
        if not data or self._offset == self._end:
            self._is_complete = True
            self._disconnect()
        if not data and not restarted:
            raise StopAsyncIteration
        return Part(data, restarted)

    async def connect(self) -> None:
        """Wait for the first response, so that `size` is known. Raises the same errors as the iteration."""
        await self._run(self._connect)

    def close(self) -> None:
        """Release the connection. Idempotent; the body cannot be read afterwards."""
        self._is_closed = True
        self._disconnect()

    def range(self, start: int, stop: int, session: Session | None = None) -> "ResumableBody":
        """Return a range of the same version as another body, which raises `RangeRefused` instead of starting over.

        The version must have a strong ETag. `session`: with other options.
        """
        body = ResumableBody(
            session or self._session, self._url, offset=start, etag=self.etag, anonymous=self._anonymous
        )
        body._request.deadline = self._request.deadline
        body._stop, body.is_pinned = stop, True
        body.size, body._has_begun = self.size, self._has_begun
        body._last_modified, body.content_encoding = self._last_modified, self.content_encoding
        return body

    def skip_to(self, offset: int) -> None:
        """Continue with a later byte, on a new connection: those before were received by other bodies."""
        self._disconnect()
        self._offset = self.received = offset
        self._is_complete = offset == self.size

    @property
    def speed(self) -> SpeedMeter:
        """The speed of the current response, or of the last one."""
        return self._speed

    @property
    def _end(self) -> int | None:
        return self.size if self._stop is None else self._stop

    async def _run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        if self._is_closed:
            raise DownloadError(f"{self.shown}: the body is closed")
        try:
            return await self._request.run(attempt)
        except (DownloadError, RequestTimeout):
            raise
        except TransportError as error:
            if not self._is_started:
                raise
            interrupted = self._interrupted(error.message)
        raise interrupted

    async def _read(self) -> bytes:
        stream = await self._connect()
        try:
            self._check_speed()
            began = self._now()
            reading = stream.read_some()
            if not stream.has_arrived:
                reading = within(self._session.options.timeout, reading, self._timed_out)
            data = await reading
            self._speed.add(len(data), self._now() - began)
            self._check_length(data)
        except BaseException:
            self._disconnect()
            raise
        if not self._is_counted:  # once per response: counting each part would refill the retry budget too fast
            self._is_counted = True
            self._session.earn_retry()
        return data

    async def _connect(self) -> Stream:
        if self._stream is not None:
            return self._stream
        self._check_progress()
        try:
            return await self._open()
        except BaseException:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _check_progress(self) -> None:
        """Give up when as many responses as `attempts` were interrupted without advancing the body by `PROGRESS`."""
        if self._offset - self._progress_offset >= min(PROGRESS, (self.size or PROGRESS) / 20):
            self._progress_offset = self._offset
            self._forgiven, self._responses = self._responses, 0
        else:
            self._forgiven = 0
        if self._responses >= self._session.options.retry.attempts:
            raise self._interrupted(f"interrupted {self._responses} times")

    def _check_speed(self) -> None:
        speed = self._speed
        if speed.is_too_slow:
            received = f"received {speed.received} bytes in {speed.waited:.0f} s"
            raise self._failed(f"slower than min_speed={speed.min_speed:g} bytes per second: {received}")

    def _check_length(self, data: bytes) -> None:
        """Refuse an early end, and bytes beyond the end: a resumed body may be chunked and endless."""
        end = self._offset + len(data)
        if self._end is not None and (end > self._end or (not data and end < self._end)):
            raise self._failed(f"received {end} of {self._end} bytes")

    @property
    def shown(self) -> str:
        """The address without secrets."""
        return self._session.public_url(self._url.reveal())

    def _failed(self, message: str) -> TransportError:
        return TransportError(message, method="GET", url=self.shown)

    def _timed_out(self) -> RequestTimeout:  # aiohttp counts the bytes of chunk headers as progress
        message = f"response timed out: no data within {self._session.options.timeout:g} s"
        return RequestTimeout(message, method="GET", url=self.shown)

    def _interrupted(self, message: str) -> DownloadInterrupted:
        return DownloadInterrupted(f"incomplete download: {message}", method="GET", url=self.shown)

    async def _open(self) -> Stream:
        headers = _HEADERS
        if self._offset > 0 and self.etag is None:
            self._start_over()
        resuming = self._offset > 0 or self._stop is not None
        if resuming:
            last = "" if self._stop is None else self._stop - 1
            headers = {**_HEADERS, "Range": f"bytes={self._offset}-{last}", "If-Range": self.etag or ""}
        try:
            stream = await self._session.open(self._request, headers=headers, anonymous=self._anonymous)
        except ApiError as error:
            if not resuming or error.status not in {412, 416}:
                raise
            self._start_over()  # another version, shorter than what was received
            raise self._failed(f"the download cannot be resumed: {error.message}") from None
        self._stream = stream
        self._responses += 1
        self._speed.restart()
        self._is_started = True
        self._is_counted = False
        if resuming and self._is_continued_by(stream):
            self.resumed += 1
            return stream
        if resuming:
            self._start_over()
        if stream.status != 200:  # a range that was not requested
            raise self._failed(f"unexpected status {stream.status}")
        self.size = stream.length
        self._has_begun = True
        self.content_encoding = stream.headers.get("Content-Encoding")
        self.accepts_ranges = stream.headers.get("Accept-Ranges", "").lower() != "none"
        self._last_modified = stream.headers.get("Last-Modified")
        self.etag = strong_etag(stream.headers)
        return stream

    def _is_continued_by(self, stream: Stream) -> bool:
        """Return whether a response is exactly the rest of the same body. Take the length from it if it is unknown.

        It must have the ETag, which RFC 9110 requires of a 206 if the whole body has one.
        """
        part = parse_content_range(stream.headers)
        if (
            stream.status != 206
            or part is None
            or part.first != self._offset
            or (self._stop is not None and part.last != self._stop - 1)
            or stream.length not in {None, part.last - part.first + 1}
            or only_value(stream.headers, "ETag") != self.etag
            or (self._has_begun and stream.headers.get("Content-Encoding") != self.content_encoding)
            or self._last_modified not in {None, stream.headers.get("Last-Modified", self._last_modified)}
        ):
            return False
        if self.size is None:
            self.size = part.size
        return part.size in {None, self.size} and (self.size is None or part.last < self.size)

    def _start_over(self) -> None:
        if self.is_pinned:
            raise RangeRefused(f"{self.shown}: the server does not send a range of the same version")
        self._offset = 0  # `_progress_offset` is kept: reaching the same offset again is not progress
        self.etag = None
        self._responses += self._forgiven  # their bytes are discarded
        self._forgiven = 0
