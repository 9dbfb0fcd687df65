"""An embedded CircleCI: three HTTP servers on loopback that behave like the real thing."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from secrets import token_bytes
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from aiohttp import web

from ..errors import InvalidArgument
from .server.api import ApiOrigin
from .server.artifacts import ArtifactOrigin
from .server.delivery import Deliverer
from .server.exchange import Origin, Received, Reply, message_reply
from .server.faults import Body, Fault, Faults
from .server.limits import Bucket, RateLimit
from .server.listener import Listener, reset, send
from .server.pages import PageTokens
from .server.signatures import Signer
from .server.storage import StorageOrigin
from .state.engine import Engine
from .state.world import World

if TYPE_CHECKING:
    from ..client import CircleCI


_EXPORT_LIFETIME = 36 * 60 * 60.0  # seconds that the address of a usage export's part is good for


class FakeCircleCI:
    """A CircleCI that runs in your own process: `async with FakeCircleCI(world) as fake: ...`.

    Three servers listen on loopback: the API (`url`), the artifact host (`artifact_host`), which wants the token too
    and redirects to the third, a storage with signed addresses that answers 400 to any request that shows a token.

    `world`: what there is, an empty world unless given. `token`: the only one that is valid; it belongs to `world.me`.
    `rate_limit`: of the API, or just its requests per second; none unless given. `latency`: seconds before each answer.
    `page_size`: items on a page.
    `run_time`: seconds that a triggered pipeline takes to its end. `signature_lifetime`: seconds that a storage address
    is good for. `host`, `ports`: where to listen (API, artifacts, storage); port 0 takes a free one.
    `ranges`, `etags`, `lengths`: whether the storage understands Range, sends ETag, sends Content-Length.
    `record`: whether `requests` is kept; turn it off for a server that is to run for long.
    `webhook_timeout`: seconds in which a webhook must have answered, with 2xx. `webhook_retries`: the seconds before
    each further attempt; after the last one an event is given up.

    It can be entered again after it was closed; the world, the requests and the faults stay.
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        token: str = "fake-token",  # noqa: S107  good for nothing but this server
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
    ) -> None:
        if not token.strip():
            raise InvalidArgument("token: a blank one would let everybody in")
        if page_size < 1:
            raise InvalidArgument(f"page_size: expected at least 1, not {page_size}")
        if webhook_timeout <= 0:
            raise InvalidArgument(f"webhook_timeout: expected more than 0 seconds, not {webhook_timeout}")
        if any(pause < 0 for pause in webhook_retries):
            raise InvalidArgument(f"webhook_retries: expected seconds, not {webhook_retries}")
        self.token = token
        self.requests: list[Received] = []
        """What was received by all three servers, in the order of arrival."""
        self._world = world or World()
        self._latency = latency
        self._host = host
        self._ports = ports
        self._lengths = lengths
        self._record = record
        if isinstance(rate_limit, int | float):
            rate_limit = RateLimit(rate_limit)
        self._bucket = None if rate_limit is None else Bucket(rate_limit)
        self._faults = Faults()
        self._engine = Engine(self._world, run_time)
        secret = token_bytes(16)
        signer = Signer(secret, signature_lifetime, self._world.clock)
        self._artifacts = ArtifactOrigin(self._world, self._engine, signer, token)
        self._storage = StorageOrigin(self._world, signer, ranges=ranges, etags=etags)
        pages = PageTokens(page_size, token_bytes(16))
        exports = Signer(secret, _EXPORT_LIFETIME, self._world.clock)
        self._api = ApiOrigin(self._world, self._engine, pages, token, self._artifacts, exports=exports, outputs=signer)
        self._deliverer = Deliverer(self._world, self._engine, timeout=webhook_timeout, retries=webhook_retries)
        self._listeners: list[Listener] = []
        self._addresses: dict[Origin, str] = {}

    async def start(self) -> None:
        """Listen. `async with` does this."""
        if self._listeners:
            raise RuntimeError("this FakeCircleCI is running already")
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
        """Close all servers at once, and cut what is under way, deliveries too. `async with` does this."""
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
        """Listen until Ctrl-C or SIGTERM; `announce` is called with this server as soon as it listens."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with self:
            # Not every platform and thread takes signal handlers; there, cancelling this call stops it.
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
            raise RuntimeError("this FakeCircleCI is not running; use `async with` or await start()") from None

    @property
    def url(self) -> str:
        """Root of the API, such as `http://127.0.0.1:8080`; its paths begin with `/api/v2`."""
        return f"http://{self._address('api')}"

    @property
    def artifact_host(self) -> str:
        """Host and port of the artifacts: what `artifact_hosts` and CIRCLE_ARTIFACT_HOSTS must name."""
        return self._address("artifacts")

    @property
    def storage_host(self) -> str:
        """Host and port that the artifacts redirect to; no client should send the token there."""
        return self._address("storage")

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which a client finds this server."""
        return {"CIRCLE_HOST": self.url, "CIRCLE_TOKEN": self.token, "CIRCLE_ARTIFACT_HOSTS": self.artifact_host}

    @property
    def world(self) -> World:
        """The world, as it is by now."""
        self._engine.settle()
        return self._world

    async def delivered(self) -> None:
        """Wait until every event that has happened by now was delivered to its webhooks, or given up after all retries.

        What has not ended yet is no event yet: wait for its end first, or let your clock go on.
        """
        self._address("api")  # says so if it is not running
        await self._deliverer.delivered()

    @property
    def rate_limited(self) -> int:
        """How many requests the rate limit refused."""
        return 0 if self._bucket is None else self._bucket.rejected

    def client(self, **options: Any) -> "CircleCI":
        """Make a client of this server, ready for `async with`; `options` are those of `CircleCI`.

        It has the token (give `token` for another one) and trusts the artifact host.
        """
        from ..client import CircleCI

        mine: dict[str, Any] = {
            "token": self.token,
            "host": self.url,
            "trust_env": False,  # no proxy leads to a server on this machine
            **options,
            "artifact_hosts": (*(options.get("artifact_hosts") or ()), self.artifact_host),
        }
        return CircleCI(**mine)

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
        """Let requests go wrong, and return the fault, whose `hits` tells how often it struck.

        Which requests: those whose path (escaped or not, without query) matches the glob `path`, such as
        `/api/v2/me` or `*/artifacts`, on any origin unless `origin` names one, with any method unless `method` does;
        the first `after` of them pass, the next `times` are struck (None: all). The first fault that fits strikes, and
        a request that is struck is not rate limited.

        How: `status` and `body` (text, bytes, or what becomes JSON) answer instead of the server, which does nothing;
        `headers` are added to the answer. `delay` waits so many seconds before the answer; the request has had its
        effect by then. `reset="before"` resets the connection without reading the body, `reset="after"` when the
        request has had its effect, so that a POST was received and its answer is lost. `cut` promises the whole answer
        and closes the connection after so many bytes of its body. `broken_json` ends the JSON too early.
        `expired`: on the artifact host, the redirect's signature has expired already; on the storage, it has by now.
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
        received = Received(origin, request.method, path, request.query, request.headers, _now())
        if self._record:
            self.requests.append(received)
        fault = self._faults.strike(origin, request.method, path)
        if fault is not None and fault.reset == "before":
            await asyncio.sleep(fault.delay)
            return reset(request)
        try:
            received.body = await request.read() if request.can_read_body else b""
            reply = self._answer(received, fault)
        except web.HTTPRequestEntityTooLarge:
            reply = message_reply(413)
        # The effect comes first, then the wait: a client that gives up has not undone what it asked for.
        if wait := self._latency + (fault.delay if fault else 0):
            await asyncio.sleep(wait)
        if fault is not None and fault.reset == "after":
            return reset(request)
        received.status = reply.status
        lengths = self._lengths or origin != "storage"
        return await send(request, reply, cut=fault.cut if fault else None, lengths=lengths)

    def _answer(self, received: Received, fault: Fault | None) -> Reply:
        reply = fault.reply(received.origin) if fault and fault.replaces else self._real_answer(received, fault)
        if received.origin == "api":
            reply.headers["X-Request-Id"] = self._api.request_id()
        if fault is not None:
            fault.spoil(reply)
        return reply

    def _real_answer(self, received: Received, fault: Fault | None) -> Reply:
        expired = fault is not None and fault.expired
        if received.origin == "artifacts":
            return self._artifacts.answer(received, expired=expired)
        if received.origin == "storage":
            self._engine.settle()
            return self._storage.answer(received, expired=expired)
        if self._bucket is None or fault is not None:
            return self._api.answer(received)
        reply = self._bucket.take(_now()) or self._api.answer(received)
        reply.headers.update(self._bucket.state())
        return reply


def _now() -> float:
    return asyncio.get_running_loop().time()
