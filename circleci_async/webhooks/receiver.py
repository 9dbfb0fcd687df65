"""Receiving webhooks: each delivery is verified and answered at once, and its event handled afterwards."""

import asyncio
import inspect
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Self

from attrs import frozen

from ..config.log import log
from ..config.redacted import NotPicklable, Redacted
from ..core.arguments import is_number
from ..errors import DecodeError, InvalidArgument, SignatureError
from ..models.events import WebhookEvent
from .answer import Answer
from .asgi import AsgiApp
from .body import BodyRefused, read_body
from .delivery import checked_max_age, verified_event
from .event_queue import EventQueue
from .signature import Body, Headers, Secret, secrets_of

if TYPE_CHECKING:
    from .aiohttp_handler import Handler

__all__ = ["Receiver", "ReceiverStats"]

_ACCEPTED, _DUPLICATE, _UNAVAILABLE = 202, 200, 503
_RETRY_LATER = {"Retry-After": "10"}


_CLOSED = Answer(status=_UNAVAILABLE, text="shutting down", headers=_RETRY_LATER)


@frozen(kw_only=True)
class ReceiverStats:
    """Counters of a receiver."""

    received: int
    """Requests of any kind."""
    accepted: int
    """Events accepted for handling."""
    duplicates: int
    """Events that had been accepted before."""
    refused: int
    """Requests with a wrong signature, an old event, or with an invalid, too large or too slow body."""
    turned_away: int
    """Events refused because the queue was full or the receiver closed; CircleCI delivers them again."""
    succeeded: int
    """Events that `on_event` has handled."""
    failed: int
    """Events on which `on_event` raised."""
    lost: int
    """Accepted events that were not handled: cancelled, or left over at the end."""
    pending: int
    """Accepted events that wait or are being handled."""


class Receiver(NotPicklable):
    """Answers deliveries at once, and calls `on_event` for each event afterwards.

    `secret` is the webhook's signing secret, or several of them. If they have names, as in `{"old": "…", "new": "…"}`,
    the event's `secret_name` is that of the secret that matched. `on_event` is called with a `WebhookEvent`: an async
    function, or a plain one, which runs on the event loop and must not block it. Its errors are logged, counted, and
    passed to `on_error` with the event (also an async or a plain function).

    - `max_body`: bytes of a body.
    - `queue`: events that may wait. Further ones are answered with 503, and CircleCI delivers them again later.
    - `concurrency`: events that are handled at the same time.
    - `remember`: ids of events kept to recognize duplicates; the oldest are discarded first.
    - `max_age`: seconds since an event's `happened_at`; older events are answered with 401. None: events of any age.
    - `read_timeout`: seconds for reading a body. CircleCI waits ten seconds for the response.
    - `drain`: seconds that `aclose` waits for running work.

    Use it with `async with`, or call `aclose` at the end. It belongs to one event loop and one process.
    """

    def __init__(
        self,
        secret: Secret,
        on_event: Callable[[WebhookEvent], object],
        *,
        max_body: int = 1024 * 1024,
        queue: int = 1000,
        concurrency: int = 8,
        remember: int = 10_000,
        max_age: float | None = None,
        read_timeout: float = 5.0,
        drain: float = 30.0,
        on_error: Callable[[WebhookEvent, BaseException], object] | None = None,
    ) -> None:
        given = Redacted(secret)
        del secret  # a traceback that prints local variables must not print it
        self._secrets = secrets_of(given)
        self._max_age = checked_max_age(max_age)
        self._on_event = _checked_function("on_event", on_event)
        self._on_error = on_error if on_error is None else _checked_function("on_error", on_error)
        self._max_body = _checked_number("max_body", max_body, minimum=1)
        self._remember = _checked_number("remember", remember, minimum=0)
        self._read_timeout = _checked_seconds("read_timeout", read_timeout, above=0.0)
        self._drain = _checked_seconds("drain", drain)
        self._queue = EventQueue(
            self._handle,
            on_lost=lambda event: self._seen.pop(event.id, None),  # accept it when it is delivered again
            size=_checked_number("queue", queue, minimum=0),
            concurrency=_checked_number("concurrency", concurrency, minimum=1),
        )
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._closed = False
        self._answers = Counter[int]()
        """Responses by status."""
        self._received = self._succeeded = self._failed = self._lost = 0
        self._asgi = AsgiApp(self)

    def __repr__(self) -> str:
        return f"<Receiver: {len(self._queue)} events pending{', closed' if self._closed else ''}>"

    async def receive(self, body: Body | AsyncIterable[bytes], headers: Headers) -> Answer:
        """Verify a delivery, accept its event, and return the response to send; the event is handled afterwards.

        `body` is the raw body, or an async iterable of its chunks, which is read within the bounds; `headers` are those
        of the request. The status is 202 for an accepted event, 200 for one that was accepted before, 400 for an
        invalid body, 401 for a wrong signature or an old event, 408 for a slow body, 413 for a large one, and 503 if
        the queue is full or the receiver closed.
        """
        self._received += 1
        try:
            answer = await self._answer(body, headers)
        except BodyRefused as error:
            answer = Answer(status=error.status, text=str(error))
        except SignatureError as error:
            answer = Answer(status=401, text=error.message)
        except DecodeError as error:  # its faults quote the body: send only their places
            places = "; ".join(
                fault.partition(", got ")[0] for fault in error.faults if not fault.startswith("not JSON")
            )
            answer = Answer(status=400, text=f"invalid event: {places or 'not JSON'}")
        self._answers[answer.status] += 1
        if answer.status not in {_ACCEPTED, _DUPLICATE}:
            log.warning("webhook delivery answered with %d: %s", answer.status, answer.text)
        return answer

    async def aclose(self, drain: float | None = None) -> tuple[WebhookEvent, ...]:
        """Refuse further events, wait for the accepted ones, and return the events that were not handled.

        `drain`: seconds to wait (None: the receiver's own); running work is cancelled then. Events that were not
        handled are accepted when they are delivered again.
        """
        seconds = self._drain if drain is None else _checked_seconds("drain", drain)
        self._closed = True
        lost = await self._queue.finish(seconds)
        self._lost += len(lost)
        if lost:
            log.warning(
                "%d accepted webhook events were not handled: %s", len(lost), ", ".join(e.id for e in lost[:20])
            )
        return tuple(lost)

    async def __aenter__(self) -> Self:
        self._closed = False  # it can be opened again, also in another event loop
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def stats(self) -> ReceiverStats:
        """A copy of the counters."""
        accepted, duplicates, turned_away = (self._answers[each] for each in (_ACCEPTED, _DUPLICATE, _UNAVAILABLE))
        return ReceiverStats(
            received=self._received,
            accepted=accepted,
            duplicates=duplicates,
            refused=self._answers.total() - accepted - duplicates - turned_away,
            turned_away=turned_away,
            succeeded=self._succeeded,
            failed=self._failed,
            lost=self._lost + len(self._queue.lost),
            pending=len(self._queue),
        )

    @property
    def aiohttp(self) -> "Handler":
        """The handler for aiohttp.web: `app.router.add_post("/hooks", receiver.aiohttp)`."""
        from .aiohttp_handler import handler_for

        return handler_for(self)

    def serve(self, host: str = "127.0.0.1", port: int = 0, *, path: str = "/") -> AbstractAsyncContextManager[str]:
        """Run a server for the receiver: `async with receiver.serve(port=8080) as url`, which closes it at the end.

        Port 0 selects a free one; `url` is the URL for deliveries. TLS is not supported: CircleCI requires `https`, so
        a proxy is needed in front. Raises `InvalidArgument` for a path without leading slash, `OSError` for a port in
        use.
        """
        from .aiohttp_handler import serve

        if not path.startswith("/"):
            raise InvalidArgument(f"path must begin with '/', got {path!r}")
        return serve(self, host, port, path)

    async def cleanup(self, app: object) -> AsyncGenerator[None]:
        """Close the receiver together with an aiohttp.web application: `app.cleanup_ctx.append(receiver.cleanup)`."""
        async with self:
            yield

    @property
    def asgi(self) -> AsgiApp:
        """An ASGI application, to be a route or mount of FastAPI or Starlette, or served alone."""
        return self._asgi

    async def _answer(self, body: Body | AsyncIterable[bytes], headers: Headers) -> Answer:
        if self._closed:
            return _CLOSED
        content = await read_body(body, max_size=self._max_body, timeout=self._read_timeout)
        return self._accept(verified_event(self._secrets, content, headers, self._max_age))

    def _accept(self, event: WebhookEvent) -> Answer:
        """Accept an event, unless it is a duplicate. Does not await, so that concurrent duplicates are recognized."""
        if event.id in self._seen:
            return Answer(status=_DUPLICATE, text="this event was accepted before")
        if self._closed:  # closed while the body was read
            return _CLOSED
        if not self._queue.offer(event):  # not remembered: accept it when it is delivered again
            return Answer(status=_UNAVAILABLE, text="too many waiting events", headers=_RETRY_LATER)
        self._seen[event.id] = None
        if len(self._seen) > self._remember:
            self._seen.popitem(last=False)
        return Answer(status=_ACCEPTED, text="accepted")

    async def _handle(self, event: WebhookEvent) -> None:
        try:
            await _call(self._on_event, event)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                if not self._closed:
                    log.warning("handling of webhook event %s (%s) was cancelled", event.id, event.type)
                raise
            await self._note_failure(event, error)  # something that on_event awaited was cancelled
        except Exception as error:  # noqa: BLE001  # an error of the handler must not stop the receiver
            await self._note_failure(event, error)
        else:
            self._succeeded += 1

    async def _note_failure(self, event: WebhookEvent, error: BaseException) -> None:
        self._failed += 1
        log.error("on_event failed for webhook event %s (%s)", event.id, event.type, exc_info=error)
        if self._on_error is None:
            return
        try:
            await _call(self._on_error, event, error)
        except Exception:
            log.exception("on_error failed for webhook event %s (%s)", event.id, event.type)


async def _call(function: Callable[..., object], *arguments: object) -> None:
    result = function(*arguments)
    if inspect.isawaitable(result):
        await result


def _checked_function(name: str, function: Callable[..., object]) -> Callable[..., object]:
    if not callable(function):
        raise InvalidArgument(f"{name} must be a function, got {type(function).__name__}")
    return function


def _checked_number(name: str, number: Any, *, minimum: int) -> int:
    if type(number) is not int or number < minimum:
        raise InvalidArgument(f"{name} must be an integer, {minimum} or more, got {number!r}")
    return number


def _checked_seconds(name: str, seconds: Any, *, above: float | None = None) -> float:
    if not (is_number(seconds) and seconds >= 0) or seconds == above:
        raise InvalidArgument(
            f"{name} must be {'0 or more' if above is None else 'a positive number of'} seconds, got {seconds!r}"
        )
    return float(seconds)
