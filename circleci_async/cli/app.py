"""The typer app: all commands, the options before their names, and usage errors."""

import sys
from collections.abc import Sequence
from functools import cache
from io import StringIO
from typing import Annotated, Any, NoReturn, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command

from .. import __version__
from ..untrusted_text import printable
from . import (
    account,
    actions,
    api,
    artifacts,
    builds,
    catalog,
    collect,
    demo,
    fake,
    harvest,
    insights,
    listen,
    logs,
    report,
    runner,
    trigger,
    usage,
    watch,
)
from .command import Attempts, Deadline, Host, Json, Options, Quiet, Timeout, Verbose, with_client, with_output


class GroupWithDefault(TyperGroup):
    """A group whose command `show` runs if no other command is named."""

    default: str = "show"

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Insert the name of the default command in front of its arguments."""
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = [self.default, *args]
        return super().parse_args(ctx, args)


def _group(text: str, epilog: str | None = None, kind: type[TyperGroup] = TyperGroup) -> typer.Typer:
    return typer.Typer(
        cls=kind,
        help=text,
        epilog=epilog,
        no_args_is_help=True,
        rich_markup_mode=None,  # plain help is faster, and readable in logs
        pretty_exceptions_enable=False,  # they print the values of variables
        context_settings={"help_option_names": ["-h", "--help"]},
    )


app: typer.Typer = _group(
    "CircleCI from the command line.",
    "The token is read from CIRCLE_TOKEN or a variable of the official CLI, from its config file, or from its login in"
    " the OS keyring; it is never an argument. Exit codes: 0 success, 1 failure, 2 bad usage, 130 interrupted by"
    " Ctrl-C.",
)
app.command()(with_output(demo.demo))
app.command()(with_client(account.me))
app.command()(with_client(account.project))
app.command()(with_client(account.projects))
app.command()(with_client(builds.pipelines))
app.command()(with_client(trigger.trigger))
app.command()(with_client(watch.watch))
app.command()(with_client(builds.workflows))
app.command()(with_client(builds.jobs))
app.command()(with_client(logs.logs))
app.command()(with_client(actions.approve))
app.command()(with_client(actions.rerun))
app.command()(with_client(actions.cancel))

files: typer.Typer = _group("List and download the artifacts of jobs.")
files.command("list")(with_client(artifacts.list_))
files.command("download")(with_client(artifacts.download))
app.add_typer(files, name="artifacts")

harvests: typer.Typer = _group("Download all artifacts of projects incrementally.")
harvests.command("run")(with_client(harvest.run))
harvests.command("status")(with_output(harvest.status))
harvests.command("verify")(with_output(harvest.verify))
harvests.command("catalog")(with_output(catalog.catalog))
harvests.command("prune")(with_output(harvest.prune))
app.add_typer(harvests, name="harvest")

metrics: typer.Typer = _group(
    "Show the metrics of workflows, or collect them. `insights PROJECT...` is short for `insights show PROJECT...`.",
    kind=GroupWithDefault,
)
metrics.command("show")(with_client(insights.insights))
metrics.command("collect")(with_client(collect.collect))
app.add_typer(metrics, name="insights")

app.command()(with_client(report.report, unless="history"))

exports: typer.Typer = _group("Export usage and cost.")
exports.command("export")(with_client(usage.export))
app.add_typer(exports, name="usage")

app.command()(with_output(listen.listen))
app.command()(with_client(api.api))
app.command()(with_output(fake.fake))


def _print_version(context: typer.Context, requested: bool) -> None:
    if requested and not context.resilient_parsing:  # resilient during shell completion
        typer.echo(f"circleci-async {__version__}")
        raise typer.Exit


@app.callback()
def _shared_options(
    context: typer.Context,
    host: Host = None,
    timeout: Timeout = None,
    attempts: Attempts = None,
    deadline: Deadline = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    context.obj = Options(host, timeout, attempts, deadline, json, verbose, quiet)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit with its code."""
    try:
        code = _command()(arguments, prog_name="circleci-async", standalone_mode=False)
    except _USAGE_ERROR as error:
        sys.stderr.write(_usage_error_text(error))
        code = runner.BAD_USAGE
    sys.exit(code)


_USAGE_ERROR = cast(
    type[Exception], typer.BadParameter.__mro__[1]
)  # of click, or of the copy in newer versions of typer


@cache
def _command() -> Any:
    command = get_command(app)
    _show_metavars_only(command)
    return command


def _show_metavars_only(command: Any) -> None:
    """Remove the Python types that newer versions of typer print behind the names of arguments in the help."""
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            parameter.display_type_rich = _nothing
    for each in getattr(command, "commands", {}).values():
        _show_metavars_only(each)


def _nothing(*_: Any, **__: Any) -> str:
    return ""


def _usage_error_text(error: Any) -> str:
    """Return the usage and the message, in the style of all other errors."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return f"{error.ctx.get_help()}\n\nerror: missing command\n"
    text = StringIO()
    error.show(text)
    usage = text.getvalue().partition("Error: ")[0]
    message = " ".join(error.format_message().split()).rstrip(".")
    return f"{usage}error: {printable(message[:1].lower() + message[1:])}\n"
