"""`watch`: follow a pipeline or a workflow until it is finished."""

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InvalidArgument, NotFound, WaitTimeout
from .arguments import Interval, argument, option, polling, words_option
from .build_ref import BuildRef
from .build_view import BuildView, view_of
from .output import Output

if TYPE_CHECKING:
    from .. import CircleCI, PipelineResult, WorkflowResult
    from ..models import Pipeline
    from ..resources.pipelines import Pipelines
    from ..resources.workflows import Workflows

FAILED, ON_HOLD, TIMED_OUT = 1, 3, 4
"""Exit codes other than success."""

MAX_HINTS = 3
"""Failed jobs for which the command that prints their log is shown."""

INTERVAL = (2.0, 10.0)
"""Default seconds between polls: shorter than the SDK's, since a user waits."""

LAST_CHANGES = 2.0
"""Seconds for which jobs may still run in workflows that have all ended."""

Within = Annotated[
    float | None,
    option("Stop waiting after this time, with exit code 4.", metavar="SECONDS", min=0.1),
]
Grace = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", min=0, help="Time in which a pipeline must start a workflow; else it counts as not run."
    ),
]


OnHold = Annotated[str, words_option("Action when the build is on hold for an approval.", "return", "wait")]


async def watch(
    circle: "CircleCI",
    out: Output,
    target: Annotated[
        str,
        argument(
            "ID | URL | PROJECT", "Id or page URL of a pipeline or a workflow, or a project: its newest pipeline."
        ),
    ],
    number: Annotated[int | None, argument("NUMBER", "With PROJECT: the number of a pipeline.", min=1)] = None,
    branch: Annotated[str | None, option("With PROJECT: the newest pipeline of this branch.", metavar="BRANCH")] = None,
    on_hold: OnHold = "wait",
    interval: Interval = None,
    within: Within = None,
    grace: Grace = 30.0,
) -> int:
    """Watch a pipeline or a workflow until it is finished.

    Exit codes: 0 success, 1 any other result, 3 on hold for an approval, 4 not finished within the timeout.
    """
    polls = polling(interval)
    group, id, title = await _find(circle, target, number, branch)
    with view_of(out, title) as view:
        return await show(out, view, group, id, timeout=within, on_hold=on_hold, grace=grace, **polls)


async def show(out: Output, view: BuildView, group: "Pipelines | Workflows", id: str, **options: Any) -> int:
    """Show the changes of a build and its result, and return the exit code; `options` are those of `wait`."""
    options = {"interval": INTERVAL, **options}

    async def show_changes() -> None:
        async with aclosing(group.watch(id, **options)) as changes:
            async for change in changes:
                view.update(change)

    changes = asyncio.create_task(show_changes())  # shares its polls with `wait`
    try:
        result: PipelineResult | WorkflowResult = await group.wait(id, **options)
        await asyncio.wait({changes}, timeout=LAST_CHANGES)
        if changes.done():
            changes.result()
    except WaitTimeout as error:
        view.close()
        if error.last is not None:
            view.conclude(error.last)
        out.error(str(error), f"the build continues; watch it with: circleci-async watch {id}")
        return TIMED_OUT
    except asyncio.CancelledError:  # Ctrl-C
        view.close()
        out.note(f"the build continues; watch it with: circleci-async watch {id}")
        raise
    finally:
        changes.cancel()
        await asyncio.gather(changes, return_exceptions=True)
    view.close()
    view.conclude(result)
    if not out.is_json:  # JSON contains all of it
        _explain(out, view, result)
    return {"success": 0, "on_hold": ON_HOLD}.get(result.status, FAILED)


async def _find(
    circle: "CircleCI", text: str, number: int | None, branch: str | None
) -> "tuple[Pipelines | Workflows, str, str]":
    """Return the resource, the id and the title of the build to watch."""

    def found(pipeline: "Pipeline") -> "tuple[Pipelines, str, str]":
        return circle.pipelines, pipeline.id, title_of(pipeline.number, pipeline.project_slug)

    if number is not None and branch is not None:
        raise InvalidArgument("NUMBER and --branch cannot be combined")
    if number is not None:
        return found(await circle.pipelines.get_by_number(text, number))
    ref = BuildRef.find(text)
    if ref is None and "/" in text:
        newest = await circle.pipelines.list(text, branch=branch).first()
        if newest is None:
            raise NotFound(404, f"{text} has no pipeline{f' of the branch {branch}' if branch else ''}")
        return found(newest)
    if branch is not None:
        raise InvalidArgument("--branch requires a project")
    if ref is None:
        ref = BuildRef.parse(text, "a pipeline or a workflow, or a project")  # raises the error
    if ref.id is None and ref.workflow is None and ref.project and ref.pipeline:
        return found(await circle.pipelines.get_by_number(ref.project, ref.pipeline))
    id = ref.workflow or ref.id
    if id is None:
        raise InvalidArgument("expected the URL of a workflow or a pipeline, got that of a job")
    if ref.workflow is None:
        try:
            return found(await circle.pipelines.get(id))
        except NotFound:
            pass  # not a pipeline: try the workflow
    try:
        workflow = await circle.workflows.get(id)
    except NotFound as error:
        error.add_note("no pipeline and no workflow has this id")
        raise
    return circle.workflows, workflow.id, title_of(workflow.pipeline_number, workflow.project_slug)


def title_of(number: int | None, project: str | None) -> str:
    """Return the title of a pipeline."""
    return f"Pipeline {number or ''}".strip() + (f" of {project}" if project else "")


def _explain(out: Output, view: BuildView, result: "PipelineResult | WorkflowResult") -> None:
    """Print the errors of a pipeline, and the commands that show why its jobs failed."""
    from .. import PipelineResult

    if isinstance(result, PipelineResult):
        for problem in result.pipeline.errors:
            out.error(f"{problem.type}: {problem.message}")
        if not result.workflows:
            out.note("the pipeline started no workflow")
    failed = [job for job in view.jobs if job.status.is_failure and job.job_number and job.project_slug]
    for job in failed[:MAX_HINTS]:
        out.note(f"{job.name} failed; see: circleci-async logs {job.project_slug} {job.job_number} --failed")
