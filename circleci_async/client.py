"""The client: settings, shared state, and a property for each group of calls."""

import os
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from .config.log import configure_logging
from .config.os_keyring import KeyringToken
from .config.redacted import NotPicklable, Redacted
from .config.settings import discover
from .config.tokens import Token
from .core.attempts import OnAttempt
from .core.bounded_body import MAX_RESPONSE
from .core.credentials import Auth
from .core.encoding import Query
from .core.paging import Paged
from .core.request import RequestOptions
from .core.retry import RetryPolicy
from .core.session import Session
from .core.state import SharedSettings, new_state
from .core.stats import Stats
from .core.transport import Middleware
from .errors import InvalidArgument
from .resources.api_groups import ApiGroups

if TYPE_CHECKING:
    import aiohttp
    from distributed import Client

    from .core.rate_limit_status import RateLimitStatus
    from .core.when import When
    from .endpoints.resource import ProjectsRef
    from .harvest.destination.place import HarvestDestination
    from .harvest.events import OnHarvestEvent
    from .harvest.kinds import HarvestKind
    from .harvest.report import HarvestReport, OnFile
    from .harvest.selection import Selection
    from .harvest.sources.patterns import Scrub
    from .models.events import WebhookEvent

__all__ = ["CircleCI"]


class CircleCI(ApiGroups, NotPicklable):
    """A client of one CircleCI installation, for one token.

    Use it as `async with CircleCI() as circle:`, or call `await circle.aclose()` at the end. All tasks of one event
    loop may share it; it belongs to the event loop and process of its first call; others raise
    `ConfigurationError`.

    - `token`: a personal API token; or a function (plain or async) that returns one and is called before each request;
      or "" for anonymous requests. If a request gets a 401 and the function returns another token
      since, the request is sent once more. None: `CIRCLE_TOKEN`, `CIRCLE_CLI_TOKEN`, `CIRCLECI_TOKEN`,
      `CIRCLECI_CLI_TOKEN`, then the official CLI's config files, then its login in the OS keyring (with the extra
      `keyring`); without any, requests are anonymous, which public projects accept.
    - `host`: root address of a CircleCI Server installation. None: `CIRCLE_HOST`, `CIRCLECI_HOST`,
      `CIRCLECI_CLI_HOST`, the same files, then `https://circleci.com`.
    - `auth`: how the token is sent: "circle-token" (a header of that name), "bearer" or "basic" (as user name).
    - `timeout`: seconds for one attempt of a call; for artifacts, until the headers, and between two reads.
    - `min_speed`: bytes per second below which an artifact counts as interrupted, measured over 30 s of waiting for the
      network; None for no limit.
    - `retry`: which failures are retried, and for how long.
    - `concurrency`: maximum number of requests in flight, over all tasks.
    - `max_response_bytes`: maximum size of a response, decompressed; a larger one raises `ResponseTooLarge`. Artifacts,
      the output of steps and the rows of usage exports are streamed, and have no maximum.
    - `artifact_hosts`: hosts besides `host` that are sent the token, as "host" or "host:port"; globs are allowed. None:
      `CIRCLE_ARTIFACT_HOSTS`, then `*.circle-artifacts.com`.
    - `http`: an `aiohttp.ClientSession` of yours, with its own proxy and TLS settings. It is never closed.
    - `middlewares`: aiohttp client middlewares, which run for every request, inside those of `http`. They never see the
      token.
    - `user_agent`: text such as "my-bot/1.2", put before "circleci-async/VERSION". None: the header of `http` is kept.
    - `trust_env`: whether `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` are used.
    - `on_attempt`: a plain function that is called with each completed `Attempt`, for metrics. Its errors are logged.

    `CIRCLECI_ASYNC_LOG=info` or `debug` in the environment logs to stderr.

    Raises `ConfigurationError` or `InvalidArgument` for a malformed or unsafe setting.
    (API developer's guide, "Authentication")
    """

    def __init__(
        self,
        token: Token | None = None,
        *,
        host: str | None = None,
        auth: Auth = "circle-token",
        timeout: float = 60.0,
        min_speed: float | None = 1024.0,
        retry: RetryPolicy | None = None,
        concurrency: int = 32,
        max_response_bytes: int = MAX_RESPONSE,
        artifact_hosts: Iterable[str] | None = None,
        http: "aiohttp.ClientSession | None" = None,
        middlewares: Iterable[Middleware] = (),
        user_agent: str | None = None,
        trust_env: bool = True,
        on_attempt: OnAttempt | None = None,
    ) -> None:
        given_token, given_host = Redacted(token), Redacted(host)
        del token, host  # a traceback that prints local variables must not print them
        configure_logging()
        options = RequestOptions(timeout, retry or RetryPolicy(), on_attempt, min_speed)
        self._settings = settings = discover(given_token, given_host, artifact_hosts)
        shared = SharedSettings(
            host=settings.host,
            artifact_hosts=settings.artifact_hosts,
            are_hosts_named=settings.are_hosts_named,
            auth=auth,
            concurrency=concurrency,
            max_response_bytes=max_response_bytes,
            user_agent=user_agent,
            trust_env=trust_env,
        )
        token_source = settings.token_source
        state = new_state(shared, Redacted(settings.token), token_source, http=http, middlewares=middlewares)
        self._session = Session(state, options)
        self._owns_state = True

    async def __aenter__(self) -> Self:
        if isinstance(self._settings.token, KeyringToken):
            await self._settings.token.read()  # here, since it takes longer than a request, and can fail
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self, *, drain: float = 0.0) -> None:
        """Close the client and its connections. New calls raise `ConfigurationError` from now on.

        `drain`: seconds to let running calls, streams and downloads finish. Those still running then (by default, all)
        are cancelled and raise `ConfigurationError`. A list or a batch consists of many calls: its next one is new.

        Idempotent, and may be called by several tasks at once: the shortest `drain` counts. Cancelling it cancels the
        running calls at once. A caller's `http` session stays open. On a client from `with_options` it does nothing.
        """
        if self._owns_state:
            await self._session.state.aclose(drain=drain)

    def with_options(
        self,
        *,
        timeout: float | None = None,
        retry: RetryPolicy | None = None,
        on_attempt: OnAttempt | None = None,
    ) -> Self:
        """Return a client with other options that shares everything else: connections, limiter and counters."""
        derived = object.__new__(type(self))
        derived._settings = self._settings
        derived._session = self._session.with_options(timeout=timeout, retry=retry, on_attempt=on_attempt)
        derived._owns_state = False
        return derived

    def for_token(
        self,
        token: Token,
        *,
        timeout: float | None = None,
        retry: RetryPolicy | None = None,
        on_attempt: OnAttempt | None = None,
    ) -> Self:
        """Return a client with another token, such as that of a user of your service, that shares the connections.

        It has its own limiter (with the same `concurrency`), retry budget, rate limit, counters, polls and secrets: the
        calls of one token do not affect another. All settings are those of this client; `timeout`, `retry` and
        `on_attempt` can be changed as by `with_options`. Webhook events must be passed to its own `notify`.

        Closing it cancels its own calls, and leaves this client and the connections open; it need not be closed.
        Closing this client closes it.

        Raises `InvalidArgument` for None, since this client's token must not be used in place of a missing one;
        `ConfigurationError` for an invalid token.
        """
        given = Redacted(token)
        del token  # a traceback that prints local variables must not print it
        if given.reveal() is None:
            raise InvalidArgument('token must be a token, or a function that returns one, got None ("" for no token)')
        derived = object.__new__(type(self))
        derived._settings = discover(given, self._settings.host, self._settings.artifact_hosts)
        state = self._session.state.with_token(Redacted(derived._settings.token), derived._settings.token_source)
        session = Session(state, self._session.options)
        derived._session = session.with_options(timeout=timeout, retry=retry, on_attempt=on_attempt)
        derived._owns_state = True
        return derived

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send any request with the client's authentication, retries and limiter; return parsed JSON (None if empty).

        `path` is below `/api/v2`, or below the host if it begins with `/api/` (`/api/v1.1/me`); quote its segments with
        `circleci_async.segment`. It may contain a query, to which `query` adds; `query` takes precedence. `headers` add
        to the client's own and take precedence; the token's are refused.

        Raises `InvalidArgument` for an invalid path, method or header, else as every call does.
        """
        body = None if json is None else Redacted(json)
        extra = None if headers is None else Redacted(headers)
        del json, headers  # a traceback that prints local variables must not print them
        return await self._session.request_json(method, path, query=query, json=body, headers=extra)

    def paginate(self, path: str, *, query: Query | None = None) -> Paged[dict[str, Any]]:
        """Return any list of the API as dicts, with the client's authentication, retries and limiter.

        The server must return pages as API v2 does: `items`, and `next_page_token` for the query `page-token`. `path`
        and `query` are as in `request`.

        Raises `InvalidArgument` for an invalid path or query.
        """
        return self._session.paged_json(path, query=query)

    async def harvest(
        self,
        projects: "ProjectsRef",
        into: "HarvestDestination",
        *,
        what: "HarvestKind | Iterable[HarvestKind]" = "artifacts",
        ledger: str | os.PathLike[str] | None = None,
        select: "Selection | None" = None,
        layout: str | None = None,
        scrub: "Scrub" = None,
        ansi: bool = False,
        concurrency: int = 32,
        attempts: int = 5,
        max_files: int | None = None,
        max_bytes: int | None = None,
        min_free: int | None = None,
        dedupe: Literal["hardlink"] | None = None,
        recheck: "When | None" = None,
        on_progress: "OnHarvestEvent | None" = None,
        on_file: "OnFile | None" = None,
        workers: "Client | None" = None,
        send_token: bool = False,
    ) -> "HarvestReport":
        """Download artifacts, logs, tests and builds of projects or organizations, except those already downloaded.

        A ledger in `into` (created if missing) records every file. A second harvest downloads only what is new,
        failed, or changed on disk; one that was interrupted, even killed, resumes. A file appears under its name only
        when it is complete. A failure does not affect other artifacts: the report lists it, the next harvest retries.

        - `projects`: a project such as `gh/acme/api`, an organization such as `gh/acme` for the projects that
          `projects.list` finds, or several of both.
        - `into`: a folder; the URL of a bucket, such as `s3://ci-archive/acme` (extra `store`; also `gs://`, `az://`,
          `memory:`); or a store of obstore. Large files are first written to a folder of this machine.
        - `what`: the artifacts of each job, its "logs", "tests" and "builds" (pipeline, workflow and job as JSON), or
          several of these. The last three are taken once the job has finished.
        - `ledger`: a folder of this machine for the ledger, and for the large files of a bucket. None: the ledger is in
          `into`, below `.harvest/` in a bucket.
        - `select`: which files; by default all.
        - `layout`: paths below `into`. None: `{project}/{pipeline}/{workflow}/{job}-{number}/{node}/{path}`, `{node}`
          only where a job has artifacts of several nodes. Further fields: `{created_at:%Y-%m-%d}` of the pipeline,
          `{branch}`, `{tag}`, `{revision}`, `{pipeline_id}`.
        - `scrub`: regular expressions whose matches in logs, tests and builds become `[scrubbed]`, or only their group
          `secret`. They add to `DEFAULT_SCRUB_PATTERNS`; False: replace nothing.
        - `ansi`: keep the escape codes in logs.
        - `concurrency`: files at a time, within the client's own `concurrency`.
        - `attempts`: attempts per artifact, each with the client's retries, before it counts as failed.
        - `max_files`, `max_bytes`: stop before downloading more than this.
        - `min_free`: stop before fewer bytes of the disk are free. None: 256 MiB.
        - `dedupe="hardlink"`: files with equal content share their disk space.
        - `recheck`: list the workflows of a pipeline again, since one can be rerun, until it is this old, such as
          `"30d"`. None: 14 days. Those of an older pipeline are listed again only if one of them had not ended.
        - `on_progress`: called with each `HarvestEvent`; a plain function in a separate thread, an async one on the
          event loop. A slow or failing one does not affect the harvest.
        - `on_file`: an async function, awaited once for each `HarvestedFile` that this harvest places, `concurrency` at
          a time. A slow one slows the downloads. If it raises an error, the file is kept, the report lists the failure,
          and the next harvest calls it again, as it does after a kill or a cancellation.
        - `workers`: a `distributed.Client`, synchronous or asynchronous (of this event loop): the workers of its Dask
          cluster fetch the files, `concurrency` per process, and store them in the bucket, or in a folder that all
          share. They have this version of the package, find their tokens themselves, and use this client's host,
          timeouts and retries, but not its `http`, `middlewares` and `on_attempt`. None: this process.
        - `send_token`: send this client's token to the workers. Everyone who can connect to the scheduler can read it.

        Raises `InvalidArgument`; `ConfigurationError` if an extra is missing; the error of `projects.list` if no other
        project is given; `LedgerError` if the
        ledger cannot be used; `LedgerBusy` if another harvest is running in `into`. Cancelling leaves only complete
        files and keeps everything downloaded so far.
        """
        from .harvest.run import harvest

        return await harvest(
            self._session,
            projects,
            into,
            what=what,
            ledger=ledger,
            select=select,
            layout=layout,
            scrub=scrub,
            ansi=ansi,
            concurrency=concurrency,
            attempts=attempts,
            max_files=max_files,
            max_bytes=max_bytes,
            min_free=min_free,
            dedupe=dedupe,
            recheck=recheck,
            on_progress=on_progress,
            on_file=on_file,
            workers=workers,
            send_token=send_token,
        )

    @property
    def host(self) -> str:
        """Root address of the installation, such as `https://circleci.com`."""
        return self._settings.host

    @property
    def token_source(self) -> str:
        """Where the token was found, or why there is none. Never the token itself."""
        return self._settings.token_source

    @property
    def has_token(self) -> bool:
        """Whether there is a token; of a keyring, once the client is entered. Without one, requests are anonymous."""
        return self._settings.has_token

    @property
    def stats(self) -> Stats:
        """The client's counters: live; `circle.stats()` returns a copy."""
        return self._session.state.stats

    @property
    def rate_limit(self) -> "RateLimitStatus":
        """The rate limit as the API last stated it, and the estimated rate. Fields are None before."""
        return self._session.state.rate_limit

    def notify(self, event: "WebhookEvent") -> bool:
        """Pass a webhook event to the calls that wait for its pipeline or workflow; return whether there are any.

        They apply the event and poll at once. Pass only what `webhooks.unwrap` or a `webhooks.Receiver` returned: an
        event without a verified signature can be forged.

        Raises `ConfigurationError` in another event loop than the client's, `InvalidArgument` for another type.
        """
        from .watching import registry as poller_registry

        return poller_registry.notify(self._session.state, event)

    def __repr__(self) -> str:
        return f"<CircleCI {self.host}, token: {self.token_source}>"
