"""The core: one call is token + gate + retry + decode, composed here and nowhere else."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from attrs import frozen

from .encoding import Query, query_string, to_bytes
from .error_bodies import error_message, request_id
from .errors import (
    ApiError,
    CircleCIError,
    DecodeError,
    DownloadError,
    InvalidArgument,
    NotCreated,
    RateLimited,
    RequestTimeout,
    TransportError,
    api_error_type,
)
from .paging import Page, Paged
from .retry import Budget, RetryPolicy, may_retry, retrying
from .stats import Stats
from .throttle import Gate, Patience, Slot, is_answer, read_quota, retry_after
from .transport import Reply, Timeout, Transport

T = TypeVar("T")

log = logging.getLogger("circleci_async")

MOST_REDIRECTS = 10
CONNECT_WITHIN = 15.0
LARGE_BODY = 1024 * 1024
"""Bytes above which a body is decoded in a thread, so that the event loop goes on."""


@frozen
class Options:
    """What may differ from call to call."""

    timeout: float
    """Seconds for one attempt."""
    retry: RetryPolicy

    def __attrs_post_init__(self) -> None:
        try:
            is_time = 0 < self.timeout < math.inf
        except TypeError:
            is_time = False
        if not is_time:
            raise InvalidArgument(f"timeout={self.timeout!r}: give a number of seconds above 0")


class Core(NamedTuple):
    """What all calls of a client share."""

    api: str
    """The root of the API, such as `https://circleci.com`; all paths hang below it."""
    transport: Transport
    gate: Gate
    budget: Budget
    stats: Stats


class Call:
    """One call: its deadline, and the retries until then."""

    def __init__(self, session: "Session", method: str, url: str, *, own_limit: bool = False) -> None:
        self._session = session
        self._method = method
        self._url = url
        self._own_limit = own_limit
        policy = session.options.retry
        self.until = asyncio.get_running_loop().time() + policy.deadline if policy.deadline else None
        self.patience = Patience(policy.longest_wait, self.until)

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Run `attempt`, again and again as the retry policy allows; raises `RequestTimeout` at the deadline."""
        if self.until is None:
            return await self._retry(attempt)
        deadline = asyncio.timeout_at(self.until)
        try:
            async with deadline:
                return await self._retry(attempt)
        except TimeoutError:
            if not deadline.expired():
                raise
        seconds = self._session.options.retry.deadline
        url = self._session.core.transport.public(self._url)
        raise RequestTimeout(f"not done within the deadline of {seconds:g} s", method=self._method, url=url)

    async def _retry(self, attempt: Callable[[], Awaitable[T]]) -> T:
        try:
            return await retrying(
                attempt,
                policy=self._session.options.retry,
                budget=self._session.core.budget,
                again=self._again,
                remaining=self._remaining,
                is_held=self._is_held,
                on_wait=self._on_wait,
            )
        except RateLimited as error:
            if not error.method:  # the gate's own, which knows of no request
                error.method, error.url = self._method, self._session.core.transport.public(self._url)
            raise

    def _again(self, error: Exception) -> bool:
        # The storage that an artifact's address redirects to answers so when the signature has expired.
        expired = isinstance(error, ApiError) and error.redirected and error.status in {400, 403}
        return expired or (may_retry(error, self._method) and not isinstance(error, DownloadError))

    def _is_held(self, error: CircleCIError) -> bool:
        # It waits there, where its turn is kept: those who came later would be let out before it woke up here.
        return isinstance(error, RateLimited) and not self._own_limit and self._session.core.gate.is_closed

    def _remaining(self) -> float | None:
        return None if self.until is None else self.until - asyncio.get_running_loop().time()

    def _on_wait(self, error: CircleCIError, seconds: float, attempts: int) -> None:
        core = self._session.core
        core.stats.retries += 1
        if isinstance(error, RateLimited) and not error.retry_after and not self._own_limit:
            core.gate.close_for(seconds, refused=True)  # the server did not say for how long
        path = urlsplit(self._url).path
        failure = f"status {error.status}" if isinstance(error, ApiError) else error.message
        wait = seconds or getattr(error, "retry_after", None) or 0.0
        log.info("%s %s: attempt %d failed (%s), next in %.2f s", self._method, path, attempts, failure, wait)


class Stream:
    """An answer whose body is read in parts; it holds a slot of the gate until it is closed."""

    def __init__(self, reply: Reply, slot: Slot, stats: Stats) -> None:
        self._reply = reply
        self._slot = slot
        self._stats = stats
        self.status = reply.status
        self.headers = reply.headers
        self.length = reply.length

    async def read_some(self) -> bytes:
        """Read the bytes that have come, at least one; nothing at the end. Raises `TransportError` if it is cut."""
        part = await self._reply.read_some()
        self._stats.received += len(part)
        return part

    def close(self) -> None:
        """Let go of the connection and the slot. Safe to repeat."""
        self._reply.close()
        self._slot.leave(answered=True)


class Session:
    """Sends what the endpoint modules describe, and gives back models.

    The codec is imported with the first call: cattrs would make importing the client a tenth slower.
    """

    def __init__(self, core: Core, options: Options) -> None:
        self.core = core
        self.options = options
        seconds = options.timeout
        connect = min(CONNECT_WITHIN, seconds)
        self._call_timeout = Timeout(total=seconds, sock_connect=connect)
        self._stream_timeout = Timeout(total=None, connect=connect, sock_connect=connect, sock_read=seconds)

    async def request(
        self,
        kind: type[T],
        method: str,
        path: str,
        *,
        query: Query | None = None,
        json: Any = None,
        only: int | None = None,
        own_limit: bool = False,
    ) -> T:
        """Return the answer to one call as a `kind`. `path` hangs below `/api/v2` and is quoted already.

        `only`: the status that stands for success, where another 2xx says that nothing was done (`NotCreated`).
        `own_limit`: a 429 is about this call alone (so many an hour, say), and holds back no other.
        """
        from . import codec

        decode = partial(codec.decode, kind)
        return await self._fetch(decode, method, path, query, json, only=only, own_limit=own_limit)

    async def request_json(self, method: str, path: str, *, query: Query | None = None, json: Any = None) -> Any:
        """Return the answer to one call as parsed JSON, or None if it is empty."""
        from . import codec

        return await self._fetch(codec.loads, method, path, query, json)

    def paged(
        self, kind: type[T], path: str, *, query: Query | None = None, sparse: bool = False, cut: str | None = None
    ) -> Paged[T]:
        """Return the list below `path`; nothing is sent yet.

        `sparse`: an answer without `items` is an empty page. `cut`: what is missing where the server repeats a page for
        ever, since it gives no more than one; said in a `ListCut` warning.
        """

        async def fetch(token: str | None) -> Page[T]:
            from . import codec

            decode = partial(codec.decode_page, kind, sparse=sparse)
            items, following = await self._fetch(decode, "GET", path, {**(query or {}), "page-token": token}, None)
            return Page(items, following)

        return Paged(fetch, cut=cut)

    def paged_by_offset(self, kind: type[T], path: str, *, query: Query | None = None) -> Paged[T]:
        """Return the list below `path`, whose pages are asked for by the number of items before them, to an empty one.

        The page token is that number, as text.
        """

        async def fetch(token: str | None) -> Page[T]:
            if token is not None and not token.isdecimal():
                raise InvalidArgument(f"start={token!r}: give a page token of this list, which is a number")
            items = await self.request(list[kind], "GET", path, query={**(query or {}), "offset": token})  # type: ignore[valid-type]  # `kind` is known at run time
            return Page(tuple(items), str(int(token or 0) + len(items)) if items else None)

        return Paged(fetch)

    async def listed(self, kind: type[T], path: str, *, sparse: bool = False) -> list[T]:
        """Return the list below `path`, which the API gives whole; `sparse` is as in `paged`."""
        from . import codec

        items, _ = await self._fetch(partial(codec.decode_page, kind, sparse=sparse), "GET", path, None, None)
        return list(items)

    def call(self, method: str, url: str) -> Call:
        """Begin a call: its deadline runs from now."""
        return Call(self, method, url)

    async def open(
        self, url: str, *, headers: Mapping[str, str], patience: Patience, anonymous: bool = False
    ) -> Stream:
        """Make one attempt to GET any address, as a stream; raises as a call does, and retries nothing.

        `anonymous`: without the token, whatever the address.
        """
        slot = self.core.gate.slot(patience, is_call=False)
        await slot.enter()
        try:
            reply, redirected = await self._send(
                "GET", url, headers, None, self._stream_timeout, anonymous=anonymous, is_call=False
            )
            if reply.status >= 300:
                raise await self._error(reply, "GET", redirected=redirected)
        except BaseException as error:
            slot.leave(answered=is_answer(error))
            raise
        return Stream(reply, slot, self.core.stats)

    async def _fetch(
        self,
        decode: Callable[..., T],
        method: str,
        path: str,
        query: Query | None,
        json: Any,
        *,
        only: int | None = None,
        own_limit: bool = False,
    ) -> T:
        base = self.core.api if path.startswith("/api/") else f"{self.core.api}/api/v2"
        url = f"{base}{path}{query_string(query or {})}"
        headers = {"Accept": "application/json"}
        content = None
        if json is not None:
            content = to_bytes(json)
            headers["Content-Type"] = "application/json"
        call = Call(self, method, url, own_limit=own_limit)

        async def attempt() -> bytes:
            async with self.core.gate.slot(call.patience):
                reply, redirected = await self._send(
                    method, url, headers, content, self._call_timeout, own_limit=own_limit
                )
                try:
                    if reply.status >= 300 or only not in {None, reply.status}:
                        raise await self._error(reply, method, redirected=redirected)
                    return await reply.read()
                finally:
                    self.core.stats.received += reply.received
                    reply.close()

        try:
            answer = await call.run(attempt)
        except NotCreated as refusal:
            answer = refusal.body.encode()
            try:  # it may have been created all the same
                return decode(answer, method=method, url=url)
            except DecodeError:
                raise refusal from None
        self.core.budget.earn()
        try:
            if len(answer) > LARGE_BODY:
                return await asyncio.to_thread(decode, answer, method=method, url=url)
            return decode(answer, method=method, url=url)
        except DecodeError as fault:
            transport = self.core.transport
            faults = tuple(map(transport.redact, fault.faults))
            error = DecodeError(faults, method=method, url=transport.public(url), body=transport.redact(fault.body))
        finally:
            del answer  # a traceback that shows local variables must not show a token that came back
        raise error

    async def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout: Timeout,
        *,
        anonymous: bool = False,
        own_limit: bool = False,
        is_call: bool = True,
    ) -> tuple[Reply, bool]:
        """Send, following the redirects of a GET; say whether the answer is another origin's."""
        redirects = 0
        redirected = False
        while True:
            began = time.perf_counter() if log.isEnabledFor(logging.DEBUG) else None
            self.core.stats.requests += 1
            reply = await self.core.transport.send(
                method, url, headers=headers, body=body, timeout=timeout, anonymous=anonymous
            )
            if began is not None:
                elapsed = (time.perf_counter() - began) * 1000
                log.debug("%s %s: %d in %.0f ms", method, urlsplit(url).path, reply.status, elapsed)
            self._heed(reply, own_limit=own_limit, is_call=is_call)
            target = reply.redirect
            if target is None or method not in {"GET", "HEAD"}:
                return reply, redirected
            await reply.drop()
            redirects += 1
            if target.bares:
                problem = "refused to follow a redirect from https to http"
            elif redirects > MOST_REDIRECTS:
                problem = f"more than {MOST_REDIRECTS} redirects"
            else:
                redirected = redirected or target.leaves
                url = target.url
                continue
            raise ApiError(reply.status, problem, method=method, url=self.core.transport.public(url))

    def _heed(self, reply: Reply, *, own_limit: bool, is_call: bool) -> None:
        """Close the gate if the server says that it has had enough, of all calls; or tell it what is left."""
        limited = reply.status == 429
        self.core.stats.rate_limited += limited
        if own_limit:
            return
        if limited:
            wait, remaining = _asked_wait(reply), None
        else:
            wait, remaining = read_quota(reply.headers, limited=False)
        if not (limited or self.core.transport.trusts(reply.url)):  # a storage's quotas are not ours
            return
        if wait:
            self.core.gate.close_for(wait, refused=limited)
        elif remaining and remaining > 0 and is_call:
            self.core.gate.make_room(remaining)

    async def _error(self, reply: Reply, method: str, *, redirected: bool) -> ApiError:
        """Return the error that an answer is."""
        try:
            async with asyncio.timeout(self.options.timeout):
                body = await reply.read()
        except (TransportError, TimeoutError):  # an error without its text is still that error
            body = b""
        finally:
            reply.close()
        redact = self.core.transport.redact
        text = redact(body.decode("utf-8-sig", "replace"))
        message = error_message(reply.status, text)
        if target := reply.redirect:
            message = f"unexpected redirect to {self.core.transport.public(target.url)}"
        error = api_error_type(reply.status)(
            reply.status,
            message,
            method=method,
            url=self.core.transport.public(reply.url),
            request_id=request_id(reply.headers),
            body=text,
            retry_after=_asked_wait(reply),
        )
        error.redirected = redirected
        return error


def _asked_wait(reply: Reply) -> float | None:
    asked = retry_after(reply.headers, now=time.time())
    return read_quota(reply.headers, limited=True).wait if asked is None and reply.status == 429 else asked
