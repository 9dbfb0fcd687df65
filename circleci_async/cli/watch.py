"""`watch`: a pipeline or a workflow on its way, as a tree on a terminal, as lines elsewhere, as JSON for programs."""

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import InvalidArgument, NotFound, WaitTimeout
from .build_view import BuildView, view_of
from .output import Output
from .targets import Target

if TYPE_CHECKING:
    from ..client import CircleCI
    from ..models.pipelines import Pipeline
    from ..watching.results import PipelineResult, WorkflowResult

    Result = PipelineResult | WorkflowResult

FAILED, ON_HOLD, TOO_LATE = 1, 3, 4
"""Exit codes of what is no success."""

MOST_HINTS = 3
"""Failed jobs whose log is pointed to."""

Branch = Annotated[str | None, typer.Option(help="Of a project: the newest of this branch.", show_default=False)]
Every = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", min=0.05, help="Between two looks; from 2 up to 30 unless given.", show_default=False
    ),
]
Within = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", min=0.1, help="Give up after so long, with exit code 4.", show_default=False),
]
Grace = Annotated[
    float, typer.Option(metavar="SECONDS", min=0, help="For so long it may have no workflow; then it is not run.")
]


def _return_or_wait(text: str) -> str:
    # Here, before anything is triggered. The oldest typer that we allow knows no Literal.
    if text not in {"return", "wait"}:
        raise typer.BadParameter(f"{text!r}: give 'return' or 'wait'")
    return text


OnHold = Annotated[
    str,
    typer.Option(
        parser=_return_or_wait,
        metavar="return | wait",
        help="What to do when all that goes on waits for an approval.",
    ),
]


async def watch(
    circle: "CircleCI",
    out: Output,
    target: Annotated[
        str,
        typer.Argument(
            metavar="ID | PAGE | PROJECT",
            help="A pipeline or a workflow: its id, or its page. Or a project: its newest pipeline ...",
            show_default=False,
        ),
    ],
    number: Annotated[
        int | None, typer.Argument(min=1, metavar="NUMBER", help="... or the one of this number.", show_default=False)
    ] = None,
    branch: Branch = None,
    on_hold: OnHold = "wait",
    every: Every = None,
    within: Within = None,
    grace: Grace = 30.0,
) -> int:
    """Watch a pipeline or a workflow until it has ended.

    Exit codes: 0 success, 1 it ended otherwise, 3 it waits for an approval, 4 it has not ended in time.
    """
    kind, id, title = await _found(circle, target, number, branch)
    with view_of(out, title) as view:
        return await show(circle, out, view, kind, id, on_hold=on_hold, every=every, within=within, grace=grace)


async def show(
    circle: "CircleCI",
    out: Output,
    view: BuildView,
    kind: Literal["pipeline", "workflow"],
    id: str,
    *,
    on_hold: str,
    every: float | None,
    within: float | None,
    grace: float = 30.0,
) -> int:
    """Show what changes until it has ended, then how, and return the exit code that tells it."""
    group = circle.pipelines if kind == "pipeline" else circle.workflows
    options: dict[str, Any] = {"timeout": within, "on_hold": on_hold, "grace": grace}
    if every is not None:
        options["interval"] = (every, every)

    async def take_in() -> None:
        async with aclosing(group.watch(id, **options)) as changes:
            async for change in changes:
                view.tell(change)

    taking_in = asyncio.create_task(take_in())  # from the same poll
    try:
        result: Result = await group.wait(id, **options)
        await taking_in
    except WaitTimeout as error:
        view.close()
        if error.last is not None:
            view.conclude(error.last)
        out.error(str(error), f"It goes on; to watch it further: circleci-async watch {id}")
        return TOO_LATE
    except asyncio.CancelledError:  # by Ctrl-C
        view.close()
        out.note(f"it goes on; to watch it further: circleci-async watch {id}")
        raise
    finally:
        taking_in.cancel()
        await asyncio.gather(taking_in, return_exceptions=True)
    view.close()
    view.conclude(result)
    if not out.is_json:  # where the result says it all
        _explain(out, view, result)
    return {"success": 0, "on_hold": ON_HOLD}.get(result.status, FAILED)


async def _found(
    circle: "CircleCI", text: str, number: int | None, branch: str | None
) -> tuple[Literal["pipeline", "workflow"], str, str]:
    """Return what is to be watched: its kind, its id, and how to call it."""
    if number is not None and branch is not None:
        raise InvalidArgument("NUMBER and --branch can't be combined")
    if number is not None:
        return _pipeline(await circle.pipelines.get_by_number(text, number))
    if "/" in text and "://" not in text:
        newest = await circle.pipelines.list(text, branch=branch).first()
        if newest is None:
            raise NotFound(404, f"{text} has no pipeline{f' of the branch {branch}' if branch else ''}")
        return _pipeline(newest)
    if branch is not None:
        raise InvalidArgument("--branch goes with a project, not with an id or a page")
    target = Target.read(text, "a pipeline or a workflow")
    if target.id is None and target.workflow is None and target.project and target.pipeline:
        return _pipeline(await circle.pipelines.get_by_number(target.project, target.pipeline))
    id = target.workflow or target.id
    if id is None:
        raise InvalidArgument("that is the page of a job: give that of its workflow, or of its pipeline")
    if target.workflow is None:
        try:
            return _pipeline(await circle.pipelines.get(id))
        except NotFound:
            pass  # then it is a workflow's, or nobody's
    try:
        workflow = await circle.workflows.get(id)
    except NotFound as nothing:
        nothing.add_note("Neither a pipeline nor a workflow has this id.")
        raise
    return "workflow", workflow.id, title_of(workflow.pipeline_number, workflow.project_slug)


def _pipeline(pipeline: "Pipeline") -> tuple[Literal["pipeline"], str, str]:
    return "pipeline", pipeline.id, title_of(pipeline.number, pipeline.project_slug)


def title_of(number: int | None, project: str | None) -> str:
    """Return how to call a pipeline."""
    return f"Pipeline {number or ''}".strip() + (f" of {project}" if project else "")


def _explain(out: Output, view: BuildView, result: "Result") -> None:
    """Say, of what did not succeed, what is to be known or done, on stderr."""
    from ..watching.results import PipelineResult

    if isinstance(result, PipelineResult):
        for problem in result.pipeline.errors:
            out.error(f"{problem.type}: {problem.message}")
        if not result.workflows:
            out.note("no workflow runs in this pipeline")
    failed = [job for job in view.jobs if job.status in {"failed", "timedout"} and job.job_number and job.project_slug]
    for job in failed[:MOST_HINTS]:
        out.note(f"why {job.name} failed: circleci-async logs {job.project_slug} {job.job_number} --failed")
