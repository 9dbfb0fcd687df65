"""The response to one attempt, and the permit and the span that end with it."""

from collections.abc import Mapping

from .attempts import AttemptSpan
from .limiter import Permit
from .response import Response
from .state import ClientState


class Stream:
    """The response to one attempt, whose body has not been read. Holds a permit of the limiter until it is closed."""

    __slots__ = ("_is_registered", "_permit", "_span", "_state", "response")

    def __init__(self, response: Response, permit: Permit, state: ClientState, span: AttemptSpan | None) -> None:
        self.response: Response = response
        self._is_registered = False
        self._permit = permit
        self._state = state
        self._span = span

    def register(self) -> None:
        """Register the stream with the client, which closes it when the client is closed."""
        self._is_registered = True
        self._state.lifetime.opened(self)

    @property
    def status(self) -> int:
        """Such as 200."""
        return self.response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names match in any case."""
        return self.response.headers

    @property
    def length(self) -> int | None:
        """Bytes of the body as the header states them, or None."""
        return self.response.length

    @property
    def has_arrived(self) -> bool:
        """Whether the whole body has arrived, so that reading it does not wait."""
        return self.response.has_arrived

    async def read(self) -> bytes:
        """Read the whole body. Raises `TransportError` if it is incomplete, `ResponseTooLarge` for a larger one."""
        try:
            data = await self.response.read(self._state.max_response_bytes)
        except BaseException as error:
            self.close(error)
            raise
        self._state.stats.received += len(data)
        return data

    async def read_some(self) -> bytes:
        """Read the bytes that have arrived, at least one; b"" at the end. Raises `TransportError`."""
        try:
            data = await self.response.read_some()
        except BaseException as error:
            self.close(error)
            raise
        self._state.stats.received += len(data)
        return data

    def close(self, error: BaseException | None = None) -> None:
        """Release the connection and the permit; report the attempt, and its error. Idempotent."""
        self.response.close()
        self._permit.release()
        if self._is_registered:
            self._state.lifetime.closed(self)
        if self._span is not None:
            self._span.end(error)
