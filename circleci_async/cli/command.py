"""What all commands share: the options, the client made from them, and the way into the event loop."""

import inspect
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, NamedTuple

import typer

from .output import Output

if TYPE_CHECKING:
    from ..client import CircleCI

ExitCode = int | None
"""What a command returns; None is 0."""

Host = Annotated[
    str | None, typer.Option("--host", metavar="URL", help="The CircleCI installation.", show_default=False)
]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", metavar="SECONDS", help="For one attempt of a call; 60 by default.", show_default=False),
]
Attempts = Annotated[
    int | None,
    typer.Option(
        "--attempts", min=1, metavar="N", help="Of each call, the first included; 5 by default.", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.", show_default=False)]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log each request on stderr.", show_default=False)]


class Options(NamedTuple):
    """The options that every command understands, before its name and after it."""

    host: str | None = None
    timeout: float | None = None
    attempts: int | None = None
    json: bool = False
    verbose: bool = False

    def over(self, others: "Options") -> "Options":
        """Return these, completed with others where they were not given."""
        return Options(
            others.host if self.host is None else self.host,
            others.timeout if self.timeout is None else self.timeout,
            others.attempts if self.attempts is None else self.attempts,
            self.json or others.json,
            self.verbose or others.verbose,
        )


def _everywhere(*, json: Json = False, verbose: Verbose = False) -> None: ...


def _online(
    *,
    host: Host = None,
    timeout: Timeout = None,
    attempts: Attempts = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None: ...


def local(command: Callable[Concatenate[Output, ...], Coroutine[Any, Any, ExitCode]]) -> Callable[..., None]:
    """Make a typer command of a coroutine function that is given an `Output`."""

    def invoke(options: Options, out: Output, **arguments: Any) -> Coroutine[Any, Any, ExitCode]:
        return command(out, **arguments)

    return _typer_command(command, 1, _everywhere, invoke)


def online(
    command: Callable[Concatenate["CircleCI", Output, ...], Coroutine[Any, Any, ExitCode]],
) -> Callable[..., None]:
    """Make a typer command of a coroutine function that is given a client, closed when it ends, and an `Output`."""

    async def invoke(options: Options, out: Output, **arguments: Any) -> ExitCode:
        from ..errors import AuthenticationError

        async with _client(options) as circle:
            try:
                return await command(circle, out, **arguments)
            except AuthenticationError as error:
                error.add_note(f"Token: {circle.token_source}.")
                raise

    return _typer_command(command, 2, _online, invoke)


def _client(options: Options) -> "CircleCI":
    from ..client import CircleCI
    from ..core.retry import RetryPolicy

    retry = RetryPolicy() if options.attempts is None else RetryPolicy(attempts=options.attempts)
    return CircleCI(host=options.host, timeout=60.0 if options.timeout is None else options.timeout, retry=retry)


def _typer_command(
    command: Callable[..., Any],
    given: int,
    shared: Callable[..., None],
    invoke: Callable[..., Coroutine[Any, Any, ExitCode]],
) -> Callable[..., None]:
    """Give typer a plain function with the parameters of `command`, but for the first ones, and the shared ones."""

    def run(context: typer.Context, **arguments: Any) -> None:
        from . import runner

        own = Options(**{name: arguments.pop(name) for name in shared_parameters})
        options = own.over(context.obj)
        out = Output(is_json=options.json, is_verbose=options.verbose)
        raise typer.Exit(runner.run(lambda: invoke(options, out, **arguments), out))

    shared_parameters = inspect.signature(shared).parameters
    parameters = [
        inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
        *(each.replace(kind=each.KEYWORD_ONLY) for each in [*inspect.signature(command).parameters.values()][given:]),
        *shared_parameters.values(),
    ]
    run.__name__ = command.__name__
    run.__doc__ = command.__doc__
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # a function may have one
    return run
