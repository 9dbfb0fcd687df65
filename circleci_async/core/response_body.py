"""Reads the body of a response, decompressed, within bounds."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from yarl import URL

from ..errors import ResponseTooLarge, TransportError
from .bounded_body import UnknownEncoding, content_encoding, read_bounded
from .encoding import without_secrets
from .gzip_decoder import GzipError
from .stream_buffers import StreamBuffers

if TYPE_CHECKING:
    import aiohttp


class ResponseBody(ABC):
    """The body of one response. A subclass names the errors of the HTTP library, which become `TransportError`s."""

    __slots__ = ("__weakref__", "_buffers", "_encoding", "_is_decoded", "_method", "_raw")

    read_errors: ClassVar[tuple[type[Exception], ...]]
    """What the HTTP library raises if a body cannot be read."""

    @staticmethod
    @abstractmethod
    def translate(error: Exception, method: str, url: URL) -> TransportError:
        """Return the error to raise for one of `read_errors`."""

    def __init__(
        self, raw: "aiohttp.ClientResponse", method: str, buffers: StreamBuffers | None, *, is_decoded: bool
    ) -> None:
        self._raw = raw
        self._method = method
        self._encoding = content_encoding(raw.headers)
        self._is_decoded = is_decoded or not self._encoding
        self._buffers = buffers
        if buffers is not None:
            buffers.opened(self)

    @property
    def length(self) -> int | None:
        """Bytes of the body as the header states them, or None."""
        return self._raw.content_length

    @property
    def has_arrived(self) -> bool:
        """Whether the whole body has arrived."""
        return self._raw.content.is_eof()

    async def read(self, max_bytes: int) -> bytes:
        """Read the body, decompressed. Raises `ResponseTooLarge` beyond `max_bytes`."""
        length = self._raw.content_length
        try:
            if self._is_decoded and self._raw.content.is_eof():  # all has arrived, or a middleware has read it
                data = await self._raw.read()
                is_complete = len(data) <= max_bytes
            elif length is None or self._encoding:
                data, is_complete = await self.read_start(max_bytes)
            elif length <= max_bytes:
                data, is_complete = await self._raw.read(), True
            else:
                data, is_complete = b"", False
        except self.read_errors as caught:
            error = self.translate(caught, self._method, self._raw.url)
        else:
            if is_complete:
                return data
            error = self._error(ResponseTooLarge, f"the response body is larger than max_response_bytes={max_bytes}")
        raise error

    async def read_start(self, max_bytes: int) -> tuple[bytes, bool]:
        """Read at least the first `max_bytes` of the body, decompressed; also return whether that is all of it."""
        try:
            if self._is_decoded and self._raw.content.is_eof():
                data = await self._raw.read()
                return data, len(data) <= max_bytes
            encoding = "" if self._is_decoded else self._encoding
            return await read_bounded(self.read_some, max_bytes, encoding=encoding)
        except (GzipError, UnknownEncoding) as caught:
            error = self._error(TransportError, f"the response body is incomplete or malformed: {caught}")
        except self.read_errors as caught:
            error = self.translate(caught, self._method, self._raw.url)
        raise error

    async def read_some(self) -> bytes:
        """Read the bytes that have arrived, at least one, as they were sent; b"" at the end."""
        try:
            return await self._raw.content.readany()
        except self.read_errors as caught:
            error = self.translate(caught, self._method, self._raw.url)
        raise error

    def _error(self, kind: type[TransportError], message: str) -> TransportError:
        return kind(message, method=self._method, url=without_secrets(self._raw.url))

    def close(self) -> None:
        """Release the connection: to the pool if the body was read to its end, else closed. Idempotent."""
        if self._buffers is not None:
            self._buffers.closed(self)
        if self._raw.content.is_eof():
            self._raw.release()
        else:
            self._raw.close()
