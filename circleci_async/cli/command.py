"""Turns coroutine functions into typer commands: adds the shared options and creates the client."""

import inspect
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, NamedTuple, cast

import typer

from .arguments import option
from .output import Output

if TYPE_CHECKING:
    from .. import CircleCI
    from ..errors import ConfigurationError

ExitCode = int | None
"""Return value of a command; None means 0."""

Host = Annotated[str | None, option("URL of the CircleCI installation.", "--host", metavar="URL")]
Timeout = Annotated[
    float | None, option("Timeout for each attempt of a call; 60 by default.", "--timeout", metavar="SECONDS")
]
Attempts = Annotated[
    int | None, option("Attempts per call, including the first; 5 by default.", "--attempts", metavar="N", min=1)
]
Deadline = Annotated[
    float | None,
    option(
        "Limit of a call that the server does not answer, with all attempts; 30 by default. Waiting for a rate limit"
        " and receiving files do not count.",
        "--deadline",
        metavar="SECONDS",
    ),
]
Json = Annotated[bool, option("Print JSON.", "--json")]
Verbose = Annotated[bool, option("Log each request to stderr.", "--verbose", "-v")]
Quiet = Annotated[bool, option("Print only results and errors: no progress and no notes.", "--quiet")]

DEADLINE = 30.0
"""Seconds that a call may take without an answer, unless `--deadline` or a longer `--timeout` is given."""

NOTE_AFTER = 3.0
"""Seconds after which a call that is waiting is shown."""

NOTE_EVERY = 10.0
"""Seconds after which it is shown again."""


class Options(NamedTuple):
    """The options that every command accepts, before and after its name."""

    host: str | None = None
    timeout: float | None = None
    attempts: int | None = None
    deadline: float | None = None
    json: bool = False
    verbose: bool = False
    quiet: bool = False

    def or_else(self, defaults: "Options") -> "Options":
        """Return these options, completed from `defaults`."""
        return Options(
            defaults.host if self.host is None else self.host,
            defaults.timeout if self.timeout is None else self.timeout,
            defaults.attempts if self.attempts is None else self.attempts,
            defaults.deadline if self.deadline is None else self.deadline,
            self.json or defaults.json,
            self.verbose or defaults.verbose,
            self.quiet or defaults.quiet,
        )


def _output_options(*, json: Json = False, verbose: Verbose = False, quiet: Quiet = False) -> None: ...


def _client_options(
    *,
    host: Host = None,
    timeout: Timeout = None,
    attempts: Attempts = None,
    deadline: Deadline = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None: ...


def with_output(command: Callable[Concatenate[Output, ...], Coroutine[Any, Any, ExitCode]]) -> Callable[..., None]:
    """Return a typer command for a coroutine function that takes an `Output`."""

    def invoke(options: Options, out: Output, **arguments: Any) -> Coroutine[Any, Any, ExitCode]:
        return command(out, **arguments)

    return _typer_command(command, 1, _output_options, invoke)


def with_client(
    command: Callable[Concatenate["CircleCI", Output, ...], Coroutine[Any, Any, ExitCode]],
    *,
    unless: str | None = None,
) -> Callable[..., None]:
    """Return a typer command for a coroutine function that takes a client, closed afterwards, and an `Output`.

    `unless`: an option with which the command needs no client, and no token. It gets None then.
    """

    async def invoke(options: Options, out: Output, **arguments: Any) -> ExitCode:
        from ..errors import AuthenticationError

        if unless is not None and arguments[unless] is not None:
            return await command(cast("CircleCI", None), out, **arguments)
        async with _client(options) as circle:
            if not circle.has_token:
                raise _no_token(circle)
            try:
                return await command(circle, out, **arguments)
            except AuthenticationError as error:
                error.add_note(f"token: {circle.token_source}")
                raise

    return _typer_command(command, 2, _client_options, invoke)


def _client(options: Options) -> "CircleCI":
    from .. import CircleCI, ConfigurationError, InvalidArgument, RetryPolicy

    timeout = 60.0 if options.timeout is None else options.timeout
    deadline = max(DEADLINE, options.timeout or 0.0) if options.deadline is None else options.deadline
    if not deadline > 0:
        raise InvalidArgument(f"--deadline must be a positive number of seconds, got {deadline:g}")
    attempts = RetryPolicy().attempts if options.attempts is None else options.attempts
    retry = RetryPolicy(attempts=attempts, answer_deadline=deadline)
    try:
        circle = CircleCI(host=options.host, timeout=timeout, retry=retry)
    except ConfigurationError as error:  # of an option, a variable or a config file
        raise InvalidArgument(error.message) from None
    if not options.quiet:
        waits = circle._session.state.waits  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        waits.follow_attempts(warn_after=NOTE_AFTER, warn_every=NOTE_EVERY)
    return circle


def _no_token(circle: "CircleCI") -> "ConfigurationError":
    from ..config.settings import DEFAULT_HOST
    from ..errors import ConfigurationError

    web = "https://app.circleci.com" if circle.host == DEFAULT_HOST else circle.host
    error = ConfigurationError(f"no token for {circle.host}: set CIRCLE_TOKEN to a personal API token")
    error.hint = f"create one at {web}/settings/user/tokens, or run `circleci setup` of the official CLI"
    error.add_note(f"token: {circle.token_source}")
    return error


def _typer_command(
    command: Callable[..., Any],
    injected: int,
    shared: Callable[..., None],
    invoke: Callable[..., Coroutine[Any, Any, ExitCode]],
) -> Callable[..., None]:
    """Return a plain function with the parameters of `command`, except the `injected` first ones, and of `shared`."""

    def run(context: typer.Context, **arguments: Any) -> None:
        from . import runner

        own = Options(**{name: arguments.pop(name) for name in shared_parameters})
        options = own.or_else(context.obj)
        out = Output(is_json=options.json, is_verbose=options.verbose, is_quiet=options.quiet)
        raise typer.Exit(runner.run(lambda: invoke(options, out, **arguments), out))

    shared_parameters = inspect.signature(shared).parameters
    parameters = [
        inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
        *(
            each.replace(kind=each.KEYWORD_ONLY)
            for each in [*inspect.signature(command).parameters.values()][injected:]
        ),
        *shared_parameters.values(),
    ]
    run.__name__ = command.__name__
    run.__doc__ = command.__doc__
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # a function may have one
    return run
