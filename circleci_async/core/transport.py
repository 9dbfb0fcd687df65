"""One HTTP hop: a request goes out, a reply comes back. The only importer of aiohttp, and the only user of the token.

Redirects are not followed here, so that each hop decides anew whether its origin may be sent the token (aiohttp
itself forwards custom headers to wherever a redirect points).
"""

import asyncio
import inspect
from base64 import b64encode
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, ClassVar, Literal, NamedTuple, get_args
from urllib.request import getproxies, proxy_bypass
from weakref import WeakSet

import aiohttp
from yarl import URL

from ..config.tokens import Token, clean_token
from ..config.trust import Origin, Trust
from ..errors import ConfigurationError, RequestTimeout, TransportError
from .lifetime import CLOSED
from .retry import REPEATABLE

__all__ = ["Auth"]

Auth = Literal["circle-token", "bearer", "basic"]
"""How the token is sent: the header `Circle-Token`, `Authorization: Bearer`, or basic authentication as user name."""

SMALL_BODY = 64 * 1024
"""Bytes of an unwanted body that are read all the same, because that keeps the connection for the next request."""

STREAM_BUFFER = 1024 * 1024
"""Bytes of a stream that may wait to be read (twice that, at most), while what came before is being written."""

SECRETS = 64
"""Tokens, plain and encoded, that are remembered to be redacted: a token function may give another each time."""

USER_AGENT = "circleci-async/0.1.0"


Timeout = aiohttp.ClientTimeout
"""Seconds: `total` of a whole attempt, `sock_connect` for connecting, `sock_read` between two reads."""


class Redirect(NamedTuple):
    """Where an answer points to."""

    url: str
    leaves: bool
    """Whether that is another origin."""
    bares: bool
    """Whether it gives up https."""


class Reply:
    """Status and headers of an answer whose body is still on its way. Read it, or close it."""

    __slots__ = ("_method", "_response", "headers", "mark", "received", "status")

    def __init__(self, response: aiohttp.ClientResponse, method: str, mark: int | None = None) -> None:
        self._response = response
        self._method = method
        self.mark = mark
        """What tells the token that was sent from others, if it is one that may change."""
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.received = 0

    @property
    def url(self) -> str:
        """The address that answers."""
        return str(self._response.url)

    @property
    def redirect(self) -> Redirect | None:
        """Where the answer points to, if it is a redirect to an address that can be asked."""
        if self.status not in {301, 302, 303, 307, 308} or not (location := self.headers.get("Location")):
            return None
        # A signed address must arrive as it was written: it is not to be quoted anew.
        try:
            target = self._response.url.join(URL(location, encoded=location.isascii())).with_fragment(None)
        except ValueError:
            return None
        here, there = Origin.of(self._response.url), Origin.of(target)
        if here is None or there is None:
            return None
        return Redirect(str(target), leaves=here != there, bares=(here.scheme, there.scheme) == ("https", "http"))

    @property
    def length(self) -> int | None:
        """The bytes of the body by its header, or None."""
        return self._response.content_length

    async def read(self) -> bytes:
        """Read the whole body."""
        return await self._received(self._response.read())

    async def read_some(self) -> bytes:
        """Read the bytes that have come, at least one; nothing at the end."""
        return await self._received(self._response.content.readany())

    async def _received(self, reading: Awaitable[bytes]) -> bytes:
        try:
            part = await reading
        except (aiohttp.ClientError, TimeoutError, OSError, RuntimeError) as caught:  # the last: closed meanwhile
            error = _translate(caught, self._method, self.url)
        else:
            self.received += len(part)
            return part
        raise error

    async def drop(self) -> None:
        """Do without the body, keeping the connection if that is cheap."""
        try:
            if (self.length or SMALL_BODY) < SMALL_BODY:
                with suppress(TransportError):
                    await self.read()
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the connection: back to the pool if the body was read to its end, else closed. Safe to repeat."""
        if self._response.content.is_eof():
            self._response.release()
        else:
            self._response.close()


class Transport:
    """Sends requests, with the token to trusted origins and to nobody else."""

    def __init__(
        self,
        *,
        token: Token | None,
        trust: Trust,
        auth: Auth = "circle-token",
        http: aiohttp.ClientSession | None = None,
        trust_env: bool = True,
    ) -> None:
        if auth not in get_args(Auth):
            raise ConfigurationError(f"auth={auth!r}: give one of {', '.join(map(repr, get_args(Auth)))}")
        self._token = token
        self._trust = trust
        self._auth = auth
        self._http = http
        self._fresh_http: aiohttp.ClientSession | None = None
        self._owns_http = http is None
        self._proxies = getproxies() if trust_env and http is None else {}
        self._secrets: deque[str] = deque(maxlen=SECRETS)
        self._closed = False

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout: Timeout,
        anonymous: bool = False,
    ) -> Reply:
        """Send one request and return the head of its answer; `anonymous`: without the token, whatever the address.

        The body is as the server sent it if `Accept-Encoding: identity` was asked for, else it is decompressed.

        Raises `TransportError` or `RequestTimeout`, never an error of aiohttp: the frames of those hold the token.
        """
        address = URL(url, encoded=url.isascii() and " " not in url)
        is_raw = headers.get("Accept-Encoding") == "identity"
        options: dict[str, Any] = {
            "data": body,
            "timeout": timeout,
            "proxy": self._proxy(address),
            "auto_decompress": not is_raw,
            "read_bufsize": STREAM_BUFFER if is_raw else None,
            # else aiohttp says of no body that it is application/octet-stream
            "skip_auto_headers": ("Content-Type",) if body is None else None,
        }
        session = self._session(method)
        with_token = {"User-Agent": USER_AGENT, **headers}
        mark = None if anonymous else await self._add_token(address, with_token)
        try:
            response = await self._exchange(session, method, address, headers=with_token, **options)
        except asyncio.CancelledError as cancelled:
            raise cancelled.with_traceback(None) from None
        except Exception as caught:  # noqa: BLE001  # whatever it is, it must not get out
            error = _translate(caught.error if isinstance(caught, ConnectionLost) else caught, method, url)
        else:
            return Reply(response, method, mark)
        finally:
            del with_token  # a traceback that shows local variables must not show the token
        raise error  # outside the except block: without aiohttp's error as its context

    async def _exchange(
        self, session: aiohttp.ClientSession, method: str, address: URL, **options: Any
    ) -> aiohttp.ClientResponse:
        """Make a request; once more, on a new connection, if it was lost on a kept one, which the server had closed."""
        if not self._owns_http:  # a session's own middlewares are replaced by those of a request
            options["middlewares"] = (*getattr(session, "_middlewares", ()), _once)
        options |= {"allow_redirects": False, "raise_for_status": False}
        _reused.set(False)
        try:
            return await session.request(method, address, **options)
        except ConnectionLost:
            if self._closed or not _reused.get() or method not in REPEATABLE:
                raise
        return await self._fresh().request(method, address, **options)

    async def aclose(self) -> None:
        """Close the connections, unless the aiohttp session is somebody else's. Safe to repeat."""
        self._closed = True
        if self._owns_http:
            closing = asyncio.gather(*(http.close() for http in (self._http, self._fresh_http) if http is not None))
            try:
                await asyncio.shield(closing)
            except asyncio.CancelledError:
                await asyncio.wait([closing])  # a few turns of the loop; cut short, it would leave connections open
                raise

    def abandon(self) -> None:
        """Leave the connections open, for they are another process's: to close them here would break them there."""
        self._closed = True
        _ABANDONED.append((self._http, self._fresh_http))

    async def has_another_token(self, reply: Reply) -> bool:
        """Say whether the token is another one by now than the one that this answer's request had."""
        if reply.mark is None or self._token is None or isinstance(self._token, str):
            return False
        try:
            token = await _ask(self._token)
        except Exception:  # noqa: BLE001  # the answer tells more; and the next request will raise this
            return False
        return token is not None and hash(token) != reply.mark

    def trusts(self, url: str) -> bool:
        """Say whether an address may be sent the token, and so be believed about rate limits."""
        return self._trust.trusts(url)

    def redact(self, text: str) -> str:
        """Replace the token in a text from outside."""
        for secret in self._secrets:
            text = text.replace(secret, "[token]")
        return text

    def public(self, url: str) -> str:
        """Return an address that can be shown: without user, and without query if it is signed or a stranger's."""
        shown = URL(url, encoded=True).with_user(None).with_fragment(None)
        if not self._trust.trusts(url) or any(name.lower().endswith(("signature", "sig")) for name in shown.query):
            shown = shown.with_query(None)
        elif "circle-token" in shown.query:
            shown = shown.without_query_params("circle-token")
        return self.redact(str(shown))

    def _session(self, method: str) -> aiohttp.ClientSession:
        if self._closed:
            raise ConfigurationError(CLOSED)
        if self._http is not None and self._http.closed:
            raise ConfigurationError("http: this aiohttp session is closed; it must stay open as long as the client")
        if self._owns_http and method not in REPEATABLE:
            return self._fresh()  # on a kept connection that the server is just closing it would be lost for good
        self._http = self._http or _open_session(force_close=False)
        return self._http

    def _fresh(self) -> aiohttp.ClientSession:
        """Return the session that makes a new connection for each request."""
        self._fresh_http = self._fresh_http or _open_session(force_close=True)
        return self._fresh_http

    async def _add_token(self, address: URL, headers: dict[str, str]) -> int | None:
        """Add the token if the address may have it; return what tells it from others, if it is one that may change."""
        if self._token is None or not self._trust.trusts(address):
            return None
        token = self._token if isinstance(self._token, str) else await _ask(self._token)
        if token is None:
            return None
        basic = b64encode(f"{token}:".encode()).decode()
        if token not in self._secrets:
            self._secrets.extend((token, basic))
        match self._auth:
            case "circle-token":
                headers["Circle-Token"] = token
            case "bearer":
                headers["Authorization"] = f"Bearer {token}"
            case _:
                headers["Authorization"] = f"Basic {basic}"
        return None if isinstance(self._token, str) else hash(token)

    def _proxy(self, address: URL) -> str | None:
        # Not aiohttp's trust_env: that sends credentials from ~/.netrc too, to any host that is named there.
        proxy = self._proxies.get(address.scheme) or self._proxies.get("all")
        if not proxy or proxy_bypass(address.authority):
            return None
        if "://" not in proxy:
            proxy = f"http://{proxy}"
        if Origin.of(proxy) is None:  # it is not shown, for it may hold a password
            raise ConfigurationError(
                f"{address.scheme.upper()}_PROXY or ALL_PROXY: give an http proxy, such as http://proxy.example.com:3128"
                " (SOCKS is not supported), or `trust_env=False`"
            )
        return proxy


_ABANDONED: list[object] = []
"""Connections of the parent process: as garbage they would be closed."""

_reused: ContextVar[bool] = ContextVar("reused", default=False)
"""Whether the request of this task went out on a connection that had been used before."""


class _Connector(aiohttp.TCPConnector):
    """Says by `_reused` whether a connection had been used before."""

    used: ClassVar[WeakSet[object]] = WeakSet()

    async def connect(
        self, req: aiohttp.ClientRequest, traces: Any, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.connector.Connection:
        connection = await super().connect(req, traces, timeout)
        _reused.set(connection.protocol in self.used)
        if connection.protocol is not None:
            self.used.add(connection.protocol)
        return connection


def _open_session(*, force_close: bool) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=_Connector(limit=0, force_close=force_close),  # the gate bounds what is in flight
        cookie_jar=aiohttp.DummyCookieJar(),
        middlewares=(_once,),
    )


class ConnectionLost(Exception):
    """Stands for an error of aiohttp; whoever traces the session sees it."""

    def __init__(self, error: aiohttp.ClientError) -> None:
        super().__init__(str(error))
        self.error = error


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending what was lost again by itself: it would, also what was lost on a new connection.

    What aiohttp says of bad HTTP quotes the server and the signed address: those who trace the session see other words.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as lost:
        raise ConnectionLost(lost) from None
    except aiohttp.ClientResponseError as caught:
        error = _translate(caught, request.method, str(request.url))
    raise error


async def _ask(token: Callable[[], str | Awaitable[str | None] | None]) -> str | None:
    given = token()
    if inspect.isawaitable(given):
        given = await given
    try:
        return clean_token(given, "the token function")
    except ConfigurationError as caught:
        error = caught.with_traceback(None)
    except (AttributeError, TypeError):
        error = ConfigurationError("the token function must return text, or None for no token")
    finally:
        del given  # a traceback that shows local variables must not show even a wrong token
    raise error


def _translate(error: Exception, method: str, url: str) -> TransportError:
    shown = str(URL(url, encoded=True).with_user(None).with_query(None))
    match error:
        case aiohttp.ConnectionTimeoutError():
            return RequestTimeout("no connection in time", method=method, url=shown, sent=False)
        case TimeoutError():
            return RequestTimeout("no answer in time", method=method, url=shown)
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            message = f"no secure connection: {error} (a private CA is named with SSL_CERT_FILE)"
            return TransportError(message, method=method, url=shown, sent=False)
        case aiohttp.ClientConnectorError():
            return TransportError(f"no connection: {error}", method=method, url=shown, sent=False)
        case aiohttp.ClientPayloadError():
            return TransportError("the body was cut short", method=method, url=shown)
        case aiohttp.ServerDisconnectedError():
            return TransportError("the server closed the connection without an answer", method=method, url=shown)
        case aiohttp.ClientHttpProxyError():
            message = f"the proxy refused: {error.status} {' '.join(error.message.split())}"
            return TransportError(message, method=method, url=shown, sent=False)
        case aiohttp.ClientResponseError():
            what = error.message.partition("\n")[0].partition(": b'")[0]  # what follows quotes what the server sent
            return TransportError(f"no valid HTTP: {what.rstrip(':')}", method=method, url=shown)
        case TransportError():
            return error.with_traceback(None)
        case _:
            return TransportError(
                f"the connection broke: {str(error) or type(error).__name__}", method=method, url=shown
            )
