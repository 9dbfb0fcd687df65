"""An embedded CircleCI: three HTTP servers on loopback."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from secrets import token_bytes
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

from ..client import CircleCI
from ..errors import InvalidArgument
from .handlers import APIS
from .server.api import ApiOrigin
from .server.calls import PageTokens
from .server.credentials import Accounts, sent_token
from .server.delivery import Deliverer
from .server.exchange import Origin, Request, Response, error_response
from .server.faults import Body, Fault, Faults, OnRequest, fault_of
from .server.limits import Bucket, RateLimit
from .server.listener import Listener, reset, send
from .server.storage import ArtifactOrigin, Signer, StorageOrigin
from .state.engine import Engine
from .state.registry import User
from .state.world import World

_EXPORT_LIFETIME = 36 * 60 * 60.0  # seconds that the signed URL of a usage export is valid


class FakeCircleCI:
    """A CircleCI that runs in your own process: `async with FakeCircleCI(world) as fake: ...`.

    Three servers listen on loopback: the API (`url`); the artifact host (`artifact_host`), which requires the token and
    redirects to the storage; and the storage (`storage_host`), which serves signed URLs and answers 400 to a request
    with a token.

    `world`: its state, an empty world by default. `token`: the only valid token, which belongs to `world.me`.
    `tokens`: the valid tokens and their users, such as `{"a": world.user("ada"), "b": world.user("bob")}`; the first of
    them is `token`, unless that is given. `rate_limit`: of the API, for each token, or its requests per second; no
    limit by default. `latency`: seconds before each response.
    `page_size`: items per page. `run_time`: seconds from trigger to end of a pipeline. `signature_lifetime`: seconds
    that a storage URL is valid. `host`, `ports`: where to listen (API, artifacts, storage); port 0 takes a free one.
    `ranges`, `etags`, `lengths`: whether the storage supports Range, sends ETag, sends Content-Length.
    `record`: whether `requests` is kept; use False for a server that runs for a long time.
    `webhook_timeout`: seconds in which a webhook must answer 2xx. `webhook_retries`: seconds before each further
    attempt; an event is dropped after the last one.
    `on_request`: a function, plain or async, that is called with each `Request`, its body included, before it has any
    effect. It returns None to observe the request, or a `Fault`, such as `Fault(status=200, body={...})`, which affects
    the request, whose path need not match, as one of `fail` does. It runs on the event loop of the server. If it
    raises, the response is a 500 with the error.

    It can be started again after it was closed; world, requests and faults are kept.
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        token: str | None = None,
        tokens: Mapping[str, User] | None = None,
        rate_limit: RateLimit | float | None = None,
        latency: float = 0.0,
        page_size: int = 20,
        run_time: float = 0.5,
        signature_lifetime: float = 60.0,
        host: str = "127.0.0.1",
        ports: tuple[int, int, int] = (0, 0, 0),
        ranges: bool = True,
        etags: bool = True,
        lengths: bool = True,
        record: bool = True,
        webhook_timeout: float = 10.0,
        webhook_retries: Sequence[float] = (0.1, 0.5, 2.0),
        on_request: OnRequest | None = None,
    ) -> None:
        if page_size < 1:
            raise InvalidArgument(f"page_size must be a positive integer, got {page_size}")
        if webhook_timeout <= 0:
            raise InvalidArgument(f"webhook_timeout must be greater than 0 seconds, got {webhook_timeout}")
        if any(delay < 0 for delay in webhook_retries):
            raise InvalidArgument(f"webhook_retries must be 0 or more seconds each, got {webhook_retries}")
        if on_request is not None and not callable(on_request):
            raise InvalidArgument(f"on_request must be a function that takes a Request, got {on_request!r}")
        self._world = world or World()
        self._accounts = Accounts.of(self._world, token, tokens)
        self.token: str = self._accounts.token
        """The token of `client()` and `environment`."""
        self.requests: list[Request] = []
        """The requests that the three servers received, in order of arrival."""
        self._on_request = on_request
        self._latency = latency
        self._host = host
        self._ports = ports
        self._lengths = lengths
        self._record = record
        if isinstance(rate_limit, int | float):
            rate_limit = RateLimit(rate_limit)
        self._rate_limit = rate_limit
        self._buckets: dict[str | None, Bucket] = {}
        """By token; None for requests without a valid one."""
        self._faults = Faults()
        self._engine = Engine(self._world, run_time)
        secret = token_bytes(16)
        signer = Signer(secret, signature_lifetime, self._world.clock)
        self._artifacts = ArtifactOrigin(self._world, self._engine, signer, self._accounts)
        self._storage = StorageOrigin(self._world, signer, ranges=ranges, etags=etags)
        pages = PageTokens(page_size)
        exports = Signer(secret, _EXPORT_LIFETIME, self._world.clock)
        self._api = ApiOrigin(
            self._world,
            self._engine,
            pages,
            self._accounts,
            self._artifacts,
            apis=APIS,
            exports=exports,
            outputs=signer,
        )
        self._deliverer = Deliverer(self._world, self._engine, timeout=webhook_timeout, retries=webhook_retries)
        self._listeners: list[Listener] = []
        self._addresses: dict[Origin, str] = {}

    async def start(self) -> None:
        """Start listening. `async with` does this."""
        if self._listeners:
            raise RuntimeError("this FakeCircleCI is already running")
        origins: tuple[Origin, ...] = ("api", "artifacts", "storage")
        try:
            for origin, port in zip(origins, self._ports, strict=True):
                listener = Listener(partial(self._serve, origin))
                self._listeners.append(listener)
                self._addresses[origin] = await listener.start(self._host, port)
        except BaseException:
            await self.close()
            raise
        self._artifacts.url = f"http://{self._addresses['artifacts']}"
        self._artifacts.storage_url = f"http://{self._addresses['storage']}"
        self._deliverer.start()

    async def close(self) -> None:
        """Close all servers, and abort running requests and deliveries. `async with` does this."""
        await self._deliverer.close()
        await asyncio.gather(*(listener.close() for listener in self._listeners))
        self._listeners.clear()
        self._addresses.clear()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def serve_forever(self, announce: Callable[[Self], None] | None = None) -> None:
        """Listen until Ctrl-C or SIGTERM. `announce` is called with this server once it listens."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with self:
            # Some platforms and threads do not support signal handlers; cancel the call there.
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.add_signal_handler(number, stop.set)
            try:
                if announce is not None:
                    announce(self)
                await stop.wait()
            finally:
                with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                    for number in (signal.SIGINT, signal.SIGTERM):
                        loop.remove_signal_handler(number)

    def _address(self, origin: Origin) -> str:
        try:
            return self._addresses[origin]
        except KeyError:
            raise RuntimeError("this FakeCircleCI is not running: use `async with` or await start()") from None

    @property
    def url(self) -> str:
        """Root URL of the API, such as `http://127.0.0.1:8080`, without `/api/v2`."""
        return f"http://{self._address('api')}"

    @property
    def artifact_host(self) -> str:
        """Host and port of the artifacts, for `artifact_hosts` and CIRCLE_ARTIFACT_HOSTS."""
        return self._address("artifacts")

    @property
    def storage_host(self) -> str:
        """Host and port of the storage. A client must not send the token there."""
        return self._address("storage")

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that configure a client for this server."""
        return {"CIRCLE_HOST": self.url, "CIRCLE_TOKEN": self.token, "CIRCLE_ARTIFACT_HOSTS": self.artifact_host}

    @property
    def world(self) -> World:
        """The current state."""
        self._engine.advance()
        return self._world

    async def delivered(self) -> None:
        """Wait until every webhook event so far was delivered, or failed after all retries.

        A workflow or job that is still running has no event yet: wait for its end first, or advance your clock.
        """
        self._address("api")  # raises if it is not running
        await self._deliverer.delivered()

    @property
    def rate_limited(self) -> int:
        """Number of requests that the rate limit rejected."""
        return sum(bucket.rejected for bucket in self._buckets.values())

    def client(self, **options: Any) -> CircleCI:
        """Return a client of this server; `options` are those of `CircleCI`.

        It sends the server's token, unless `options` has another one, and trusts the artifact host.
        """
        settings: dict[str, Any] = {
            "token": self.token,
            "host": self.url,
            "trust_env": False,  # a proxy cannot reach a server on this machine
            **options,
            "artifact_hosts": (*(options.get("artifact_hosts") or ()), self.artifact_host),
        }
        return CircleCI(**settings)

    def fail(
        self,
        path: str = "*",
        *,
        method: str | None = None,
        origin: Origin | None = None,
        times: int | None = 1,
        after: int = 0,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        delay: float = 0.0,
        reset: Literal["before", "after"] | None = None,
        cut: int | None = None,
        broken_json: bool = False,
        expired: bool = False,
    ) -> Fault:
        """Plan a fault, and return it: its `hits` counts the affected requests.

        Which requests: those whose path (escaped or not, without query) matches the glob `path`, such as
        `/api/v2/me` or `*/artifacts`, on the origin `origin` (default: any), with the method `method` (default: any).
        The first `after` of them pass, the next `times` are affected (None: all). The first matching fault applies. An
        affected request is not rate limited.

        How: `status` and `body` (text, bytes, or a JSON value) are the response, and the request has no effect.
        `headers` are added to the response. `delay` waits this number of seconds before the response; the request has
        had its effect by then. `reset="before"` resets the connection without reading the body; `reset="after"` resets
        it after the request had its effect, so that the response of a POST is lost. `cut` sends the headers of the
        whole response, and closes the connection after this number of bytes of the body. `broken_json` truncates the
        JSON. `expired`: on the artifact host, the signature of the redirect has expired; on the storage, that of the
        request has.
        """
        return self._faults.plan(
            Fault(
                path,
                method=method,
                origin=origin,
                times=times,
                after=after,
                status=status,
                headers=headers or {},
                body=body,
                delay=delay,
                reset=reset,
                cut=cut,
                broken_json=broken_json,
                expired=expired,
            )
        )

    async def _serve(self, origin: Origin, request: web.BaseRequest) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0]
        received = Request(origin, request.method, path, request.query, request.headers, _now())
        if self._record:
            self.requests.append(received)
        fault = None
        try:
            if self._on_request is not None:
                received.body = await _body(request)
                fault = await fault_of(self._on_request, received)
            fault = fault or self._faults.match(origin, request.method, path)
            if fault is not None and fault.reset == "before":
                await asyncio.sleep(fault.delay)
                return reset(request)
            received.body = await _body(request)
            response = self._answer(received, fault)
        except web.HTTPRequestEntityTooLarge:
            response = error_response(413)
        # The request has its effect before the wait, even if the client disconnects.
        if wait := self._latency + (fault.delay if fault else 0):
            await asyncio.sleep(wait)
        if fault is not None and fault.reset == "after":
            return reset(request)
        received.status = response.status
        lengths = self._lengths or origin != "storage"
        return await send(request, response, cut=fault.cut if fault else None, lengths=lengths)

    def _answer(self, received: Request, fault: Fault | None) -> Response:
        response = fault.response(received.origin) if fault and fault.replaces else self._real_answer(received, fault)
        if received.origin == "api":
            response.headers["X-Request-Id"] = self._api.request_id()
        if fault is not None:
            fault.apply(response)
        return response

    def _real_answer(self, received: Request, fault: Fault | None) -> Response:
        expired = fault is not None and fault.expired
        if received.origin == "artifacts":
            return self._artifacts.answer(received, expired=expired)
        if received.origin == "storage":
            self._engine.advance()
            return self._storage.answer(received, expired=expired)
        if self._rate_limit is None or fault is not None:
            return self._api.answer(received)
        token = sent_token(received.headers)
        account = token if token and self._accounts.user_of(token) else None
        bucket = self._buckets.get(account)
        if bucket is None:
            bucket = self._buckets[account] = Bucket(self._rate_limit)
        response = bucket.take(_now()) or self._api.answer(received)
        response.headers.update(bucket.state())
        return response


async def _body(request: web.BaseRequest) -> bytes:
    return await request.read() if request.can_read_body else b""


def _now() -> float:
    return asyncio.get_running_loop().time()
