"""Report each attempt of a call to the client's `on_attempt` function."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from ..config.log import log
from ..errors import ApiError, InvalidArgument
from .arguments import is_async_function
from .credentials import Credentials
from .response import Response

if TYPE_CHECKING:
    from .attempt import Attempt

__all__ = ["OnAttempt"]


OnAttempt: TypeAlias = Callable[["Attempt"], object]
"""A plain function. It is called on the event loop, so it should be fast."""


def check_hook(hook: Any) -> None:
    """Raise `InvalidArgument` if `hook` cannot be called after an attempt."""
    if is_async_function(hook):
        raise InvalidArgument("on_attempt must be a plain function, got an async one, which is never awaited")
    if not callable(hook):
        raise InvalidArgument(f"on_attempt must be a function that takes an Attempt, got {hook!r}")


class AttemptObserver:
    """Reports the attempts of one call to its hook."""

    __slots__ = ("_api", "_attempts", "_credentials", "_deadline", "_hook", "_idle_since", "_method", "_sent", "_url")

    def __init__(
        self,
        hook: OnAttempt,
        credentials: Credentials,
        api: str,
        method: str,
        url: str,
        sent: int,
        *,
        deadline: float | None = None,
    ) -> None:
        self._hook = hook
        self._deadline = deadline
        self._credentials = credentials
        self._api = api
        self._method = method
        self._url = url
        self._sent = sent
        self._attempts = 0
        self._idle_since = asyncio.get_running_loop().time()

    def start(self) -> "AttemptSpan":
        """Start the span of an attempt."""
        self._attempts += 1
        now = asyncio.get_running_loop().time()
        return AttemptSpan(self, self._attempts, now, now - self._idle_since)

    def report(self, span: "AttemptSpan", error: BaseException | None) -> None:
        """Call the hook for an attempt that ends now. An error of the hook is logged."""
        from .attempt import Attempt, outcome_of

        now = self._idle_since = asyncio.get_running_loop().time()
        response = span.response
        failure = error if isinstance(error, ApiError) else None
        status = response.status if response is not None else None
        try:
            self._hook(
                Attempt(
                    method=self._method,
                    route=self._route(),
                    url=self._credentials.public_url(self._url),
                    number=span.number,
                    status=failure.status if failure is not None else status,
                    error=error,
                    outcome=outcome_of(error, is_late=self._deadline is not None and now >= self._deadline),
                    seconds=now - span.started,
                    waited=span.waited,
                    retry_after=failure.retry_after if failure is not None else None,
                    sent=self._sent,
                    received=response.received if response is not None else 0,
                )
            )
        except Exception:
            log.exception("on_attempt failed after %s %s", self._method, urlsplit(self._url).path)

    def _route(self) -> str | None:
        from .routes import route_of

        if not self._url.startswith(f"{self._api}/api/"):
            return None
        return route_of(urlsplit(self._url[len(self._api) :]).path)


class AttemptSpan:
    """The span of one attempt, which is reported to the hook."""

    __slots__ = ("_observer", "number", "response", "started", "waited")

    def __init__(self, observer: AttemptObserver, number: int, started: float, waited: float) -> None:
        self._observer: AttemptObserver | None = observer
        self.number: int = number
        self.started: float = started
        self.waited: float = waited
        self.response: Response | None = None

    def responded(self, response: Response) -> None:
        """Record a response; the last one counts."""
        self.response = response

    def end(self, error: BaseException | None = None) -> None:
        """Report the attempt and its error, once."""
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.report(self, error)
