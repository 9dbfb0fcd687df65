"""The core: one call is token + gate + retry + decode, composed here and nowhere else."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..errors import ApiError, DecodeError, InvalidArgument, NotCreated, TransportError, api_error_type
from .attempts import Observation
from .encoding import Query, query_string, to_bytes
from .error_bodies import error_message, request_id
from .limiter import UNKNOWN, Quota, Slot, is_answer, read_quota, retry_after
from .paging import Page, Paged
from .request import Call, RequestOptions
from .state import ClientState
from .transport import Reply, Timeout

T = TypeVar("T")

log = logging.getLogger("circleci_async")

MOST_REDIRECTS = 10
CONNECT_WITHIN = 15.0
LARGE_BODY = 1024 * 1024
"""Bytes above which a body is decoded in a thread, so that the event loop goes on."""


class Stream:
    """An answer whose body is read in parts; it holds a slot of the gate until it is closed."""

    def __init__(self, reply: Reply, slot: Slot, core: ClientState, observation: Observation) -> None:
        self._reply = reply
        self._slot = slot
        self._core = core
        self._observation = observation
        self.status = reply.status
        self.headers = reply.headers
        self.length = reply.length

    async def read_some(self) -> bytes:
        """Read the bytes that have come, at least one; nothing at the end. Raises `TransportError` if it is cut."""
        try:
            part = await self._reply.read_some()
        except BaseException as error:
            self._observation.end(error)
            raise
        self._core.stats.received += len(part)
        return part

    def close(self) -> None:
        """Let go of the connection and the slot. Safe to repeat."""
        self._reply.close()
        self._slot.leave(answered=True)
        self._core.lifetime.closed(self)
        self._observation.end()


class Session:
    """Sends what the endpoint modules describe, and gives back models.

    The codec is imported with the first call: cattrs would make importing the client a tenth slower.
    """

    def __init__(self, core: ClientState, options: RequestOptions) -> None:
        self.state = core
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
        isolated_limit: bool = False,
    ) -> T:
        """Return the answer to one call as a `kind`. `path` hangs below `/api/v2` and is quoted already.

        `only`: the status that stands for success, where another 2xx says that nothing was done (`NotCreated`).
        `isolated_limit`: a 429 is about this call alone (so many an hour, say), and holds back no other.
        """
        from . import codec

        decode = partial(codec.decode, kind)
        return await self._fetch(decode, method, path, query, json, only=only, isolated_limit=isolated_limit)

    async def request_json(self, method: str, path: str, *, query: Query | None = None, json: Any = None) -> Any:
        """Return the answer to one call as parsed JSON, or None if it is empty."""
        from . import codec

        return await self._fetch(codec.loads, method, path, query, json)

    def paged(
        self,
        kind: type[T],
        path: str,
        *,
        query: Query | None = None,
        items_optional: bool = False,
        truncation_warning: str | None = None,
    ) -> Paged[T]:
        """Return the list below `path`; nothing is sent yet.

        `items_optional`: a response without `items` is an empty page. `truncation_warning`: the text of the
        `TruncatedListWarning` for a list that the server truncates: it repeats its one page.
        """

        async def fetch(token: str | None) -> Page[T]:
            from . import codec

            decode = partial(codec.decode_page, kind, items_optional=items_optional)
            items, following = await self._fetch(decode, "GET", path, {**(query or {}), "page-token": token}, None)
            return Page(items, following)

        return Paged(fetch, truncation_warning=truncation_warning)

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

    async def listed(self, kind: type[T], path: str, *, items_optional: bool = False) -> list[T]:
        """Return the list below `path`, which the API gives whole; `items_optional` is as in `paged`."""
        from . import codec

        items, _ = await self._fetch(
            partial(codec.decode_page, kind, items_optional=items_optional), "GET", path, None, None
        )
        return list(items)

    def api_url(self, path: str) -> str:
        """Return the address of a path: below `/api/v2`, or below the host if it begins with `/api/`."""
        return f"{self.state.api}{path}" if path.startswith("/api/") else f"{self.state.api}/api/v2{path}"

    def public_url(self, url: str) -> str:
        """Return an address without secrets, to be shown in errors and logs."""
        return self.state.transport.public(url)

    def redact(self, text: str) -> str:
        """Replace the token in a text from outside."""
        return self.state.transport.redact(text)

    def earn_retry(self) -> None:
        """Add to the client's retry budget, after a success."""
        self.state.budget.earn()

    def start_request(self, method: str, url: str) -> Call:
        """Return a request whose deadline starts now. Raises `ConfigurationError` if the client is closed."""
        return Call(self.state, self.options, method, url)

    async def open(self, call: Call, *, headers: Mapping[str, str], anonymous: bool = False) -> Stream:
        """Make one attempt to GET what a call is about, as a stream; raises as a call does, and retries nothing.

        `anonymous`: without the token, whatever the address.
        """
        slot = self.state.gate.slot(call.patience, is_call=False)
        await slot.enter()
        observation = call.observe()
        try:
            reply, redirected = await self._send(
                "GET",
                call.url,
                headers,
                None,
                self._stream_timeout,
                observation,
                anonymous=anonymous,
                is_call=False,
            )
            if reply.status >= 300:
                raise await self._error(reply, "GET", redirected=redirected)
        except BaseException as error:
            slot.leave(answered=is_answer(error))
            observation.end(error)
            raise
        stream = Stream(reply, slot, self.state, observation)
        self.state.lifetime.opened(stream)
        return stream

    async def _fetch(
        self,
        decode: Callable[..., T],
        method: str,
        path: str,
        query: Query | None,
        json: Any,
        *,
        only: int | None = None,
        isolated_limit: bool = False,
    ) -> T:
        url = self.api_url(path) + query_string(query or {})
        headers = {"Accept": "application/json"}
        content = None
        if json is not None:
            content = to_bytes(json)
            headers["Content-Type"] = "application/json"
        call = Call(self.state, self.options, method, url, isolated_limit=isolated_limit, sent=len(content or b""))

        async def attempt() -> bytes:
            async with self.state.gate.slot(call.patience):
                with call.observe() as observation:
                    reply, redirected = await self._send(
                        method, url, headers, content, self._call_timeout, observation, isolated_limit=isolated_limit
                    )
                    try:
                        if reply.status >= 300 or only not in {None, reply.status}:
                            raise await self._error(reply, method, redirected=redirected)
                        return await reply.read()
                    finally:
                        self.state.stats.received += reply.received
                        reply.close()

        try:
            answer = await call.run(attempt)
        except NotCreated as refusal:
            answer = refusal.body.encode()
            try:  # it may have been created all the same
                return decode(answer, method=method, url=url)
            except DecodeError:
                raise refusal from None
        self.state.budget.earn()
        try:
            if len(answer) > LARGE_BODY:
                return await asyncio.to_thread(decode, answer, method=method, url=url)
            return decode(answer, method=method, url=url)
        except DecodeError as fault:
            transport = self.state.transport
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
        observation: Observation,
        *,
        anonymous: bool = False,
        isolated_limit: bool = False,
        is_call: bool = True,
    ) -> tuple[Reply, bool]:
        """Send, following the redirects of a GET; say whether the answer is another origin's.

        A token that is refused is replaced, once, if there is another one by then.
        """
        redirects = 0
        redirected = False
        replaced = False
        while True:
            began = time.perf_counter() if log.isEnabledFor(logging.DEBUG) else None
            self.state.stats.requests += 1
            self.state.stats.sent += len(body or b"")
            reply = await self.state.transport.send(
                method, url, headers=headers, body=body, timeout=timeout, anonymous=anonymous
            )
            if began is not None:
                elapsed = (time.perf_counter() - began) * 1000
                log.debug("%s %s: %d in %.0f ms", method, urlsplit(url).path, reply.status, elapsed)
            observation.answered(reply)
            self._heed(reply, isolated_limit=isolated_limit, is_call=is_call)
            if reply.status == 401 and not replaced and await self._has_another_token(reply):
                replaced = True
                continue
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
            raise ApiError(reply.status, problem, method=method, url=self.state.transport.public(url))

    async def _has_another_token(self, reply: Reply) -> bool:
        """Say whether there is another token now than the one that was refused; if so, do without the refusal."""
        try:
            has_another = await self.state.transport.has_another_token(reply)
        except asyncio.CancelledError:
            reply.close()
            raise
        if has_another:
            await reply.drop()
        return has_another

    def _heed(self, reply: Reply, *, isolated_limit: bool, is_call: bool) -> None:
        """Close the gate if the server says that it has had enough, of all calls; or tell it what is left."""
        limited = reply.status == 429
        self.state.stats.rate_limited += limited
        if isolated_limit:
            return
        quota = Quota(_asked_wait(reply), None) if limited else read_quota(reply.headers, limited=False)
        if quota != UNKNOWN and not self.state.transport.trusts(reply.url):  # a storage's limits are not the API's
            return
        if quota.wait:
            self.state.gate.close_for(quota.wait, refused=limited)
        elif is_call and not limited:
            self.state.gate.make_room(quota.remaining if quota.remaining and quota.remaining > 0 else math.inf)

    async def _error(self, reply: Reply, method: str, *, redirected: bool) -> ApiError:
        """Return the error that an answer is."""
        try:
            async with asyncio.timeout(self.options.timeout):
                body = await reply.read()
        except (TransportError, TimeoutError):  # an error without its text is still that error
            body = b""
        finally:
            reply.close()
        redact = self.state.transport.redact
        text = redact(body.decode("utf-8-sig", "replace"))
        message = error_message(reply.status, text)
        if target := reply.redirect:
            message = f"unexpected redirect to {self.state.transport.public(target.url)}"
        error = api_error_type(reply.status)(
            reply.status,
            message,
            method=method,
            url=self.state.transport.public(reply.url),
            request_id=request_id(reply.headers),
            body=text,
            retry_after=_asked_wait(reply),
        )
        error.redirected = redirected
        return error


def _asked_wait(reply: Reply) -> float | None:
    asked = retry_after(reply.headers, now=time.time())
    return read_quota(reply.headers, limited=True).wait if asked is None and reply.status == 429 else asked
