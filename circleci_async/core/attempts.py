"""What one attempt of a call was like, told to whoever keeps metrics."""

import asyncio
import inspect
import logging
from collections.abc import Callable
from types import TracebackType
from typing import TypeAlias
from urllib.parse import urlsplit

from attrs import frozen

from ..errors import ApiError, InvalidArgument
from .transport import Reply, Transport

__all__ = ["Attempt", "OnAttempt"]

log = logging.getLogger("circleci_async")


@frozen
class Attempt:
    """One attempt of a call, which has ended. What is tried again makes several of them.

    It begins when the gate lets it out, and ends when its answer has been read or it has failed. The redirects on its
    way belong to it. Of an artifact, the reading of the body does too.
    """

    method: str
    """Such as `GET`."""

    route: str | None
    """The operation's path as the API documents it, `/project/{project-slug}/job/{job-number}`; None for files, and
    for what the API does not document. It fits a metric's label: there are not many."""

    url: str
    """The address that was asked, without signatures and tokens."""

    number: int
    """1 for the first attempt of a call."""

    status: int | None
    """The status of the last answer; None if there was none."""

    error: BaseException | None
    """What the attempt failed with: a `CircleCIError`, or `asyncio.CancelledError` when it was cancelled or ran into
    the deadline of its call. None if it succeeded."""

    seconds: float
    """How long it took."""

    waited: float
    """Seconds of waiting before it: between two attempts, and at the gate."""

    retry_after: float | None
    """Seconds that the server asked to stay away, or None."""

    sent: int
    """Bytes of the request's body."""

    received: int
    """Bytes of the answer's body, decompressed."""


OnAttempt: TypeAlias = Callable[[Attempt], object]
"""A plain function; it is called on the event loop, so it should be quick."""


def check_hook(hook: object) -> None:
    """Refuse what can't be called after an attempt."""
    if inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(getattr(hook, "__call__", None)):  # noqa: B004
        raise InvalidArgument("on_attempt: give a plain function, not an async one: nobody would await it")
    if not callable(hook):
        raise InvalidArgument(f"on_attempt={hook!r}: give a function that takes an Attempt")


class Observer:
    """Observes the attempts of one call, for its hook."""

    __slots__ = ("_api", "_attempts", "_free_since", "_hook", "_method", "_sent", "_transport", "_url")

    def __init__(self, hook: OnAttempt, transport: Transport, api: str, method: str, url: str, sent: int) -> None:
        self._hook = hook
        self._transport = transport
        self._api = api
        self._method = method
        self._url = url
        self._sent = sent
        self._attempts = 0
        self._free_since = asyncio.get_running_loop().time()

    def begin(self) -> "Observation":
        """Observe an attempt that begins now."""
        self._attempts += 1
        now = asyncio.get_running_loop().time()
        return Observed(self, self._attempts, now, now - self._free_since)

    def tell(self, attempt: "Observed", error: BaseException | None) -> None:
        """Tell the hook of an attempt that ends now. What the hook raises is logged, and disturbs nothing."""
        now = self._free_since = asyncio.get_running_loop().time()
        reply = attempt.reply
        answer = error if isinstance(error, ApiError) else None
        status = reply.status if reply is not None else None
        address = urlsplit(self._url)
        try:
            self._hook(
                Attempt(
                    method=self._method,
                    route=self._route(),
                    url=self._transport.public(self._url),
                    number=attempt.number,
                    status=answer.status if answer is not None else status,
                    error=error,
                    seconds=now - attempt.began,
                    waited=attempt.waited,
                    retry_after=answer.retry_after if answer is not None else None,
                    sent=self._sent,
                    received=reply.received if reply is not None else 0,
                )
            )
        except Exception:
            log.exception("on_attempt failed, after %s %s", self._method, address.path)

    def _route(self) -> str | None:
        from .routes import route_of

        if not self._url.startswith(f"{self._api}/api/"):
            return None
        return route_of(urlsplit(self._url[len(self._api) :]).path)


class Observation:
    """The observation of an attempt that nobody wants to hear of. `with` it, or `end()` it."""

    __slots__ = ()

    def answered(self, reply: Reply) -> None:
        """Note the answer."""

    def end(self, error: BaseException | None = None) -> None:
        """Note that the attempt has ended, and with what. Safe to repeat."""

    def __enter__(self) -> "Observation":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end(error)


UNOBSERVED = Observation()


class Observed(Observation):
    """An attempt that its call's observer is told of."""

    __slots__ = ("_observer", "began", "number", "reply", "waited")

    def __init__(self, observer: Observer, number: int, began: float, waited: float) -> None:
        self._observer: Observer | None = observer
        self.number = number
        self.began = began
        self.waited = waited
        self.reply: Reply | None = None

    def answered(self, reply: Reply) -> None:
        """Note the answer; the last one counts."""
        self.reply = reply

    def end(self, error: BaseException | None = None) -> None:
        """Tell of the end, once."""
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.tell(self, error)
