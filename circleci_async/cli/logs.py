"""`logs`: what the steps of a job printed, all of it or what one wants of a failure, or as it comes."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from ..errors import InvalidArgument
from .formatting import STYLES, duration, printable
from .output import Column, Output
from .targets import Target

if TYPE_CHECKING:
    from ..client import CircleCI
    from ..models.steps import JobStep, StepAction, StepOutput

TAIL = 200
"""Lines of a failed step, unless another number is asked for."""


class Job(NamedTuple):
    """A job by its number in the project."""

    project: str
    number: int


async def logs(
    circle: "CircleCI",
    out: Output,
    target: Annotated[
        str, typer.Argument(metavar="PAGE | PROJECT", help="The page of a job, or a project ...", show_default=False)
    ],
    number: Annotated[
        int | None, typer.Argument(min=1, metavar="NUMBER", help="... and a job's number.", show_default=False)
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only the end of the steps that failed.", show_default=False)
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as the job prints, until it has ended.", show_default=False)
    ] = False,
    steps: Annotated[bool, typer.Option("--steps", help="Only list the steps.", show_default=False)] = False,
    step: Annotated[
        str | None, typer.Option(metavar="STEP", help="Only this step: its name or number.", show_default=False)
    ] = None,
    node: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Only this one of the parallel runs.", show_default=False)
    ] = None,
    tail: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="LINES", help=f"Only the last lines of each step; {TAIL} with --failed.", show_default=False
        ),
    ] = None,
    ansi: Annotated[
        bool,
        typer.Option("--ansi", help="Print colours and all else that drives a terminal as it is.", show_default=False),
    ] = False,
) -> None:
    """Print what the steps of a job printed."""
    if failed + follow + steps > 1:
        raise InvalidArgument("--failed, --follow and --steps can't be combined")
    if (step is not None or node is not None) and (follow or steps or failed):
        raise InvalidArgument("--step and --node go with neither --failed, --follow nor --steps")
    if tail is not None and (follow or steps):
        raise InvalidArgument("--tail goes with neither --follow nor --steps")
    job = _job(target, number)
    if follow:
        await _follow(circle, out, job, ansi=ansi)
    elif failed:
        show_failures(out, await circle.jobs.failed_output(*job, tail=tail or TAIL, ansi=ansi), ansi=ansi)
    elif steps:
        await out.list(circle.jobs.steps(*job), STEPS, none="no steps yet")
    else:
        await _print(circle, out, job, step, node, tail, ansi=ansi)


def show_failures(out: Output, failures: "Sequence[StepOutput]", *, ansi: bool = False) -> None:
    """Show how failed steps ended."""
    if out.is_json:
        out.data(failures)
        return
    nodes = {each.node for each in failures}
    for each in failures:
        how = f"exit code {each.exit_code}" if each.exit_code is not None else ""
        _head(out, each.name, each.node if len(nodes) > 1 else None, each.status, how)
        for line in each.text.split("\n") if each.text else ():
            _print_line(out, line, ansi=ansi)
        if each.error:
            out.error(f"the output of {each.name} could not be had: {each.error}")
    if not failures:
        out.note("no step failed")


async def _print(
    circle: "CircleCI", out: Output, job: Job, step: str | None, node: int | None, tail: int | None, *, ansi: bool
) -> None:
    found = await circle.jobs.steps(*job).collect()
    wanted = [each for each in found if step is None or step in {each.name, str(each.number)}]
    if step is not None and not wanted:
        names = ", ".join(dict.fromkeys(each.name for each in found))
        raise InvalidArgument(f"--step {step!r}: the job has {names or 'no steps yet'}")
    chosen = [(each, action) for each in wanted for action in each.actions if node in (None, action.node)]
    if out.is_json:
        await out.array(_outputs(circle, job, chosen, tail, ansi=ansi))
        return
    if not chosen:
        out.note("no steps yet" if node is None else f"nothing ran on node {node}")
    for each, action in chosen:
        if step is None:
            took = "" if action.duration is None else duration(action.duration / 1000)
            _head(out, action.name, action.node if len(each.actions) > 1 else None, action.status, took)
        log = circle.jobs.output(*job, each, action.node)
        if tail is not None:
            for line in (await log.tail(tail, ansi=ansi)).split("\n"):
                _print_line(out, line, ansi=ansi)
            continue
        async with aclosing(log.lines(ansi=ansi)) as lines:
            async for line in lines:
                _print_line(out, line, ansi=ansi)


async def _outputs(
    circle: "CircleCI", job: Job, chosen: "Sequence[tuple[JobStep, StepAction]]", tail: int | None, *, ansi: bool
) -> AsyncGenerator[dict[str, Any], None]:
    from ..core.codec import to_dict

    for each, action in chosen:
        text = await circle.jobs.output(*job, each, action.node).tail(tail, ansi=ansi)
        yield {**to_dict(action), "output_url": None, "text": text}  # it is signed, and nobody's who reads this


async def _follow(circle: "CircleCI", out: Output, job: Job, *, ansi: bool) -> None:
    before: tuple[str, int | None, int] | None = None
    async with aclosing(circle.jobs.follow(*job, ansi=ansi)) as lines:
        async for line in lines:
            if out.is_json:
                out.line(line)
                continue
            now = (line.step, line.number, line.node)
            if now != before:
                _head(out, line.step, line.node or None)
                before = now
            _print_line(out, line.text, ansi=ansi)
            out.stream.flush()


def _job(target: str, number: int | None) -> Job:
    if number is not None:
        return Job(target, number)
    if "://" not in target:
        raise InvalidArgument(f"{target!r}: give a project and the number of a job, or the page of a job")
    found = Target.read(target, "a job")
    if found.project is None or found.job is None:
        raise InvalidArgument("that is not the page of a job: give the page of one of its jobs")
    return Job(found.project, found.job)


def _head(out: Output, name: str, node: int | None, status: str = "", more: str = "") -> None:
    from rich.text import Text

    where = "" if node is None else f" (node {node})"
    parts = [(f"== {printable(name)}{where}", "bold"), (printable(status), STYLES.get(status, "")), (more, "dim")]
    out.say(Text("  ").join(Text(text, style) for text, style in parts if text))


def _print_line(out: Output, line: str, *, ansi: bool) -> None:
    out.write(f"{line if ansi else printable(line.expandtabs())}\n")


STEPS: "tuple[Column[JobStep], ...]" = (
    Column("Number", lambda step: step.number, is_fixed=True, is_number=True),
    Column("Step", lambda step: step.name),
    Column("Status", lambda step: step.status, is_fixed=True),
    Column("Exit code", lambda step: step.exit_code, is_fixed=True, is_number=True),
    Column("Nodes", lambda step: len(step.actions), is_fixed=True, is_number=True),
    Column(
        "Took",
        lambda step: step.ended_at - step.started_at if step.started_at and step.ended_at else None,
        is_fixed=True,
    ),
)
