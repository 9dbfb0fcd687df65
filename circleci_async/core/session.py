"""One call: request, limiter, transport and codec, composed here."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..config.redacted import NotPicklable, Redacted
from ..errors import ApiError, DecodeError, InvalidArgument, NotCreated, TransportError, api_error_type
from .attempts import AttemptSpan, OnAttempt
from .encoding import Query, checked_headers, checked_method, query_string, split_query, to_bytes
from .error_bodies import error_message, request_id
from .limiter import Permit
from .paging import IfTruncated, Page, Paged
from .rate_limit import UNKNOWN
from .request import Request, RequestOptions
from .response import Redirect, Response
from .retry import RetryPolicy
from .state import ClientState
from .transport import Timeout

T = TypeVar("T")

log: logging.Logger = logging.getLogger("circleci_async")

MAX_REDIRECTS = 10

MAX_CONNECT_TIMEOUT = 15.0

MAX_INLINE_BODY = 1024 * 1024
"""Bytes. A larger body is decoded in a thread, so that the event loop is not blocked."""

_JSON_HEADERS = {"Accept": "application/json"}
_JSON_BODY_HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}


class Stream:
    """A response whose body is read in parts. It holds a permit of the limiter until it is closed."""

    def __init__(self, response: Response, permit: Permit, state: ClientState, span: AttemptSpan) -> None:
        self._response = response
        self._permit = permit
        self._state = state
        self._span = span
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers
        self.length: int | None = response.length

    async def read_some(self) -> bytes:
        """Read the bytes that have arrived, at least one; b"" at the end. Raises `TransportError`."""
        try:
            data = await self._response.read_some()
        except BaseException as error:
            self._span.end(error)
            raise
        self._state.stats.received += len(data)
        return data

    def close(self) -> None:
        """Release the connection and the permit. Idempotent."""
        self._response.close()
        self._permit.release()
        self._state.lifetime.closed(self)
        self._span.end()


class Session(NotPicklable):
    """Sends requests with one set of options, and decodes the responses.

    The codec is imported with the first call: importing cattrs with the client would slow that import by a tenth.
    """

    def __init__(self, state: ClientState, options: RequestOptions) -> None:
        self.state: ClientState = state
        self.options: RequestOptions = options
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
        from . import codec

        decode = partial(codec.decode, kind)
        body = None if json is None else Redacted(json)
        return self._fetch(
            decode, method, path, query, body, expect_status=expect_status, isolated_limit=isolated_limit
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
        from . import codec

        path, query = split_query(path, query)
        extra = checked_headers(headers) if headers is not None else None
        return self._fetch(codec.loads, checked_method(method), path, query, json, extra_headers=extra)

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
            from . import codec

            decode = partial(codec.decode_page, kind, items_optional=items_optional)
            items, next_token = await self._fetch(decode, "GET", path, {**(query or {}), "page-token": token})
            return Page(items, next_token)

        return Paged(fetch, truncation_warning=truncation_warning, if_truncated=if_truncated)

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
        from . import codec

        items, _ = await self._fetch(partial(codec.decode_page, kind, items_optional=items_optional), "GET", path)
        return list(items)

    def start_request(self, method: str, url: Redacted[str]) -> Request:
        """Return a request whose deadline starts now. Raises `ConfigurationError` if the client is closed."""
        return Request(self.state, self.options, method, url)

    async def open(self, request: Request, *, headers: Mapping[str, str], anonymous: bool = False) -> Stream:
        """Make one attempt of a GET request and return the body as a stream. Raises as every call; retries nothing.

        `anonymous`: never send the token.
        """
        permit = self.state.limiter.permit(request.wait_limit, counted=False)
        await permit.acquire()
        span = request.span()
        try:
            response, redirected = await self._send(
                request, headers, self._stream_timeout, span, permit, anonymous=anonymous
            )
            if response.status >= 300:
                raise await self._error(response, request, redirected=redirected)
            if request.recorder is not None:
                request.recorder.received(response, None)
        except BaseException as error:
            permit.release()
            span.end(error)
            raise
        stream = Stream(response, permit, self.state, span)
        self.state.lifetime.opened(stream)
        return stream

    def api_url(self, path: str) -> str:
        """Return the address of a path: below `/api/v2`, or below the host if it begins with `/api/`."""
        return f"{self.state.api}{path}" if path.startswith("/api/") else f"{self.state.api}/api/v2{path}"

    def public_url(self, url: str) -> str:
        """Return an address without secrets, for errors and logs."""
        return self.state.transport.public_url(url)

    def redact(self, text: str) -> str:
        """Replace the token in a text of the server."""
        return self.state.transport.redact(text)

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
        headers, body = (_JSON_HEADERS, None) if json is None else (_JSON_BODY_HEADERS, to_bytes(json))
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
        self.earn_retry()
        try:
            if len(content) > MAX_INLINE_BODY:
                return await asyncio.to_thread(decode, content, method=method, url=url)
            return decode(content, method=method, url=url)
        except DecodeError as caught:
            error = DecodeError(
                tuple(map(self.redact, caught.faults)),
                method=method,
                url=self.public_url(url),
                body=self.redact(caught.body),
            )
        finally:
            del content  # a traceback that prints local variables must not print a token that the server returned
        raise error

    async def _attempt(self, request: Request, headers: Mapping[str, str], expect_status: int | None) -> bytes:
        """Make one attempt and return the body of the response."""
        async with self.state.limiter.permit(request.wait_limit) as permit:
            with request.span() as span:
                response, redirected = await self._send(request, headers, self._call_timeout, span, permit)
                try:
                    if response.status >= 300 or (expect_status is not None and response.status != expect_status):
                        raise await self._error(response, request, redirected=redirected)
                    content = await response.read()
                    if request.recorder is not None:
                        request.recorder.received(response, content)
                    return content
                finally:
                    self.state.stats.received += response.received
                    response.close()

    async def _send(
        self,
        request: Request,
        headers: Mapping[str, str],
        timeout: Timeout,
        span: AttemptSpan,
        permit: Permit,
        *,
        anonymous: bool = False,
    ) -> tuple[Response, bool]:
        """Send a request and follow the redirects of a GET; return the response, and whether another origin sent it.

        After a 401 the request is sent once more if the token has changed since.
        """
        method, body, transport = request.method, request.body, self.state.transport
        sent_headers: Mapping[str, str] | Redacted[Mapping[str, str]] = headers
        if request.extra_headers is not None:
            sent_headers = Redacted({**headers, **request.extra_headers.reveal()})
        redirect: Redirect | None = None
        redirects = 0
        redirected = token_replaced = False
        while True:
            began = time.perf_counter() if log.isEnabledFor(logging.DEBUG) else None
            self.state.stats.requests += 1
            if body is not None:
                self.state.stats.sent += request.sent
            response = await transport.send(
                method,
                request.url if redirect is None else redirect.url.reveal(),  # no local variable holds a signed address
                headers=sent_headers,
                body=body,
                timeout=timeout,
                anonymous=anonymous,
            )
            if began is not None:
                milliseconds = (time.perf_counter() - began) * 1000
                log.debug("%s %s: %d in %.0f ms", method, urlsplit(response.url).path, response.status, milliseconds)
            span.responded(response)
            request.apply_rate_limit(response, permit)
            if permit.ticket is not None and not redirected:  # the response of the API itself
                if response.rate_limit is not UNKNOWN:
                    self.state.note_rate_limit(response)
                if "Deprecation" in response.headers or "Sunset" in response.headers:
                    self._log_deprecation(request, response)
            if response.status == 401 and not token_replaced and await transport.has_new_token(response):
                token_replaced = True
                await response.discard()
                continue
            redirect = response.redirect
            if redirect is None or method not in {"GET", "HEAD"}:
                return response, redirected
            await response.discard()
            redirects += 1
            if redirect.is_downgrade:
                problem = "refused to follow a redirect from https to http"
            elif redirects > MAX_REDIRECTS:
                problem = f"more than {MAX_REDIRECTS} redirects"
            else:
                if redirect.is_cross_origin:
                    redirected, sent_headers = True, headers
                continue
            raise ApiError(response.status, problem, method=method, url=self.public_url(response.url))

    def _log_deprecation(self, request: Request, response: Response) -> None:
        from .deprecations import Deprecations

        deprecations = self.state.singleton(Deprecations)
        deprecations.log(self.state.api, request.method, request.url, response.headers, redact=self.redact)

    async def _error(self, response: Response, request: Request, *, redirected: bool) -> ApiError:
        """Return the error that a response describes."""
        try:
            async with asyncio.timeout(self.options.timeout):
                body = await response.read()
        except (TransportError, TimeoutError):  # the status is known without the body
            body = b""
        finally:
            response.close()
        if request.recorder is not None:
            request.recorder.received(response, body)
        text = self.redact(body.decode("utf-8-sig", "replace"))
        message = error_message(response.status, text)
        if target := response.redirect:
            message = f"unexpected redirect to {self.public_url(target.url.reveal())}"
        error = api_error_type(response.status)(
            response.status,
            message,
            method=request.method,
            url=self.public_url(response.url),
            request_id=request_id(response.headers),
            body=text,
            retry_after=response.retry_after,
        )
        error.redirected = redirected
        return error
