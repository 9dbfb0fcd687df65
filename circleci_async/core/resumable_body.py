"""The bytes of one artifact, taken up again where they were cut."""

import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ..config.trust import Origin
from ..errors import ApiError, DownloadError, DownloadInterrupted, RequestTimeout, TransportError
from .session import Session, Stream

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")


T = TypeVar("T")

PROGRESS = 1024 * 1024
"""Bytes by which a body must have come on for its attempts to be counted anew; of a small one a twentieth is enough."""


class Body:
    """Reads one address from its first byte to its last, over as many requests as it takes.

    `anonymous`: without the token, whatever the address.

    A cut is answered by asking the original address again (what it redirects to is signed for a short time), from
    where it stopped if the server can (Range, and If-Range with a strong ETag, so that two versions never mix), from
    the start if not. `offset` and `etag` (a strong one) take up what another one has begun.
    """

    def __init__(
        self, session: Session, url: str, *, offset: int = 0, etag: str | None = None, anonymous: bool = False
    ) -> None:
        if Origin.of(url) is None:
            raise DownloadError("the url is not an http(s) address")
        self._session = session
        self._url = url
        self._anonymous = anonymous
        self._call = session.start_request("GET", url)
        self._stream: Stream | None = None
        self._offset = self._mark = offset
        self._answers = 0
        self._forgiven = 0
        self._has_begun = False
        self._earned = True
        self._ended = False
        self._closed = False
        self.size: int | None = None
        """The length by the server's word, or None if it gave none."""
        self.etag = etag
        self.content_encoding: str | None = None
        self.resumed = 0
        """How often the body was taken up again after a cut."""

    async def next_part(self) -> tuple[int, bytes]:
        """Return the next bytes and where they begin; no bytes at the end. Beginning at 0 again means starting over.

        Raises `ApiError`, `TransportError` when retries are used up, `DownloadError` if the body can't be had whole
        (`DownloadInterrupted`, which is both, if it broke off each time).
        """
        if self._ended:
            return self._offset, b""
        part = await self._run(self._attempt)
        begin = self._offset
        self._offset += len(part)
        if not part or self._offset == self.size:
            self._ended = True
            self._hang_up()
        return begin, part

    @property
    def has_ended(self) -> bool:
        """Whether all bytes have come, so that the next part would be empty."""
        return self._ended

    async def begin(self) -> None:
        """Wait for the first answer, so that `size` is known; raises as `next_part` does."""
        await self._run(self._connect)

    async def _run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        if self._closed:
            raise DownloadError(f"{self._shown}: can't be read any more, it has been closed")
        try:
            return await self._call.run(attempt)
        except (DownloadError, RequestTimeout):
            raise
        except TransportError as error:
            if not self._has_begun:
                raise
            cut = self._cut(error.message)
        raise cut

    def close(self) -> None:
        """Let go of the connection, for good. Safe to repeat."""
        self._closed = True
        self._hang_up()

    def _hang_up(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    async def _attempt(self) -> bytes:
        stream = await self._connect()
        try:
            part = await stream.read_some()
            self._check_length(part)
        except BaseException:
            self._hang_up()
            raise
        if not self._earned:  # once an answer, not once a part: that would refill it for nothing
            self._earned = True
            self._session.earn_retry()
        return part

    async def _connect(self) -> Stream:
        if self._stream is not None:
            return self._stream
        self._count()
        try:
            return await self._open()
        except BaseException:
            self._hang_up()
            raise

    def _count(self) -> None:
        """Give up if as many answers broke off as there are attempts, and none brought the body on by much."""
        if self._offset - self._mark >= min(PROGRESS, (self.size or PROGRESS) / 20):
            self._mark = self._offset
            self._forgiven, self._answers = self._answers, 0
        else:
            self._forgiven = 0
        if self._answers >= self._session.options.retry.attempts:
            raise self._cut(f"broke off {self._answers} times")

    def _check_length(self, part: bytes) -> None:
        """Refuse an end before all has come, and bytes beyond it (a resumed body may come in chunks, without end)."""
        end = self._offset + len(part)
        if self.size is not None and (end > self.size or (not part and end < self.size)):
            raise self._broken(f"{end} bytes came of {self.size}")

    @property
    def _shown(self) -> str:
        return self._session.public_url(self._url)

    def _broken(self, message: str) -> TransportError:
        return TransportError(message, method="GET", url=self._shown)

    def _cut(self, message: str) -> DownloadInterrupted:
        return DownloadInterrupted(f"can't be had whole: {message}", method="GET", url=self._shown)

    async def _open(self) -> Stream:
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if self._offset > 0 and self.etag is None:
            self._start_over()
        resuming = self._offset > 0
        if resuming:
            headers |= {"Range": f"bytes={self._offset}-", "If-Range": self.etag or ""}
        try:
            stream = await self._session.open(self._call, headers=headers, anonymous=self._anonymous)
        except ApiError as error:
            if not resuming or error.status not in {412, 416}:
                raise
            self._start_over()  # it has become another body, shorter than what we have
            raise self._broken(f"can't be resumed: {error.message}") from None
        self._stream = stream
        self._answers += 1
        self._has_begun = True
        self._earned = False
        if resuming and self._continues(stream):
            self.resumed += 1
            return stream
        if resuming:
            self._start_over()
        if stream.status != 200:  # a range that nobody asked for
            raise self._broken(f"status {stream.status} does not bring what was asked for")
        self.size = stream.length
        self.content_encoding = stream.headers.get("Content-Encoding")
        etag = stream.headers.get("ETag", "")
        self.etag = etag if etag.startswith('"') else None  # a weak one does not promise the same bytes
        return stream

    def _continues(self, stream: Stream) -> bool:
        """Say whether an answer is exactly the rest of the same body; it may be the first to tell the length."""
        match = _CONTENT_RANGE.fullmatch(stream.headers.get("Content-Range", ""))
        if (
            stream.status != 206
            or match is None
            or int(match[1]) != self._offset
            or stream.headers.get("ETag", self.etag) != self.etag
        ):
            return False
        size = self.size if match[2] == "*" else int(match[2])
        if self.size is None:
            self.size = size
        return size == self.size

    def _start_over(self) -> None:
        self._offset = 0  # but not the mark: to come as far as before is no progress
        self.etag = None
        self._answers += self._forgiven  # what they brought is lost
        self._forgiven = 0
