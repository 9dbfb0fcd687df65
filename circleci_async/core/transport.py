"""One HTTP hop: send a request, return the response. The only importer of aiohttp.

The token is set by the innermost middleware, from the address that is finally requested, so that no other middleware
sees it. Redirects are not followed here: each hop decides again whether its origin is sent the token (aiohttp itself
forwards custom headers to the target of every redirect).
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, TypeVar
from urllib.request import getproxies
from weakref import WeakSet

import aiohttp
from yarl import URL

from ..config.redacted import NotPicklable, Redacted, reveal
from ..errors import ConfigurationError, InvalidArgument, RequestTimeout, TransportError
from .credentials import Credentials
from .encoding import to_url, without_secrets
from .lifetime import CLOSED
from .proxies import is_env_proxy_for_loopback, proxy_for
from .response import Response
from .response_body import ResponseBody
from .retry import IDEMPOTENT
from .stream_buffers import StreamBuffers
from .uninterrupted import uninterrupted
from .unreachable import PROXY_FAILED, TLS_FAILED, connection_failure, no_answer, no_connection
from .unread_data import UnreadData
from .user_agent import user_agent_header

E = TypeVar("E", bound=BaseException)

_CONTENT_TYPE = ("Content-Type",)

Middleware: TypeAlias = aiohttp.ClientMiddlewareType
"""An aiohttp client middleware: an async function of a `ClientRequest` and the handler that sends it."""

Timeout = aiohttp.ClientTimeout
"""Seconds: `total` of an attempt, `sock_connect` for connecting, `sock_read` between two reads."""


class Transport(NotPicklable):
    """Sends requests, with the token to trusted origins only."""

    def __init__(
        self,
        credentials: Credentials,
        http: aiohttp.ClientSession | None = None,
        *,
        trust_env: bool = True,
        middlewares: Iterable[Middleware] = (),
        user_agent: str | None = None,
    ) -> None:
        self.credentials: Credentials = credentials
        self._http = http
        self.uses_env_proxies: bool = http is not None and http.trust_env
        """Whether aiohttp itself chooses proxies from the environment."""
        self._unpooled_http: aiohttp.ClientSession | None = None
        self._owns_http = http is None
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            **user_agent_header(user_agent, is_set=http is not None and "User-Agent" in http.headers),
        }
        # the middlewares of a request replace those of its session, which has no public accessor for them
        self._middlewares: tuple[Middleware, ...] = (*getattr(http, "_middlewares", ()), *_checked(middlewares))
        self._proxies = getproxies() if trust_env and http is None else {}
        self._buffers = StreamBuffers()
        self._parent: Transport | None = None
        """The transport whose connections this one uses."""
        self._is_closed = False

    def with_credentials(self, credentials: Credentials) -> "Transport":
        """Return a transport that sends another token over the same connections. Closing it leaves them open."""
        derived = object.__new__(Transport)
        derived.__dict__.update(vars(self) | {"credentials": credentials, "_parent": self, "_is_closed": False})
        return derived

    @property
    def is_closed(self) -> bool:
        """Whether it sends no more."""
        return self._is_closed or (self._parent is not None and self._parent.is_closed)

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | Redacted[Mapping[str, str]] | None,
        body: Redacted[bytes] | None,
        timeout: Timeout,
        anonymous: bool = False,
    ) -> Response:
        """Send one request and return the response, whose body is unread. `anonymous`: never send the token.

        `headers`: besides `User-Agent`, `Accept: application/json` and `Accept-Encoding: gzip`, which they may replace.

        A request that was lost on a reused connection, which the server had closed, is sent once more on a new one.

        Raises `TransportError` or `RequestTimeout`, never an error of aiohttp: their frames hold the token.
        """
        hop = Hop(self, to_url(url), anonymous=anonymous)
        del url  # it can be signed: the hop holds it, and what is sent, so that no local variable does
        session = self.session_for(method)
        is_raw = headers is not None and reveal(headers).get("Accept-Encoding") == "identity"
        decompresses = bool(self._middlewares) and not is_raw
        hop.options = {
            "data": None if body is None else body.reveal(),
            "headers": reveal(headers) if self._owns_http else self._headers_with(headers),
            "timeout": timeout,
            "allow_redirects": False,
            "raise_for_status": False,
            # A middleware that reads a body expects it decompressed. aiohttp itself does not notice truncated gzip.
            "auto_decompress": decompresses,
            "middlewares": (*self._middlewares, hop),
        }
        if is_raw:
            hop.options["read_bufsize"] = self._buffers.next_size
        if body is None and method != "GET":  # aiohttp would declare it to be application/octet-stream
            hop.options["skip_auto_headers"] = _CONTENT_TYPE
        if self._proxies:
            hop.options["proxy"] = proxy_for(hop.address, self._proxies)
        is_resent = False
        try:
            try:
                raw = await session.request(method, hop.address, **hop.options)
            except ConnectionLost:
                if self.is_closed or not hop.was_reused or method not in IDEMPOTENT:
                    raise
                is_resent = True
                raw = await self.unpooled().request(method, hop.address, **hop.options)
        except asyncio.CancelledError as cancelled:
            raise cancelled.with_traceback(None) from None
        except Exception as caught:
            if caught is hop.token_error or self._is_of_middleware(caught):
                raise
            error = _translate(caught.error if isinstance(caught, ConnectionLost) else caught, method, hop.address)
        else:
            return Response(
                raw.status,
                raw.headers,
                raw.url,
                _Body(raw, method, self._buffers if is_raw and raw.status < 300 else None, is_decoded=decompresses),
                is_trusted=hop.is_trusted,
                is_resent=is_resent,
                token_fingerprint=hop.token_fingerprint,
            )
        raise error  # outside of the except block: without aiohttp's error as its context

    async def aclose(self) -> None:
        """Close the connections, unless they are the caller's or another transport's. Idempotent."""
        self._is_closed = True
        if self._owns_http and self._parent is None:
            sessions = [http for http in (self._http, self._unpooled_http) if http is not None]
            await uninterrupted(asyncio.gather(*(http.close() for http in sessions)))

    def abandon(self) -> None:
        """Leave the connections open: they belong to the parent process, where closing them would break them."""
        self._is_closed = True
        if self._parent is not None:
            self._parent.abandon()
        _ABANDONED.append((self._http, self._unpooled_http))

    def _headers_with(self, headers: Mapping[str, str] | Redacted[Mapping[str, str]] | None) -> Mapping[str, str]:
        """Return headers merged with the default ones, which a session of the caller does not have."""
        given = reveal(headers)
        return {**self._headers, **given} if given else self._headers

    def session_for(self, method: str) -> aiohttp.ClientSession:
        """Return the session that sends requests with a method."""
        if self._is_closed:
            raise ConfigurationError(CLOSED)
        if self._parent is not None:
            return self._parent.session_for(method)
        if self._http is not None and self._http.closed:
            raise ConfigurationError("http: this aiohttp session is closed; keep it open as long as the client")
        if self._owns_http and method not in IDEMPOTENT:
            return self.unpooled()  # a server that is closing a reused connection would not receive the request
        if self._http is None:
            self._http = self._open_session(force_close=False)
        return self._http

    def unpooled(self) -> aiohttp.ClientSession:
        """Return the session that opens a new connection for each request."""
        if self._parent is not None:
            return self._parent.unpooled()
        if self._unpooled_http is None:
            self._unpooled_http = self._open_session(force_close=True)
        return self._unpooled_http

    def _open_session(self, *, force_close: bool) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=_Connector(force_close=force_close),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
        )

    def has_reused_connection(self, request: aiohttp.ClientRequest) -> bool:
        """Return whether a request was sent on a reused connection; False if the session is the caller's."""
        connector = request.session.connector
        return isinstance(connector, _Connector) and connector.has_reused(request)

    def _is_of_middleware(self, error: Exception) -> bool:
        """Return whether an error is a middleware's own, which is raised as it is."""
        is_http_error = isinstance(error, aiohttp.ClientError | OSError | TransportError | ConnectionLost)
        return bool(self._middlewares) and not is_http_error and not self.is_closed


_ABANDONED: list[object] = []
"""Connections of the parent process: garbage collection would close them."""


class Hop:
    """The innermost middleware of one request, which sets the token and keeps aiohttp from sending twice."""

    was_reused: bool = False
    """Whether the connection that was lost had been used by an earlier request."""

    is_trusted: bool = False
    """Whether the token may be sent to the address that was requested."""

    token_error: Exception | None = None
    """The error of the token function."""

    token_fingerprint: int | None = None

    options: dict[str, Any]
    """Arguments of the request."""

    replaced: str | None = None
    """The value of the header that the token replaces while the request is sent."""

    def __init__(self, transport: Transport, address: URL, *, anonymous: bool) -> None:
        self.address = address
        self._transport = transport
        self._anonymous = anonymous

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send the request with the token, and remove the token again, so that outer middlewares never see it.

        The errors lose their tracebacks, since aiohttp's frames hold the token. Errors about invalid HTTP quote the
        server and the signed address, and after a lost connection aiohttp would send the request again, even on a new
        one: middlewares and tracing see other errors instead.
        """
        header = None
        credentials = self._transport.credentials
        self.is_trusted = credentials.trusts(request.url)
        if self.is_trusted and not self._anonymous:
            header = credentials.static_header or await self._new_header()
        name = None
        if header is not None:
            name = header[0]
            self.replaced = request.headers.get(name)
            request.headers[name] = header[1]
            del header  # a traceback that prints local variables must not print the token
        if self._transport.uses_env_proxies and is_env_proxy_for_loopback(request.proxy, request.url):
            request.update_proxy(None, None, None)
        try:
            return await handler(request)
        except asyncio.CancelledError as cancelled:
            raise _without_frames(cancelled) from None
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as lost:
            error: Exception = ConnectionLost(_without_frames(lost))
            self.was_reused = self._transport.has_reused_connection(request)
        except aiohttp.ClientResponseError as caught:
            error = _translate(caught, request.method, request.url)
        except Exception as caught:  # noqa: BLE001  # it is raised below
            error = _without_frames(caught)
        finally:
            if name is not None:
                if self.replaced is None:
                    request.headers.pop(name, None)
                else:
                    request.headers[name] = self.replaced
        raise error

    async def _new_header(self) -> tuple[str, str] | None:
        try:
            found = await self._transport.credentials.new_header()
        except Exception as error:
            self.token_error = error
            raise
        if found is None:
            return None
        self.token_fingerprint = found[1]
        return found[0]


class _Body(ResponseBody):
    """The body of an aiohttp response."""

    __slots__ = ()

    read_errors = (aiohttp.ClientError, TimeoutError, OSError, RuntimeError)  # the last: closed meanwhile

    @staticmethod
    def translate(error: Exception, method: str, url: URL) -> TransportError:
        return _translate(error, method, url)


class _Connector(aiohttp.TCPConnector):
    """A pool of connections that records which requests were sent on a reused one."""

    def __init__(self, *, force_close: bool) -> None:
        # The limiter bounds what is in flight.
        super().__init__(limit=0, force_close=force_close)  # pyright: ignore[reportUnknownMemberType]  # aiohttp's `socket_factory` has an incomplete type
        # the connections on which a request was sent, by protocol
        self._used: dict[Any, UnreadData | None] = {}
        self._first = WeakSet[aiohttp.ClientRequest]()  # requests that were the first of their connection

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> aiohttp.connector.Connection:
        """Return a connection for a request. A reused one with unread data is closed: no request asked for it.

        `should_close` covers the data that aiohttp has read, `UnreadData` the data that is still in the socket.
        """
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol not in self._used:
                self._used = {used: data for used, data in self._used.items() if used.is_connected()}
                self._used[protocol] = _unread_data(connection.transport)
                self._first.add(req)
                return connection
            if protocol is not None and not protocol.should_close and not self._used[protocol]:
                return connection
            connection.close()

    def has_reused(self, request: aiohttp.ClientRequest) -> bool:
        """Return whether a request was sent on a connection that an earlier request had used."""
        return request not in self._first


def _unread_data(transport: asyncio.Transport | None) -> UnreadData | None:
    connected = None if transport is None else transport.get_extra_info("socket")
    return None if connected is None else UnreadData(connected)


class ConnectionLost(aiohttp.ClientConnectionError):
    """Replaces an error of aiohttp, which would send the request again. Middlewares and tracing see it."""

    def __init__(self, error: aiohttp.ClientError) -> None:
        super().__init__(str(error))
        self.error = error


def _without_frames(error: E) -> E:
    """Remove the tracebacks of an error and of all that led to it: aiohttp's frames hold the token."""
    linked: BaseException | None = error
    while linked is not None:
        linked.__traceback__ = None
        linked = linked.__cause__ or linked.__context__
    return error


def _checked(middlewares: Iterable[Middleware]) -> tuple[Middleware, ...]:
    """Return the middlewares as a tuple. Raises `InvalidArgument`."""
    try:
        found = tuple(middlewares)
    except TypeError:
        found = None
    if found is None or not all(map(callable, found)):
        raise InvalidArgument(f"middlewares must be aiohttp client middlewares (async functions), got {middlewares!r}")
    return found


def _translate(error: Exception, method: str, url: URL) -> TransportError:
    """Return the error of this package for an error of aiohttp."""
    shown = without_secrets(url)
    match error:
        case aiohttp.ConnectionTimeoutError():
            late = RequestTimeout("connection timed out", method=method, url=shown, sent=False)
            return _with_hint(late, no_connection(url.host or ""))
        case TimeoutError():
            return _with_hint(RequestTimeout("response timed out", method=method, url=shown), no_answer(url.host))
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            message = f"TLS connection failed: {error} (set SSL_CERT_FILE for a private CA)"
            return _with_hint(TransportError(message, method=method, url=shown, sent=False), TLS_FAILED)
        case aiohttp.ClientConnectorError():
            what, hint = connection_failure(error.host, error.port, error.os_error)
            if isinstance(error, aiohttp.ClientProxyConnectionError):
                what, hint = f"proxy: {what}", PROXY_FAILED
            return _with_hint(TransportError(f"connection failed: {what}", method=method, url=shown, sent=False), hint)
        case aiohttp.ClientPayloadError():
            return TransportError("the response body is incomplete", method=method, url=shown)
        case aiohttp.ServerDisconnectedError():
            return TransportError("the server closed the connection without a response", method=method, url=shown)
        case aiohttp.ClientHttpProxyError():
            message = f"the proxy refused the connection: {error.status} {' '.join(error.message.split())}"
            return _with_hint(TransportError(message, method=method, url=shown, sent=False), PROXY_FAILED)
        case aiohttp.ClientResponseError():
            what = error.message.partition("\n")[0].partition(": b'")[0]  # the rest quotes what the server sent
            return TransportError(f"invalid HTTP response: {what.rstrip(':')}", method=method, url=shown)
        case TransportError():
            return error.with_traceback(None)
        case aiohttp.InvalidURL():
            return TransportError("the address is invalid", method=method, url=shown, sent=False)
        case _:
            return TransportError(f"connection lost: {str(error) or type(error).__name__}", method=method, url=shown)


def _with_hint(error: TransportError, hint: str) -> TransportError:
    error.hint = hint
    return error
