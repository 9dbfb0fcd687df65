"""What stands behind a webhook's address: deliveries are checked and answered at once, and worked on afterwards."""

import asyncio
import inspect
import logging
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Self

from attrs import frozen

from ..errors import DecodeError, InvalidArgument, SignatureError
from ..models.events import WebhookEvent
from .answer import Answer
from .asgi import AsgiApp
from .backlog import Backlog
from .body import BodyRefused, read_body
from .reading import parse
from .signature import Body, Headers, Secret, secrets_of, verify_with

if TYPE_CHECKING:
    from .aiohttp_handler import Handler

__all__ = ["Receiver", "ReceiverStats"]

log: logging.Logger = logging.getLogger("circleci_async")

_ACCEPTED, _DUPLICATE, _TURNED_AWAY = 202, 200, 503
_AGAIN = {"Retry-After": "10"}


_CLOSED = Answer(status=_TURNED_AWAY, text="shutting down", headers=_AGAIN)


@frozen(kw_only=True)
class ReceiverStats:
    """What a receiver has seen so far, and what it has to do."""

    received: int
    """Requests of any kind."""
    accepted: int
    """Events that were taken on."""
    duplicates: int
    """Events that had been accepted before."""
    refused: int
    """Requests with a wrong signature, or with a body that is no event, too large or too slow."""
    turned_away: int
    """Events for which there was no room, or that came after the end; CircleCI delivers them again."""
    succeeded: int
    """Events that `on_event` has worked off."""
    failed: int
    """Events on which `on_event` raised."""
    lost: int
    """Accepted events that were given up at the end, or whose work was cancelled."""
    pending: int
    """Accepted events that wait or are being worked on."""


class Receiver:
    """Takes deliveries, answers them at once, and calls `on_event` for each event afterwards.

    `secret` is the webhook's signing secret, or several of them. `on_event` takes a `WebhookEvent`: an async function,
    or a plain one, which is called in the event loop and must not block it. What it raises is logged and counted, and
    given to `on_error` together with the event (an async or a plain function too).

    - `max_body`: bytes that a body may have.
    - `queue`: events that may wait. Beyond them the answer is 503, and CircleCI delivers again later.
    - `concurrency`: events that are worked on at the same time.
    - `remember`: ids of events by which duplicates are recognised; the oldest are forgotten first.
    - `read_timeout`: seconds in which a body must have come. CircleCI waits ten seconds for the answer.
    - `drain`: seconds that `aclose` waits for the work that is left.

    Use it as `async with`, or call `aclose` in the end. It belongs to one event loop and one process.
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
        read_timeout: float = 5.0,
        drain: float = 30.0,
        on_error: Callable[[WebhookEvent, BaseException], object] | None = None,
    ) -> None:
        self._secrets = secrets_of(secret)
        self._on_event = _checked_function("on_event", on_event)
        self._on_error = on_error if on_error is None else _checked_function("on_error", on_error)
        self._max_body = _checked_number("max_body", max_body, least=1)
        self._remember = _checked_number("remember", remember, least=0)
        self._read_timeout = _checked_seconds("read_timeout", read_timeout, above=0.0)
        self._drain = _checked_seconds("drain", drain)
        self._backlog = Backlog(
            self._handle,
            on_lost=lambda event: self._seen.pop(event.id, None),  # delivered again, it is to be taken again
            size=_checked_number("queue", queue, least=0),
            concurrency=_checked_number("concurrency", concurrency, least=1),
        )
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._closed = False
        self._answers = Counter[int]()
        """By their status."""
        self._received = self._succeeded = self._failed = self._lost = 0
        self._asgi = AsgiApp(self)

    def __repr__(self) -> str:
        return f"<Receiver: {len(self._backlog)} events pending{', closed' if self._closed else ''}>"

    async def receive(self, body: Body | AsyncIterable[bytes], headers: Headers) -> Answer:
        """Check a delivery, take its event on, and return what to answer; the work on the event comes afterwards.

        `body` are the raw bytes, or an async iterable of their chunks, which is read within the bounds; `headers` are
        the request's. The answer's status is 202 for an event that is accepted, 200 for one that was accepted before,
        400 for what is no event, 401 for a wrong signature, 408 for a body that comes too slowly, 413 for one that is
        too large, and 503 when there is no room or the receiver is closed.
        """
        self._received += 1
        try:
            answer = await self._judge(body, headers)
        except BodyRefused as error:
            answer = Answer(status=error.status, text=str(error))
        except SignatureError as error:
            answer = Answer(status=401, text=error.message)
        except DecodeError as error:  # its faults quote the body, and only their places are told
            places = "; ".join(
                fault.partition(", got ")[0] for fault in error.faults if not fault.startswith("not JSON")
            )
            answer = Answer(status=400, text=f"this is no event: {places or 'not JSON'}")
        self._answers[answer.status] += 1
        if answer.status not in {_ACCEPTED, _DUPLICATE}:
            log.warning("a webhook's delivery was answered with %d: %s", answer.status, answer.text)
        return answer

    async def aclose(self, drain: float | None = None) -> tuple[WebhookEvent, ...]:
        """Accept nothing more, work off what was accepted, and return the events that were given up.

        `drain` are the seconds that this may take (the receiver's own if None). What is still at work then is
        cancelled. What was given up is not remembered: delivered again, it is accepted again.
        """
        seconds = self._drain if drain is None else _checked_seconds("drain", drain)
        self._closed = True
        lost = await self._backlog.finish(seconds)
        self._lost += len(lost)
        if lost:
            log.warning("%d accepted webhook events were given up: %s", len(lost), ", ".join(e.id for e in lost[:20]))
        return tuple(lost)

    async def __aenter__(self) -> Self:
        self._closed = False  # it may be opened again, in another event loop too
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def stats(self) -> ReceiverStats:
        """What has been seen so far: a copy that does not change."""
        accepted, duplicates, turned_away = (self._answers[each] for each in (_ACCEPTED, _DUPLICATE, _TURNED_AWAY))
        return ReceiverStats(
            received=self._received,
            accepted=accepted,
            duplicates=duplicates,
            refused=self._answers.total() - accepted - duplicates - turned_away,
            turned_away=turned_away,
            succeeded=self._succeeded,
            failed=self._failed,
            lost=self._lost + len(self._backlog.lost),
            pending=len(self._backlog),
        )

    @property
    def aiohttp(self) -> "Handler":
        """The handler for aiohttp.web: `app.router.add_post("/hooks", receiver.aiohttp)`."""
        from .aiohttp_handler import handler_for

        return handler_for(self)

    def serve(self, host: str = "127.0.0.1", port: int = 0, *, path: str = "/") -> AbstractAsyncContextManager[str]:
        """Serve the receiver by itself: `async with receiver.serve(port=8080) as url`, which closes it in the end.

        Port 0 takes a free one; `url` is the address to deliver to. There is no TLS: CircleCI wants `https`, so that
        a proxy has to stand before it. Raises `InvalidArgument` for a path without its slash, `OSError` for a port that
        is taken.
        """
        from .aiohttp_handler import serve

        if not path.startswith("/"):
            raise InvalidArgument(f"path={path!r}: give one that begins with '/'")
        return serve(self, host, port, path)

    async def cleanup(self, app: object) -> AsyncGenerator[None]:
        """Close the receiver with an application of aiohttp.web: `app.cleanup_ctx.append(receiver.cleanup)`."""
        async with self:
            yield

    @property
    def asgi(self) -> AsgiApp:
        """An ASGI application: a route or a mount of FastAPI or Starlette, or served by itself."""
        return self._asgi

    async def _judge(self, body: Body | AsyncIterable[bytes], headers: Headers) -> Answer:
        if self._closed:
            return _CLOSED
        content = await read_body(body, most=self._max_body, timeout=self._read_timeout)
        verify_with(self._secrets, content, headers)
        return self._accept(parse(content))

    def _accept(self, event: WebhookEvent) -> Answer:
        """Take an event on, unless it is here. Nothing is awaited in between: of two at once, one is a duplicate."""
        if event.id in self._seen:
            return Answer(status=_DUPLICATE, text="this event has been accepted before")
        if self._closed:  # meanwhile
            return _CLOSED
        if not self._backlog.offer(event):  # and it is not remembered: it is to be delivered again
            return Answer(status=_TURNED_AWAY, text="too many events are waiting", headers=_AGAIN)
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
                    log.warning("the work on the webhook event %s (%s) was cancelled", event.id, event.type)
                raise
            await self._note_failure(event, error)  # of something that on_event had waited for
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not stop the receiver
            await self._note_failure(event, error)
        else:
            self._succeeded += 1

    async def _note_failure(self, event: WebhookEvent, error: BaseException) -> None:
        self._failed += 1
        log.error("on_event failed for the webhook event %s (%s)", event.id, event.type, exc_info=error)
        if self._on_error is None:
            return
        try:
            await _call(self._on_error, event, error)
        except Exception:
            log.exception("on_error failed for the webhook event %s (%s)", event.id, event.type)


async def _call(function: Callable[..., object], *arguments: object) -> None:
    result = function(*arguments)
    if inspect.isawaitable(result):
        await result


def _checked_function(name: str, function: Callable[..., object]) -> Callable[..., object]:
    if not callable(function):
        raise InvalidArgument(f"{name} is of type {type(function).__name__}: give a function")
    return function


def _checked_number(name: str, number: Any, *, least: int) -> int:
    if type(number) is not int or number < least:
        raise InvalidArgument(f"{name}={number!r}: give a whole number from {least}")
    return number


def _checked_seconds(name: str, seconds: Any, *, above: float | None = None) -> float:
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not seconds >= 0 or seconds == above:
        raise InvalidArgument(f"{name}={seconds!r}: give seconds, {'from' if above is None else 'above'} 0")
    return float(seconds)
