"""What all calls of a client share."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, field, frozen

from ..config.redacted import Redacted
from ..config.tokens import Token
from ..config.trust import Trust
from .arguments import check_positive_integer
from .credentials import Auth, Credentials
from .lifetime import Lifetime
from .limiter import Limiter
from .response import Response
from .retry import RetryBudget
from .stats import Stats
from .transport import Middleware, Transport
from .wait_monitor import WaitMonitor

if TYPE_CHECKING:
    import aiohttp

    from .rate_limit_status import RateLimitStatus

T = TypeVar("T")


@frozen
class SharedSettings:
    """The settings that a client shares with every client derived from it. They contain no secret, and can be pickled.

    Those that cannot be pickled (token, `http`, `middlewares`) are arguments of `new_state`.
    """

    host: str
    """Root address of the installation, such as `https://circleci.com`; every path is appended to it."""
    artifact_hosts: tuple[str, ...]
    """Hosts besides `host` that are sent the token."""
    are_hosts_named: bool
    """Whether `artifact_hosts` are from an argument or the environment. Otherwise they depend on the token."""
    auth: Auth
    concurrency: int
    max_response_bytes: int
    """Bytes of the body of a response, decompressed, that is not streamed."""
    user_agent: str | None
    trust_env: bool


@define(eq=False)
class ClientState:
    """The parts that a client shares with every client derived from it by `with_options`."""

    settings: SharedSettings
    credentials: Credentials
    transport: Transport
    limiter: Limiter
    stats: Stats
    retry_budget: RetryBudget = field(factory=RetryBudget, init=False)
    lifetime: Lifetime = field(factory=Lifetime, init=False)
    _rate_limit_headers: Mapping[str, str] = field(factory=dict[str, str], init=False, repr=False)
    _singletons: dict[type[Any], Any] = field(factory=dict[type[Any], Any], init=False, repr=False)

    def with_token(self, token: Redacted[Token | None], source: str) -> "ClientState":
        """Return the state of a client with another token. The two share connections only; it ends with this one."""
        credentials, stats = self.credentials.with_token(token, source), Stats()
        derived = ClientState(
            self.settings,
            credentials,
            self.transport.with_credentials(credentials),
            Limiter(self.limiter.concurrency, stats),
            stats,
        )
        derived.lifetime = self.lifetime.child()
        return derived

    async def aclose(self, *, drain: float) -> None:
        """Close the lifetime and the connections; see `Lifetime.close`."""
        await self.lifetime.close(self.transport, drain=drain)

    @property
    def api(self) -> str:
        """Root address of the installation."""
        return self.settings.host

    @property
    def max_response_bytes(self) -> int:
        """Bytes of the body of a response, decompressed, that is not streamed."""
        return self.settings.max_response_bytes

    @property
    def waits(self) -> WaitMonitor:
        """Logs the calls that have been waiting for long."""
        return self.limiter.monitor

    @property
    def rate_limit(self) -> "RateLimitStatus":
        """The rate limit as the last response that stated one did, and the limiter's estimate."""
        from .rate_limit_status import parse_status

        return parse_status(self._rate_limit_headers, rate=self.limiter.rate)

    def note_rate_limit(self, response: Response) -> None:
        """Keep what a response of the API states about the rate limit. It is parsed when it is read."""
        if response.status == 429:
            from .rate_limit_status import RateLimitStatus, parse_status

            if parse_status(response.headers) == RateLimitStatus():
                return
        self._rate_limit_headers = response.headers

    def singleton(self, kind: type[T]) -> T:
        """Return the client's only instance of `kind`, such as its registry of pollers; create it on first use."""
        found = self.existing(kind)
        if found is None:
            found = self._singletons[kind] = kind()
        return found

    def existing(self, kind: type[T]) -> T | None:
        """Return the client's only instance of `kind`, or None if it has not been created."""
        return self._singletons.get(kind)


def new_state(
    settings: SharedSettings,
    token: Redacted[Token | None],
    source: str,
    *,
    http: "aiohttp.ClientSession | None" = None,
    middlewares: Iterable[Middleware] = (),
) -> ClientState:
    """Return the state of a new client. `source`: where the token was found, or why there is none.

    Raises `ConfigurationError` or `InvalidArgument` for an invalid setting.
    """
    trust = Trust(settings.host, settings.artifact_hosts)
    credentials = Credentials(token, trust, settings.auth, source)
    transport = Transport(
        credentials, http, trust_env=settings.trust_env, middlewares=middlewares, user_agent=settings.user_agent
    )
    check_positive_integer("max_response_bytes", settings.max_response_bytes)
    stats = Stats()
    return ClientState(settings, credentials, transport, Limiter(settings.concurrency, stats), stats)
