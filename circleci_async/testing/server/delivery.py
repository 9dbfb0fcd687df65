"""Delivering events to webhooks, while a server runs."""

import asyncio
import contextlib
import hashlib
import hmac
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from ..state.engine import Engine
from ..state.events import Event
from ..state.webhooks import Delivery, Webhook
from ..state.world import World

_LOOK = 0.05  # seconds between looks at a clock that does not go with the event loop's


class Deliverer:
    """Sends each webhook its events one after the other, in the order in which they happened.

    What was not accepted within `timeout` seconds is sent again after each of the seconds of `retries`, while what
    comes later goes on. It has no task while there is nothing to wait for.
    """

    def __init__(self, world: World, engine: Engine, *, timeout: float, retries: Sequence[float]) -> None:
        self._world = world
        self._engine = engine
        self._timeout = timeout
        self._retries = tuple(retries)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._http: aiohttp.ClientSession | None = None
        self._woken = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self._at_work: set[asyncio.Task[None]] = set()
        self._sending: set[str] = set()
        self._is_woken = False

    def start(self) -> None:
        """Begin to deliver; what waited from an earlier run comes first."""
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._is_woken = False
        self._world.deliverers.append(self._wake)
        self._go_on()

    async def close(self) -> None:
        """Stop; what was not sent yet waits for the next start, what was to be sent again is given up."""
        if self._loop is None:
            return
        self._loop = None
        self._world.deliverers.remove(self._wake)
        tasks = [*self._at_work, *((self._watch,) if self._watch else ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._watch = None
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def delivered(self) -> None:
        """Wait until all that has happened by now has been delivered or given up."""
        self._engine.settle()
        self._go_on()
        while self._at_work:
            await asyncio.wait(self._at_work)
            self._go_on()

    def _wake(self) -> None:
        """Look for work soon; this may be called from any thread."""
        if self._loop is not None and not self._is_woken and not self._loop.is_closed():
            self._is_woken = True
            self._loop.call_soon_threadsafe(self._go_on)

    def _go_on(self) -> None:
        self._is_woken = False
        if self._loop is None:
            return  # closed in the meantime
        webhooks = [webhook for project in self._world.projects.values() for webhook in project.webhooks.values()]
        for webhook in webhooks:
            if webhook.waiting and webhook.id not in self._sending:
                self._sending.add(webhook.id)
                self._begin(self._send_all(webhook))
        self._woken.set()
        if webhooks and self._engine.next_notable and (self._watch is None or self._watch.done()):
            self._watch = self._loop.create_task(self._keep_watch())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)

    async def _keep_watch(self) -> None:
        """Make happen what is due, when it is due.

        The world's clock may be the event loop's, or stand still for hours and jump: how far it went in the last sleep
        tells whether it can be slept through the next one.
        """
        loop, clock = asyncio.get_running_loop(), self._world.clock
        in_step = False
        while (due := self._engine.next_notable) is not None:
            begin, before = loop.time(), clock()
            pause = max(0.0, (due - before).total_seconds())
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause if in_step else min(pause, _LOOK)):
                    await self._woken.wait()
            in_step = clock() - before >= timedelta(seconds=0.9 * (loop.time() - begin))
            self._engine.settle()

    async def _send_all(self, webhook: Webhook) -> None:
        try:
            while webhook.waiting and _is_there(webhook):
                event = webhook.waiting.popleft()
                if not await self._attempt(webhook, event, 1):
                    self._begin(self._try_again(webhook, event))
        finally:
            self._sending.discard(webhook.id)

    async def _try_again(self, webhook: Webhook, event: Event) -> None:
        for number, pause in enumerate(self._retries, 2):
            await asyncio.sleep(pause)
            if not _is_there(webhook) or await self._attempt(webhook, event, number):
                return

    async def _attempt(self, webhook: Webhook, event: Event, number: int) -> bool:
        """Send an event, and its duplicates if it was accepted; tell whether nothing more is to be done."""
        if not (webhook.by_hand or _is_near(webhook.url)):
            error = "not sent: this webhook was made by a call, and leads to another machine"
            self._record(webhook, event, number, _headers(webhook, event), None, error)
            return True
        accepted = await self._post(webhook, event, number)
        for _ in range(webhook.duplicates if accepted else 0):
            await self._post(webhook, event, number, duplicate=True)
        return accepted

    async def _post(self, webhook: Webhook, event: Event, number: int, *, duplicate: bool = False) -> bool:
        headers = _headers(webhook, event)
        status = error = None
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._session().post(
                    webhook.url, data=event.body, headers=headers, ssl=webhook.verify_tls, allow_redirects=False
                ) as answer,
            ):
                status = answer.status
        except TimeoutError:
            error = f"no answer within {self._timeout:g} s"
        except (aiohttp.ClientError, OSError) as failure:
            error = f"{type(failure).__name__}: {failure}"
        return self._record(webhook, event, number, headers, status, error, duplicate=duplicate).accepted

    def _record(
        self,
        webhook: Webhook,
        event: Event,
        number: int,
        headers: dict[str, str],
        status: int | None,
        error: str | None,
        *,
        duplicate: bool = False,
    ) -> Delivery:
        delivery = Delivery(
            event.id, event.type, number, status, error, duplicate, self._world.clock(), event.body, headers
        )
        webhook.deliveries.append(delivery)
        return delivery

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True),  # a receiver that closes is not held up
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._http


def _headers(webhook: Webhook, event: Event) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "CircleCI-Webhook/1.0",
        "circleci-event-type": event.type,
    }
    if webhook.signing_secret:
        signature = hmac.digest(webhook.signing_secret.encode(), event.body, hashlib.sha256).hex()
        headers["circleci-signature"] = f"v1={signature}"
    return headers


def _is_there(webhook: Webhook) -> bool:
    return webhook.id in webhook.project.webhooks


def _is_near(url: str) -> bool:
    """Tell whether an address leads to this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
