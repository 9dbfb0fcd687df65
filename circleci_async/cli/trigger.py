"""`trigger`: set a pipeline going, and watch it if asked."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InvalidArgument
from . import following
from .account import Slug
from .formatting import STYLES, printable, shown
from .output import Output

if TYPE_CHECKING:
    from ..client import CircleCI
    from ..models.pipelines import Pipeline
    from ..models.workflows import Workflow

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_WORDS = {"true": True, "false": False}
_FINE = frozenset({"success", "not_run"})


async def trigger(
    circle: "CircleCI",
    out: Output,
    slug: Slug,
    branch: Annotated[
        str | None, typer.Option(help="Of this branch; the default branch unless given.", show_default=False)
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Of this tag.", show_default=False)] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter",
            "-p",
            metavar="KEY=VALUE",
            help="A pipeline parameter. true, false and whole numbers are sent as such, all else as text. Repeatable.",
            show_default=False,
        ),
    ] = None,
    string: Annotated[
        list[str] | None,
        typer.Option(
            "--string",
            "-s",
            metavar="KEY=VALUE",
            help="A pipeline parameter that is sent as text, whatever it looks like. Repeatable.",
            show_default=False,
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Show its workflows until all have ended.", show_default=False)
    ] = False,
    every: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, help="How often --follow looks.")] = 2.0,
) -> int | None:
    """Set a pipeline going.

    With --follow the exit code is 1 if a workflow did not succeed.
    """
    created = await circle.pipelines.trigger(
        slug, branch=branch, tag=tag, parameters=parameters(parameter or [], string or []) or None
    )
    if follow:
        out.say(f"Pipeline {created.number} is on its way.")
        pipeline, workflows = await watch(circle, out, created.id, every=every)
        if out.is_json:
            out.data({"pipeline": pipeline, "workflows": workflows})
        return 0 if succeeded(pipeline, workflows) else 1
    out.record(created, [("Number", created.number), ("State", created.state), ("Id", created.id)])
    return None


def parameters(typed: Iterable[str], strings: Iterable[str]) -> dict[str, str | int | bool]:
    """Read `key=value` pairs: of `typed`, `true`, `false` and whole numbers are what they look like."""
    found: dict[str, str | int | bool] = {}
    for pair, is_text in [*((pair, False) for pair in typed), *((pair, True) for pair in strings)]:
        key, equals, text = pair.partition("=")
        if not key or not equals:
            raise InvalidArgument(f"{pair!r}: give key=value")
        if key in found:
            raise InvalidArgument(f"{key!r} is given twice")
        found[key] = text if is_text else _value(text)
    return found


def _value(text: str) -> str | int | bool:
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _INTEGER.fullmatch(text) else text


async def watch(
    circle: "CircleCI", out: Output, pipeline_id: str, *, every: float
) -> "tuple[Pipeline, list[Workflow]]":
    """Show a pipeline's workflows as they change, and return both when all has ended."""
    statuses: dict[str, str | None] = {}

    async def show_changes(workflows: "list[Workflow]") -> None:
        for workflow in workflows:
            if workflow.id not in statuses or statuses[workflow.id] != workflow.status:
                statuses[workflow.id] = workflow.status
                await _show_change(circle, out, workflow)

    pipeline, workflows = await following.follow(circle, pipeline_id, show_changes, every=every)
    for problem in pipeline.errors:
        out.error(f"{problem.type}: {problem.message}")
    if not workflows:
        out.note("no workflow runs in this pipeline")
    return pipeline, workflows


def succeeded(pipeline: "Pipeline", workflows: "Iterable[Workflow]") -> bool:
    """Say whether all went well; of a workflow that was run again, the last run counts."""
    return pipeline.state != "errored" and all(each.status in _FINE for each in following.latest(workflows))


async def _show_change(circle: "CircleCI", out: Output, workflow: "Workflow") -> None:
    from rich.text import Text

    status = shown(workflow.status)
    took = workflow.stopped_at and f"after {shown(workflow.stopped_at - workflow.created_at)}"
    out.say(
        Text.assemble(
            (f"{datetime.now().astimezone():%H:%M:%S}  ", "dim"),
            f"{printable(workflow.name)}  ",
            (status, STYLES.get(status, "")),
            (f"  {took}" if took else "", "dim"),
        )
    )
    if workflow.status == "on_hold":
        waiting = [job.name for job in await circle.workflows.jobs(workflow.id).collect() if job.status == "on_hold"]
        out.note(
            f"{workflow.name} waits for the approval of {', '.join(waiting)}: approve it on its page on CircleCI,"
            " or press Ctrl-C to stop watching; the pipeline stays as it is",
            "yellow",
        )
