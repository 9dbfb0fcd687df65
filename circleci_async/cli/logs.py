"""`logs`: output of the steps of a job, complete, of failed steps only, or as it is printed."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

from ..errors import InvalidArgument
from ..untrusted_text import printable
from .arguments import Interval, JobUrlOrProject, OptionalNumber, option, polling
from .build_ref import JobTarget
from .formatting import STYLES, duration
from .output import Column, Output

if TYPE_CHECKING:
    from .. import CircleCI
    from ..models import JobStep, LogLine, StepAction, StepOutput

TAIL = 200
"""Default number of lines of a failed step."""


async def logs(
    circle: "CircleCI",
    out: Output,
    target: JobUrlOrProject,
    number: OptionalNumber = None,
    failed: Annotated[bool, option("Only the last lines of the failed steps.", "--failed")] = False,
    follow: Annotated[bool, option("Print new output until the job is finished.", "--follow", "-f")] = False,
    interval: Interval = None,
    steps: Annotated[bool, option("Only list the steps.", "--steps")] = False,
    step: Annotated[str | None, option("Only this step, by name or number.", metavar="STEP")] = None,
    node: Annotated[int | None, option("Only this parallel node.", metavar="N", min=0)] = None,
    tail: Annotated[
        int | None, option(f"Only the last lines of each step; {TAIL} with --failed.", metavar="LINES", min=1)
    ] = None,
    ansi: Annotated[bool, option("Print escape sequences, such as colours, unchanged.", "--ansi")] = False,
) -> None:
    """Print the output of the steps of a job."""
    if failed + follow + steps > 1:
        raise InvalidArgument("--failed, --follow and --steps cannot be combined")
    if step is not None and (follow or steps or failed):
        raise InvalidArgument("--step cannot be combined with --failed, --follow or --steps")
    if node is not None and (follow or steps):
        raise InvalidArgument("--node cannot be combined with --follow or --steps")
    if tail is not None and (follow or steps):
        raise InvalidArgument("--tail cannot be combined with --follow or --steps")
    if interval is not None and not follow:
        raise InvalidArgument("--interval requires --follow")
    polls: dict[str, Any] = polling(interval)
    job = JobTarget.parse(target, number)
    if follow:
        await _show_lines(out, circle.jobs.follow(*job, ansi=ansi, **polls), ansi=ansi)
    elif failed:
        failures = await circle.jobs.failed_output(*job, node=node, tail=tail or TAIL, ansi=ansi)
        show_failures(out, failures, node=node, ansi=ansi)
    elif steps:
        await out.list(circle.jobs.steps(*job), STEPS, none="no steps yet")
    else:
        await _print(circle, out, job, step, node, tail, ansi=ansi)


def show_failures(
    out: Output, failures: "Sequence[StepOutput]", *, node: int | None = None, ansi: bool = False
) -> None:
    """Print the last lines of failed steps; output that several parallel nodes have in common, once.

    `node`: the one that is shown alone.
    """
    if out.is_json:
        out.data(failures)
        return
    blocks: dict[tuple[object, ...], list[StepOutput]] = {}
    for each in failures:
        block = (each.name, each.status, each.exit_code, each.text, each.error and str(each.error))
        blocks.setdefault(block, []).append(each)
    is_parallel = len({each.node for each in failures}) > 1
    for same in blocks.values():
        each = same[0]
        how = f"exit code {each.exit_code}" if each.exit_code is not None else ""
        _head(out, each.name, [one.node for one in same] if is_parallel else [], each.status, how)
        for line in each.text.split("\n") if each.text else ():
            _print_line(out, line, ansi=ansi)
        if each.error:
            out.error(f"the output of {each.name} is not available: {each.error}")
    if not failures:
        out.note("no failed steps" if node is None else f"no failed steps on node {node}")


async def _print(
    circle: "CircleCI", out: Output, job: JobTarget, step: str | None, node: int | None, tail: int | None, *, ansi: bool
) -> None:
    steps = await circle.jobs.steps(*job).collect()
    matching = [each for each in steps if step is None or step in {each.name, str(each.number)}]
    if step is not None and not matching:
        names = ", ".join(dict.fromkeys(each.name for each in steps))
        raise InvalidArgument(f"--step must be a step of the job ({names or 'none yet'}), got {step!r}")
    chosen = [(each, action) for each in matching for action in each.actions if node in (None, action.node)]
    if out.is_json:
        await out.array(_outputs(circle, job, chosen, tail, ansi=ansi))
        return
    if not chosen:
        out.note("no steps yet" if node is None else f"no steps on node {node}")
    for each, action in chosen:
        if step is None:
            took = "" if action.duration is None else duration(action.duration / 1000)
            _head(out, action.name, [action.node] if len(each.actions) > 1 else [], action.status, took)
        log = circle.jobs.output(*job, each, action.node)
        if tail is not None:
            for line in (await log.tail(tail, ansi=ansi)).split("\n"):
                _print_line(out, line, ansi=ansi)
            continue
        async with aclosing(log.lines(ansi=ansi)) as lines:
            async for line in lines:
                _print_line(out, line, ansi=ansi)


async def _outputs(
    circle: "CircleCI", job: JobTarget, chosen: "Sequence[tuple[JobStep, StepAction]]", tail: int | None, *, ansi: bool
) -> AsyncGenerator[dict[str, Any], None]:
    from .. import to_dict

    for each, action in chosen:
        text = await circle.jobs.output(*job, each, action.node).tail(tail, ansi=ansi)
        yield {**to_dict(action), "output_url": None, "text": text}  # a signed URL is a secret


async def _show_lines(out: Output, lines: "AsyncGenerator[LogLine, None]", *, ansi: bool = False) -> None:
    """Print lines as they arrive, with a heading per step."""
    before: tuple[str, int | None, int] | None = None
    async with aclosing(lines) as arriving:
        async for line in arriving:
            if out.is_json:
                out.line(line)
                continue
            action = (line.step, line.number, line.node)
            if action != before:
                _head(out, line.step, [line.node] if line.node else [])
                before = action
            _print_line(out, line.text, ansi=ansi)
            out.stream.flush()


def _head(out: Output, name: str, nodes: Sequence[int], status: str = "", more: str = "") -> None:
    from rich.text import Text

    where = f" ({'node' if len(nodes) == 1 else 'nodes'} {ranges(nodes)})" if nodes else ""
    parts = [(f"== {printable(name)}{where}", "bold"), (printable(status), STYLES.get(status, "")), (more, "dim")]
    out.say(Text("  ").join(Text(text, style) for text, style in parts if text))


def ranges(numbers: Iterable[int]) -> str:
    """Return numbers in ascending order, successive ones as a range: `0-3, 7`."""
    parts: list[list[int]] = []
    for number in sorted(set(numbers)):
        if parts and parts[-1][-1] == number - 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number])
    return ", ".join(", ".join(map(str, each)) if each[-1] - each[0] < 2 else f"{each[0]}-{each[-1]}" for each in parts)


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
