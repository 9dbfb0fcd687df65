"""The commands, and the options that may stand before their names."""

import os
from typing import Annotated

import typer

from .. import __version__
from . import (
    account,
    actions,
    api,
    artifacts,
    builds,
    completion,
    demo,
    fake,
    harvest,
    insights,
    listen,
    logs,
    trigger,
    usage,
    watch,
)
from .command import Attempts, Host, Json, Options, Timeout, Verbose, local, online


def _group(text: str, epilog: str | None = None) -> typer.Typer:
    return typer.Typer(
        help=text,
        epilog=epilog,
        no_args_is_help=True,
        add_completion=False,  # there is a command for it
        rich_markup_mode=None,  # plain help and usage errors are quick, and as readable in a log as on a terminal
        pretty_exceptions_enable=False,  # pretty ones show what variables hold
        context_settings={"help_option_names": ["-h", "--help"]},
    )


app = _group(
    "CircleCI from the command line.",
    "The token is never an argument: it is read from CIRCLE_TOKEN, CIRCLECI_TOKEN or CIRCLECI_CLI_TOKEN, or from the"
    " config file of the official CLI. Exit codes: 0 done, 1 failed, 2 bad usage, 130 stopped by Ctrl-C.",
)
app.command()(local(demo.demo))
app.command()(online(account.me))
app.command()(online(account.project))
app.command()(online(builds.pipelines))
app.command()(online(trigger.trigger))
app.command()(online(watch.watch))
app.command()(online(builds.workflows))
app.command()(online(builds.jobs))
app.command()(online(logs.logs))
app.command()(online(actions.approve))
app.command()(online(actions.rerun))
app.command()(online(actions.cancel))

files = _group("The files that jobs keep.")
files.command("list")(online(artifacts.list_))
files.command("download")(online(artifacts.download))
app.add_typer(files, name="artifacts")

harvests = _group("Artifacts in bulk: all of a project, each fetched once.")
harvests.command("run")(online(harvest.run))
harvests.command("status")(local(harvest.status))
harvests.command("verify")(local(harvest.verify))
app.add_typer(harvests, name="harvest")

app.command()(online(insights.insights))

exports = _group("What was built, and what it cost.")
exports.command("export")(online(usage.export))
app.add_typer(exports, name="usage")

app.command()(local(listen.listen))
app.command()(online(api.api))
app.command()(local(fake.fake))
app.command()(local(completion.completion))
if completion.VARIABLE in os.environ:
    completion.prepare()


def _print_version(context: typer.Context, asked: bool) -> None:
    if asked and not context.resilient_parsing:  # as when words are completed
        typer.echo(f"circleci-async {__version__}")
        raise typer.Exit


@app.callback()
def _before_any(
    context: typer.Context,
    host: Host = None,
    timeout: Timeout = None,
    attempts: Attempts = None,
    json: Json = False,
    verbose: Verbose = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Say which version this is.")
    ] = False,
) -> None:
    context.obj = Options(host, timeout, attempts, json, verbose)
