"""Delivers events to webhooks while a server runs."""

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
from ..state.webhooks import Delivery, Event, Webhook
from ..state.world import World

_POLL_INTERVAL = 0.05  # seconds between checks of a clock that differs from the event loop's


class Deliverer:
    """Sends each webhook its events one at a time, in order.

    An event that was not accepted within `timeout` seconds is sent again after each of the delays in `retries`, without
    blocking later events. No task runs while there is nothing to wait for.
    """

    def __init__(self, world: World, engine: Engine, *, timeout: float, retries: Sequence[float]) -> None:
        self._world = world
        self._engine = engine
        self._timeout = timeout
        self._retries = tuple(retries)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._http: aiohttp.ClientSession | None = None
        self._notified = asyncio.Event()
        self._timer: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._sending: set[str] = set()
        self._is_notified = False

    def start(self) -> None:
        """Start delivery, with the events that are waiting from an earlier run."""
        self._loop = asyncio.get_running_loop()
        self._notified = asyncio.Event()
        self._is_notified = False
        self._world.listeners.append(self._notify)
        self._start_due()

    async def close(self) -> None:
        """Stop delivery. Unsent events wait for the next start; retries are dropped."""
        if self._loop is None:
            return
        self._loop = None
        self._world.listeners.remove(self._notify)
        tasks = [*self._tasks, *((self._timer,) if self._timer else ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._timer = None
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def delivered(self) -> None:
        """Wait until all current events were delivered, or failed after all retries."""
        self._engine.advance()
        self._start_due()
        while self._tasks:
            await asyncio.wait(self._tasks)
            self._start_due()

    def _notify(self) -> None:
        """Schedule a check for events. Thread-safe."""
        if self._loop is not None and not self._is_notified and not self._loop.is_closed():
            self._is_notified = True
            self._loop.call_soon_threadsafe(self._start_due)

    def _start_due(self) -> None:
        self._is_notified = False
        if self._loop is None:
            return  # closed before the callback ran
        webhooks = [webhook for project in self._world.projects.values() for webhook in project.webhooks.values()]
        for webhook in webhooks:
            if webhook.waiting and webhook.id not in self._sending:
                self._sending.add(webhook.id)
                self._begin(self._send_all(webhook))
        self._notified.set()
        if webhooks and self._engine.next_observable and (self._timer is None or self._timer.done()):
            self._timer = self._loop.create_task(self._advance_in_time())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _advance_in_time(self) -> None:
        """Advance the engine at the time of each change.

        The world's clock may follow the event loop's, or stand still and jump: the loop sleeps until the next change
        only if the clock advanced during the last sleep, and polls the clock otherwise.
        """
        loop, clock = asyncio.get_running_loop(), self._world.clock
        is_in_step = False
        while (due := self._engine.next_observable) is not None:
            start, before = loop.time(), clock()
            delay = max(0.0, (due - before).total_seconds())
            self._notified.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay if is_in_step else min(delay, _POLL_INTERVAL)):
                    await self._notified.wait()
            is_in_step = clock() - before >= timedelta(seconds=0.9 * (loop.time() - start))
            self._engine.advance()

    async def _send_all(self, webhook: Webhook) -> None:
        try:
            while webhook.waiting and self._exists(webhook):
                event = webhook.waiting.popleft()
                if not await self._attempt(webhook, event, 1):
                    self._begin(self._retry(webhook, event))
        finally:
            self._sending.discard(webhook.id)

    async def _retry(self, webhook: Webhook, event: Event) -> None:
        for number, delay in enumerate(self._retries, 2):
            await asyncio.sleep(delay)
            if not self._exists(webhook) or await self._attempt(webhook, event, number):
                return

    async def _attempt(self, webhook: Webhook, event: Event, number: int) -> bool:
        """Send an event, and its duplicates if it was accepted. Return False if it must be retried."""
        if not (webhook.by_hand or _is_local(webhook.url)):
            error = "not sent: a webhook created by an API call must have a URL on this machine"
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

    def _exists(self, webhook: Webhook) -> bool:
        return any(webhook.id in project.webhooks for project in self._world.projects.values())

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    force_close=True
                ),  # an idle connection would delay a receiver that shuts down
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


def _is_local(url: str) -> bool:
    """Return whether a URL is on this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
