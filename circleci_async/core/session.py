"""One call: request, limiter, transport and codec, composed here."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import cache, partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..config.log import log
from ..config.redacted import NotPicklable, Redacted
from ..errors import (
    ApiError,
    DecodeError,
    InvalidArgument,
    NotCreated,
    RequestTimeout,
    TransportError,
    api_error_type,
)
from ..untrusted_text import shown
from .attempts import OnAttempt
from .deletion import is_deleted
from .encoding import Query, checked_headers, checked_method, query_string, split_query, to_bytes
from .error_bodies import MAX_BODY, MAX_READ, error_message, kept_text, request_id
from .json_parts import MAX_AT_ONCE
from .limiter import Permit
from .paging import IfTruncated, Page, Paged
from .rate_limit import UNKNOWN
from .redirects import Redirects
from .request import Request, RequestOptions
from .response import Response
from .retry import RetryPolicy
from .signed_urls import redact_query
from .state import ClientState
from .stream import Stream
from .time_limit import within
from .transport import Timeout
from .unreachable import no_answer

T = TypeVar("T")

MAX_CONNECT_TIMEOUT = 15.0

_JSON_BODY = {"Content-Type": "application/json"}


@cache
def _decoder(kind: Any) -> Callable[..., Any]:
    from .codec import decode

    return partial(decode, kind)


class Session(NotPicklable):
    """Sends requests with one set of options, and decodes the responses.

    The codec is imported with the first call: importing cattrs with the client would slow that import by a tenth.
    """

    def __init__(self, state: ClientState, options: RequestOptions) -> None:
        self.state: ClientState = state
        self.options: RequestOptions = options
        self.requests: int = 0
        """HTTP requests that this session sent, counted as `Stats.requests`, which counts those of all sessions."""
        connect = min(MAX_CONNECT_TIMEOUT, options.timeout)
        self._call_timeout = Timeout(total=options.timeout, sock_connect=connect)
        self._stream_timeout = Timeout(total=None, connect=connect, sock_connect=connect, sock_read=options.timeout)

    def with_options(
        self, *, timeout: float | None = None, retry: RetryPolicy | None = None, on_attempt: OnAttempt | None = None
    ) -> "Session":
        """Return a session of the same client with other options; None keeps the current one."""
        now = self.options
        options = RequestOptions(
            now.timeout if timeout is None else timeout,
            now.retry if retry is None else retry,
            now.on_attempt if on_attempt is None else on_attempt,
            now.min_speed,
        )
        return Session(self.state, options)

    def request(
        self,
        kind: type[T],
        method: str,
        path: str,
        *,
        query: Query | None = None,
        json: Any = None,
        expect_status: int | None = None,
        isolated_limit: bool = False,
    ) -> Coroutine[Any, Any, T]:
        """Return the response to one request as a `kind`.

        `path` is quoted, and below `/api/v2` unless it starts with `/api/`.
        `expect_status`: the only status that means success; another 2xx raises `NotCreated`.
        `isolated_limit`: a 429 concerns this call alone, which has its own quota, and pauses no other.
        """
        body = None if json is None else Redacted(json)
        return self._fetch(
            _decoder(kind),  # type: ignore[arg-type]  # mypy does not see that a class is hashable
            method,
            path,
            query,
            body,
            expect_status=expect_status,
            isolated_limit=isolated_limit,
        )

    def request_json(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        json: Redacted[Any] | None = None,
        headers: Redacted[Mapping[str, str]] | None = None,
    ) -> Coroutine[Any, Any, Any]:
        """Return the response to any request as parsed JSON, or None if it is empty.

        `path` is checked and may contain a query, to which `query` adds. `headers` are sent to the API only. Raises
        `InvalidArgument`.
        """
        from .codec import loads

        path, query = split_query(path, query)
        extra = checked_headers(headers) if headers is not None else None
        return self._fetch(loads, checked_method(method), path, query, json, extra_headers=extra)

    def paged_json(self, path: str, *, query: Query | None = None) -> Paged[dict[str, Any]]:
        """Return any list as plain data. `path` is checked and may contain a query. Raises `InvalidArgument`."""
        path, query = split_query(path, query)
        if "page-token" in query:
            raise InvalidArgument("query must not contain 'page-token': pass the token to `.pages(start=...)`")
        return self.paged(dict[str, Any], path, query=query)

    def paged(
        self,
        kind: type[T],
        path: str,
        *,
        query: Query | None = None,
        items_optional: bool = False,
        truncation_warning: str | None = None,
        if_truncated: IfTruncated = "warn",
    ) -> Paged[T]:
        """Return the list at `path`. Nothing is sent yet.

        `items_optional`: a response without `items` is an empty page. `truncation_warning`: the text of the
        `TruncatedListWarning` for a list that the server truncates: it repeats its one page. `if_truncated`: what the
        iteration does then.
        """

        async def fetch(token: str | None) -> Page[T]:
            from .codec import decode_page

            decode = partial(decode_page, kind, items_optional=items_optional)
            items, next_token = await self._fetch(decode, "GET", path, {**(query or {}), "page-token": token})
            return Page(items, next_token)

        return Paged(fetch, truncation_warning=truncation_warning, if_truncated=if_truncated, redact=self.redact)

    def paged_by_offset(self, kind: type[T], path: str, *, query: Query | None = None) -> Paged[T]:
        """Return the list at `path`, whose pages are requested by offset until one is empty.

        The page token is the offset as text.
        """

        async def fetch(token: str | None) -> Page[T]:
            if token is not None and not token.isdecimal():
                raise InvalidArgument(f"start must be a page token of this list, which is a number, got {token!r}")
            items = await self.request(list[kind], "GET", path, query={**(query or {}), "offset": token})  # type: ignore[valid-type]  # `kind` is known at run time
            return Page(tuple(items), str(int(token or 0) + len(items)) if items else None)

        return Paged(fetch)

    async def listed(self, kind: type[T], path: str, *, items_optional: bool = False) -> list[T]:
        """Return the list at `path`, which the API returns in one page. `items_optional` is as in `paged`."""
        from .codec import decode_page

        items, _ = await self._fetch(partial(decode_page, kind, items_optional=items_optional), "GET", path)
        return list(items)

    def start_request(self, method: str, url: Redacted[str]) -> Request:
        """Return a request whose deadline starts now. Raises `ConfigurationError` if the client is closed."""
        return Request(self.state, self.options, method, url)

    async def open(self, request: Request, *, headers: Mapping[str, str], anonymous: bool = False) -> Stream:
        """Make one attempt of a GET request and return the body as a stream. Raises as every call; retries nothing.

        `anonymous`: never send the token.
        """
        stream = await self._open(
            request,
            headers,
            self._stream_timeout,
            headers_timeout=self.options.timeout,
            counted=False,
            anonymous=anonymous,
        )
        request.answered()
        if request.recorder is not None:
            request.recorder.received(stream.response, None)
        stream.register()
        return stream

    def api_url(self, path: str) -> str:
        """Return the address of a path: below `/api/v2`, or below the host if it begins with `/api/`."""
        return f"{self.state.api}{path}" if path.startswith("/api/") else f"{self.state.api}/api/v2{path}"

    def public_url(self, url: str) -> str:
        """Return an address without secrets, for errors and logs."""
        return self.state.credentials.public_url(url)

    def redact(self, text: str) -> str:
        """Replace the token in a text of the server."""
        return self.state.credentials.redact(text)

    def earn_retry(self) -> None:
        """Add to the client's retry budget, after a success."""
        self.state.retry_budget.earn()

    async def _fetch(
        self,
        decode: Callable[..., T],
        method: str,
        path: str,
        query: Query | None = None,
        json: Redacted[Any] | None = None,
        *,
        expect_status: int | None = None,
        isolated_limit: bool = False,
        extra_headers: Redacted[Mapping[str, str]] | None = None,
    ) -> T:
        """Send one request, with retries, and decode the response."""
        url = self.api_url(path) + (query_string(query) if query else "")
        headers, body = (None, None) if json is None else (_JSON_BODY, to_bytes(json))
        request = Request(
            self.state,
            self.options,
            method,
            url,
            isolated_limit=isolated_limit,
            body=body,
            extra_headers=extra_headers,
        )
        try:
            content = await request.run(partial(self._attempt, request, headers, expect_status))
        except NotCreated as refusal:
            with suppress(DecodeError):  # another 2xx, but its body may describe what was created
                return decode(refusal.body.encode(), method=method, url=url)
            raise
        self.state.retry_budget.earn()
        try:
            if len(content) > MAX_AT_ONCE:
                return await asyncio.to_thread(decode, content, method=method, in_detail=False)
            return decode(content, method=method, in_detail=False)
        except DecodeError:
            # redacted here too, since a traceback can print local variables
            content = self.state.credentials.redact_bytes(content)
        try:  # in a thread: finding all faults is slow
            return await asyncio.to_thread(decode, content, method=method, url=self.public_url(url))
        except DecodeError as caught:
            error = caught.with_traceback(None)
        finally:
            del content  # the traceback would keep all of it
        raise error

    async def _attempt(self, request: Request, headers: Mapping[str, str] | None, expect_status: int | None) -> bytes:
        """Make one attempt and return the body of the response."""
        stream = await self._open(request, headers, self._call_timeout, expect_status=expect_status)
        try:
            try:
                content = await stream.read()
            except TransportError:
                if request.method != "DELETE":
                    raise
                content = b""  # a DELETE succeeds with any body
            if request.recorder is not None:
                request.recorder.received(stream.response, content)
            return content if stream.status < 300 else b""
        finally:
            stream.close()

    async def _open(
        self,
        request: Request,
        headers: Mapping[str, str] | None,
        timeout: Timeout,
        *,
        expect_status: int | None = None,
        headers_timeout: float | None = None,
        counted: bool = True,
        anonymous: bool = False,
    ) -> Stream:
        """Send a request, when the limiter admits it, and return its response as a stream, or raise its error.

        `headers_timeout`: seconds until the headers of the last response, for a `timeout` without a total.
        Redirects of a GET are followed. After a 401 the request is sent once more if the token has changed since.
        """
        state, method, body = self.state, request.method, request.body
        permit = state.limiter.try_acquire(counted=counted)
        if permit is None:
            with request.waiting_for_rate_limit():
                permit = await state.limiter.acquire(request.wait_limit, counted=counted)
        span = request.span()
        response: Response | None = None
        try:
            sent_headers: Mapping[str, str] | Redacted[Mapping[str, str]] | None = headers
            if request.extra_headers is not None:
                sent_headers = Redacted({**(headers or {}), **request.extra_headers.reveal()})
            redirects: Redirects | None = None
            target: Redacted[str] | None = None
            redirected = token_replaced = False
            deadline = None if headers_timeout is None else asyncio.get_running_loop().time() + headers_timeout
            while True:
                state.stats.requests += 1
                self.requests += 1
                if body is not None:
                    state.stats.sent += request.sent
                began = time.perf_counter()
                sending = state.transport.send(
                    method,
                    request.url if target is None else target.reveal(),  # no local variable holds a signed address
                    headers=sent_headers,
                    body=body,
                    timeout=timeout,
                    anonymous=anonymous,
                )
                if deadline is not None:
                    left = deadline - asyncio.get_running_loop().time()
                    sending = within(left, sending, partial(self._headers_timed_out, request))
                if state.waits.follows_attempts:
                    sending = state.waits.until_answered(request.wait_limit, sending)
                response = await sending
                if span is not None:
                    span.responded(response)
                self._note(request, response, permit, began, redirected=redirected)
                if response.status < 300:
                    break
                if response.status == 401 and not token_replaced and await state.credentials.has_new_token(response):
                    token_replaced = True
                else:
                    redirects = redirects or Redirects()
                    target = redirects.target_of(response, method, public_url=self.public_url)
                    if target is None:
                        break
                    redirected = redirects.is_cross_origin
                    if redirected:
                        sent_headers = headers
                await response.discard(self.options.timeout)
            is_success = response.status < 300 if expect_status is None else response.status == expect_status
            if not is_success and not is_deleted(
                method, response.status, is_repeated=request.is_repeated or response.is_resent
            ):
                raise await self._error(response, request, redirected=redirected)
            return Stream(response, permit, state, span)
        except BaseException as error:
            if response is not None:
                response.close()
            permit.release()
            if span is not None:
                span.end(error)
            raise

    def _headers_timed_out(self, request: Request) -> RequestTimeout:
        message = f"response timed out: no complete headers within {self.options.timeout:g} s"
        error = RequestTimeout(message, method=request.method, url=self.public_url(request.url))
        error.hint = no_answer(urlsplit(request.url).hostname)
        return error

    def _note(self, request: Request, response: Response, permit: Permit, began: float, *, redirected: bool) -> None:
        """Log a response and apply what its headers state. `redirected`: another origin than the API's sent it."""
        if log.isEnabledFor(logging.DEBUG):
            path, milliseconds = urlsplit(response.url).path, (time.perf_counter() - began) * 1000
            log.debug("%s %s: %d in %.0f ms", request.method, path, response.status, milliseconds)
        request.apply_rate_limit(response, permit)
        if permit.ticket is not None and not redirected:  # the response of the API itself
            if response.rate_limit is not UNKNOWN:
                self.state.note_rate_limit(response)
            if "Deprecation" in response.headers or "Sunset" in response.headers:
                self._log_deprecation(request, response)

    def _log_deprecation(self, request: Request, response: Response) -> None:
        from .deprecations import Deprecations

        deprecations = self.state.singleton(Deprecations)
        deprecations.log(self.state.api, request.method, request.url, response.headers, redact=self.redact)

    async def _error(self, response: Response, request: Request, *, redirected: bool) -> ApiError:
        """Return the error that a response describes."""
        try:
            async with asyncio.timeout(self.options.timeout):
                body = await response.read_start(MAX_READ)
        except (TransportError, TimeoutError):  # the status is known without the body
            body = b""
        finally:
            response.close()
        self.state.stats.received += len(body)
        text = kept_text(body, redact=partial(self._redact_error, response))
        if request.recorder is not None:
            request.recorder.received(response, body if len(body) <= MAX_BODY else text.encode())
        message = error_message(response.status, text)
        if target := response.redirect:
            message = f"unexpected redirect to {shown(self.public_url(target.url.reveal()))}"
        error = api_error_type(response.status)(
            response.status,
            message,
            method=request.method,
            url=self.public_url(response.url),
            request_id=request_id(self.state.credentials.public_headers(response.headers)),
            body=text,
            retry_after=response.retry_after,
        )
        error.redirected = redirected
        if error.status == 401 and self.state.credentials.why_anonymous:
            error.hint = f"{error.hint} No token was sent: {self.state.credentials.why_anonymous}."
        return error

    def _redact_error(self, response: Response, text: str) -> str:
        """Replace the token and, for an origin that is not sent it, the query of the address in an error body."""
        text = self.redact(text)
        return text if response.is_trusted else redact_query(text, response.url)
