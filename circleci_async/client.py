"""The client: settings -> session -> groups of calls."""

import os
from collections.abc import Iterable
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import parse_qs

from .config.settings import discover
from .config.tokens import Token
from .config.trust import Trust
from .core.attempts import OnAttempt
from .core.encoding import Query
from .core.lifetime import Lifetime
from .core.limiter import Gate
from .core.request import ClientState, RequestOptions
from .core.retry import Budget, RetryPolicy
from .core.session import Session
from .core.stats import Stats
from .core.transport import Auth, Transport
from .errors import InvalidArgument

if TYPE_CHECKING:
    import aiohttp

    from .endpoints.checkout_keys import CheckoutKeys
    from .endpoints.deploys import Deploys
    from .endpoints.groups import Groups
    from .endpoints.oidc import Oidc
    from .endpoints.organizations import Organizations
    from .endpoints.otel import Otel
    from .endpoints.pipeline_definitions import PipelineDefinitions
    from .endpoints.policies import Policies
    from .endpoints.projects import Projects
    from .endpoints.resource import ProjectRef
    from .endpoints.schedules import Schedules
    from .endpoints.triggers import Triggers
    from .endpoints.url_orb_allow_list import UrlOrbAllowList
    from .endpoints.users import Users
    from .endpoints.webhooks import Webhooks
    from .harvest.events import OnHarvestEvent
    from .harvest.report import HarvestReport
    from .harvest.selection import Selection
    from .models.events import WebhookEvent
    from .resources.artifacts import Artifacts
    from .resources.contexts import Contexts
    from .resources.environment_variables import EnvironmentVariables
    from .resources.insights import Insights
    from .resources.jobs import Jobs
    from .resources.pipelines import Pipelines
    from .resources.usage import Usage
    from .resources.workflows import Workflows

__all__ = ["CircleCI"]


class CircleCI:
    """A client of one CircleCI installation, for one token.

    Use it as `async with CircleCI() as circle:`, or call `await circle.aclose()` in the end. It may be shared by all
    tasks of one event loop: that of its first call. In another one, or in a forked child, calls raise
    `ConfigurationError`.

    - `token`: a personal API token, or a function (plain or async) that returns one and is called before each request
      (`TokenFile` is one), or "" for none. If a request is refused and the function gives another token by then, it is
      sent once more. None: `CIRCLE_TOKEN`, `CIRCLECI_TOKEN`, `CIRCLECI_CLI_TOKEN`, then the official CLI's config
      files; if none is found, requests are anonymous, which public projects answer.
    - `host`: the root of a CircleCI server installation. None: `CIRCLE_HOST`, `CIRCLECI_HOST`, `CIRCLECI_CLI_HOST`,
      then the same files, then `https://circleci.com`.
    - `auth`: how the token is sent: "circle-token" (a header of that name), "bearer" or "basic" (as user name).
    - `timeout`: seconds for one attempt of a call (of artifacts: for connecting and for each read, not for the whole).
    - `retry`: which failures are tried again, and for how long.
    - `concurrency`: requests in flight, of all tasks together.
    - `artifact_hosts`: besides the host itself, the only ones that are sent the token: "host" or "host:port", globs
      allowed. None: `CIRCLE_ARTIFACT_HOSTS`, then `*.circle-artifacts.com`.
    - `http`: an `aiohttp.ClientSession` of your own, with its own proxy and TLS settings; it is never closed here.
    - `trust_env`: whether `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` are heeded.
    - `on_attempt`: a plain function that is called with an `Attempt` after each one, for metrics. What it raises is
      logged, and disturbs no call.

    Raises `ConfigurationError` if a setting is malformed or unsafe.  (API developer's guide, "Authentication")
    """

    def __init__(
        self,
        token: Token | None = None,
        *,
        host: str | None = None,
        auth: Auth = "circle-token",
        timeout: float = 60.0,
        retry: RetryPolicy | None = None,
        concurrency: int = 32,
        artifact_hosts: Iterable[str] | None = None,
        http: "aiohttp.ClientSession | None" = None,
        trust_env: bool = True,
        on_attempt: OnAttempt | None = None,
    ) -> None:
        if type(concurrency) is not int or concurrency < 1:
            raise InvalidArgument(f"concurrency={concurrency!r}: give a whole number from 1")
        options = RequestOptions(timeout, retry or RetryPolicy(), on_attempt)
        settings = discover(token, host, artifact_hosts)
        trust = Trust(settings.host, settings.artifact_hosts)
        transport = Transport(token=settings.token, trust=trust, auth=auth, http=http, trust_env=trust_env)
        stats = Stats()
        core = ClientState(settings.host, transport, Gate(concurrency, stats), Budget(), stats, Lifetime())
        self._settings = settings
        self._owner = True
        self._session = Session(core, options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self, *, drain: float = 0.0) -> None:
        """Close the client: no new call begins from now on, and in the end no connection is open.

        `drain`: seconds for calls that are under way, streams and downloads included, to end by themselves. What is
        left then, and by default everything, is cut: it raises `ConfigurationError`, which says that the client is
        closed. A list or a batch is many calls: its next one is a new one.

        Safe to repeat, and to call from several tasks at once: the least patient one counts. Cancelled, it cuts at
        once. An aiohttp session of your own stays open. Of a client made by `with_options` it closes nothing.
        """
        if self._owner:
            core = self._session.state
            await core.lifetime.close(core.transport, drain=drain)

    def with_options(
        self,
        *,
        timeout: float | None = None,
        retry: RetryPolicy | None = None,
        on_attempt: OnAttempt | None = None,
    ) -> Self:
        """Return this client with other options, those that are given: the same connections, gate and counters."""
        now = self._session.options
        other = object.__new__(type(self))
        other._settings = self._settings
        other._owner = False
        options = RequestOptions(
            now.timeout if timeout is None else timeout,
            now.retry if retry is None else retry,
            now.on_attempt if on_attempt is None else on_attempt,
        )
        other._session = Session(self._session.state, options)
        return other

    async def request(self, method: str, path: str, *, query: Query | None = None, json: Any = None) -> Any:
        """Call anything, with the same authentication, retries and gate, and return the parsed JSON (None if empty).

        `path` hangs below `/api/v2`, or below the host if it begins with `/api/` (`/api/v1.1/me`); quote its parts with
        `circleci_async.segment`. It may bring a query; `query` adds to it, and wins. Raises as every call does.
        """
        method = method.upper()
        if not (method.isascii() and method.isalpha()):
            raise InvalidArgument(f"method={method!r}: give one such as 'GET'")
        whole, (path, _, written) = path, path.partition("?")
        if "://" in path or path.startswith("//") or "#" in whole:
            raise InvalidArgument(f"path={whole!r}: give a path below the API, such as '/me'")
        path = f"/{path.removeprefix('/')}"
        if any(part in {".", ".."} for part in path.split("/")):
            raise InvalidArgument(f"path={path!r}: '.' and '..' would lead to another path")
        if not path.isprintable():
            raise InvalidArgument(f"path={path!r}: quote its parts with `circleci_async.segment`")
        whole_query: Query = {**parse_qs(written, keep_blank_values=True), **(query or {})}
        return await self._session.request_json(method, path, query=whole_query, json=json)

    async def harvest(
        self,
        projects: "ProjectRef | Iterable[ProjectRef]",
        into: str | os.PathLike[str],
        *,
        select: "Selection | None" = None,
        layout: str | None = None,
        concurrency: int = 32,
        attempts: int = 5,
        max_files: int | None = None,
        max_bytes: int | None = None,
        min_free: int | None = None,
        dedupe: Literal["hardlink"] | None = None,
        on_progress: "OnHarvestEvent | None" = None,
    ) -> "HarvestReport":
        """Harvest the artifacts of one project or many: find them all, and fetch what is not there yet.

        What was fetched stands in a ledger in the folder `into`, which is made if need be. So a second harvest fetches
        only what is new, failed, or changed on the disk, and one that was interrupted, even killed, goes on there. A
        file appears whole, in one step, or not at all. One failure never loses the others: the report tells of it, and
        the next harvest tries again.

        - `select`: which artifacts; all unless given.
        - `layout`: where they go, below `into`. None: `{project}/{pipeline}/{workflow}/{job}-{number}/{node}/{path}`,
          `{node}` only where a job has artifacts of more than one.
        - `concurrency`: files at once, within the client's own `concurrency`.
        - `attempts`: how often an artifact is tried, each time with the client's retries, before it is a failure.
        - `max_files`, `max_bytes`: stop, cleanly, before more than so much is fetched.
        - `min_free`: stop before less than so many bytes of the disk are free. None: 256 MiB.
        - `dedupe="hardlink"`: files of the same bytes share their place on the disk.
        - `on_progress`: called with a `HarvestEvent` now and then; a plain function in a thread of its own, an async
          one on the event loop. One that is slow or fails holds up nothing.

        Raises `InvalidArgument`; `LedgerError` if the ledger can't be used, `LedgerBusy` if another harvest is at work
        in `into`. Cancelling it leaves only whole files, and all that has come is kept.
        """
        from .harvest.bounds import MIN_FREE
        from .harvest.layout import DEFAULT_LAYOUT
        from .harvest.run import harvest

        return await harvest(
            self._session,
            projects,
            into,
            select=select,
            layout=DEFAULT_LAYOUT if layout is None else layout,
            concurrency=concurrency,
            attempts=attempts,
            max_files=max_files,
            max_bytes=max_bytes,
            min_free=MIN_FREE if min_free is None else min_free,
            dedupe=dedupe,
            on_progress=on_progress,
        )

    @property
    def host(self) -> str:
        """The root of the installation, such as `https://circleci.com`."""
        return self._settings.host

    @property
    def token_source(self) -> str:
        """Where the token comes from, in words, or why there is none. Never the token."""
        return self._settings.token_source

    @property
    def stats(self) -> Stats:
        """What this client has done so far: live, and as a copy when it is called, `circle.stats()`."""
        return self._session.state.stats

    def notify(self, event: "WebhookEvent") -> bool:
        """Give an event of a webhook to those who wait for its pipeline or its workflow; say whether there are any.

        They take in what it says, and look at once. Only give what `webhooks.unwrap` or a `webhooks.Receiver` returned:
        an event whose signature was not verified may be anybody's. Raises `ConfigurationError` in another event loop
        than the client's, `InvalidArgument` for what is no event.
        """
        from .watching import registry as watches

        return watches.notify(self._session.state, event)

    def __repr__(self) -> str:
        return f"<CircleCI {self.host}, token: {self.token_source}>"

    # Each group is imported when it is first used, so that a program pays only for the models it needs.

    @cached_property
    def users(self) -> "Users":
        """Users: who is asking, and who is who."""
        from .endpoints.users import Users

        return Users(self._session)

    @cached_property
    def projects(self) -> "Projects":
        """Projects: read, create, set up, configure, roll back, delete."""
        from .endpoints.projects import Projects

        return Projects(self._session)

    @cached_property
    def pipelines(self) -> "Pipelines":
        """Pipelines: list, read, run, trigger, continue, wait, watch."""
        from .resources.pipelines import Pipelines

        return Pipelines(self._session)

    @cached_property
    def workflows(self) -> "Workflows":
        """Workflows: read, cancel, rerun, approve, wait, watch."""
        from .resources.workflows import Workflows

        return Workflows(self._session)

    @cached_property
    def jobs(self) -> "Jobs":
        """Jobs: details, tests, steps and their output, cancel."""
        from .resources.jobs import Jobs

        return Jobs(self._session)

    @cached_property
    def artifacts(self) -> "Artifacts":
        """Artifacts: list, download, stream."""
        from .resources.artifacts import Artifacts

        return Artifacts(self._session)

    @cached_property
    def insights(self) -> "Insights":
        """Insights: metrics of workflows, jobs and tests."""
        from .resources.insights import Insights

        return Insights(self._session)

    @cached_property
    def organizations(self) -> "Organizations":
        """Organizations: create, read, delete."""
        from .endpoints.organizations import Organizations

        return Organizations(self._session)

    @cached_property
    def groups(self) -> "Groups":
        """Groups of an organization's users."""
        from .endpoints.groups import Groups

        return Groups(self._session)

    @cached_property
    def contexts(self) -> "Contexts":
        """Contexts: variables that the projects of an organization share, and who may use them."""
        from .resources.contexts import Contexts

        return Contexts(self._session)

    @cached_property
    def environment_variables(self) -> "EnvironmentVariables":
        """Environment variables of a project."""
        from .resources.environment_variables import EnvironmentVariables

        return EnvironmentVariables(self._session)

    @cached_property
    def checkout_keys(self) -> "CheckoutKeys":
        """Checkout keys: the SSH keys that a project's code is checked out with."""
        from .endpoints.checkout_keys import CheckoutKeys

        return CheckoutKeys(self._session)

    @cached_property
    def schedules(self) -> "Schedules":
        """Schedules: pipelines at set times."""
        from .endpoints.schedules import Schedules

        return Schedules(self._session)

    @cached_property
    def webhooks(self) -> "Webhooks":
        """Outbound webhooks: what CircleCI tells your service of."""
        from .endpoints.webhooks import Webhooks

        return Webhooks(self._session)

    @cached_property
    def pipeline_definitions(self) -> "PipelineDefinitions":
        """Pipeline definitions: where a pipeline's configuration and code come from."""
        from .endpoints.pipeline_definitions import PipelineDefinitions

        return PipelineDefinitions(self._session)

    @cached_property
    def triggers(self) -> "Triggers":
        """Triggers: which events set a pipeline definition going."""
        from .endpoints.triggers import Triggers

        return Triggers(self._session)

    @cached_property
    def usage(self) -> "Usage":
        """Usage exports: what was built, and what it cost."""
        from .resources.usage import Usage

        return Usage(self._session)

    @cached_property
    def deploys(self) -> "Deploys":
        """Deploys: environments, components and their versions."""
        from .endpoints.deploys import Deploys

        return Deploys(self._session)

    @cached_property
    def policies(self) -> "Policies":
        """Config policies: bundles, decisions, settings."""
        from .endpoints.policies import Policies

        return Policies(self._session)

    @cached_property
    def oidc(self) -> "Oidc":
        """OIDC tokens: the claims that jobs' tokens make."""
        from .endpoints.oidc import Oidc

        return Oidc(self._session)

    @cached_property
    def otel(self) -> "Otel":
        """OpenTelemetry exporters (preview)."""
        from .endpoints.otel import Otel

        return Otel(self._session)

    @cached_property
    def url_orb_allow_list(self) -> "UrlOrbAllowList":
        """The URL orb allow-list: from where orbs may be used by URL."""
        from .endpoints.url_orb_allow_list import UrlOrbAllowList

        return UrlOrbAllowList(self._session)
