"""`approve`, `rerun` and `cancel`: what is done to a build."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import BadRequest, CircleCIError, InvalidArgument, NotFound
from .formatting import printable
from .output import Output
from .targets import Target

if TYPE_CHECKING:
    from ..client import CircleCI
    from ..models.workflows import Workflow, WorkflowJob


async def approve(
    circle: "CircleCI",
    out: Output,
    target: Annotated[
        str,
        typer.Argument(metavar="ID | PAGE", help="A workflow or a pipeline: its id, or its page.", show_default=False),
    ],
    job: Annotated[
        str | None,
        typer.Argument(metavar="JOB", help="The approval, if several are waited for.", show_default=False),
    ] = None,
) -> None:
    """Approve what a workflow, or a pipeline, waits for."""
    workflows = await _workflows(circle, Target.read(target, "a workflow or a pipeline"))
    waiting: list[tuple[Workflow, WorkflowJob]] = []
    for workflow in workflows:
        if not _is_finished(workflow):
            jobs = await circle.workflows.jobs(workflow.id).collect()
            waiting += [(workflow, each) for each in jobs if each.type == "approval" and each.status == "on_hold"]
    fitting = [(workflow, each) for workflow, each in waiting if job in (None, each.name)]
    names = ", ".join(sorted(f"{each.name} ({workflow.name})" for workflow, each in waiting))
    if not fitting:
        asked = "no job" if job is None else f"no job {job!r}"
        raise CircleCIError(f"{asked} waits for an approval" + (f", but {names}" if names else ""))
    if len(fitting) > 1:
        which = "the JOB" if job is None else "the workflow"
        raise InvalidArgument(f"{len(fitting)} jobs wait for an approval: {names}; name {which} that you mean")
    [(workflow, held)] = fitting
    answer = await circle.workflows.approve(workflow.id, held.approval_request_id or held.id)
    out.record(
        {"message": answer.message, "workflow": workflow, "job": held},
        [("Approved", held.name), ("Workflow", workflow.name), ("Id", workflow.id)],
    )


async def rerun(
    circle: "CircleCI",
    out: Output,
    target: Annotated[
        str, typer.Argument(metavar="ID | PAGE", help="A workflow: its id, or its page.", show_default=False)
    ],
    from_failed: Annotated[
        bool, typer.Option("--from-failed", help="Only what failed, and what comes after it.", show_default=False)
    ] = False,
    job: Annotated[
        list[str] | None,
        typer.Option(
            "--job",
            "--jobs",
            "-j",
            metavar="JOB",
            help="Only this job, and what comes after it: its name or its id. Repeatable.",
            show_default=False,
        ),
    ] = None,
    ssh: Annotated[bool, typer.Option("--ssh", help="Let you log in to the jobs by SSH.", show_default=False)] = False,
) -> None:
    """Run a workflow again, as a new workflow of the same pipeline."""
    found = Target.read(target, "a workflow")
    if from_failed and job:
        raise InvalidArgument("--from-failed and --job can't be combined")
    if ssh and not job:
        raise InvalidArgument("--ssh needs --job: say which jobs you want to log in to")
    if found.job is not None:
        raise InvalidArgument("that is the page of a job: give its workflow's, and --job NAME to run that job alone")
    workflow_id = found.workflow or found.id
    if workflow_id is None:
        raise InvalidArgument("that is the page of a pipeline: give the page of one of its workflows")
    accepted = await circle.workflows.rerun(
        workflow_id,
        from_failed=from_failed or None,
        jobs=await _job_ids(circle, workflow_id, job) if job else None,
        enable_ssh=ssh or None,
    )
    out.record(accepted, [("Workflow", accepted.workflow_id)])


async def cancel(
    circle: "CircleCI",
    out: Output,
    target: Annotated[
        str,
        typer.Argument(
            metavar="ID | PAGE | PROJECT",
            help="A workflow, a pipeline or a job: its id, or its page. Or a project ...",
            show_default=False,
        ),
    ],
    number: Annotated[
        int | None, typer.Argument(min=1, metavar="NUMBER", help="... and a job's number.", show_default=False)
    ] = None,
) -> None:
    """Cancel a workflow, all workflows of a pipeline, or a job.

    It is accepted at once, and happens a little later. What has ended stays as it is.
    """
    if number is not None:
        found = Target(project=target, job=number)
    else:
        found = Target.read(target, "a workflow, a pipeline or a job")
    if found.job is not None and found.project is not None:
        began = await _cancel_by_number(circle, found.project, found.job)
        _show_canceled(out, [{"kind": "job", "project": found.project, "number": found.job}] if began else [])
        return
    try:
        workflows = await _workflows(circle, found)
    except NotFound:
        if found.id is None:
            raise
        await _cancel_job(circle, found.id)
        _show_canceled(out, [{"kind": "job", "id": found.id}])
        return
    running = [each for each in workflows if not _is_finished(each)]
    for workflow in running:
        await circle.workflows.cancel(workflow.id)
    _show_canceled(out, [{"kind": "workflow", "id": each.id, "name": each.name} for each in running])


async def _workflows(circle: "CircleCI", target: Target) -> "list[Workflow]":
    """Return the workflow that is meant, or those of the pipeline."""
    if target.workflow is not None:
        return [await circle.workflows.get(target.workflow)]
    if target.project is not None and target.pipeline is not None:
        pipeline = await circle.pipelines.get_by_number(target.project, target.pipeline)
        return await circle.pipelines.workflows(pipeline.id).collect()
    if target.id is None:
        raise InvalidArgument("that is the page of a job: give that of its workflow, or of its pipeline")
    try:
        return [await circle.workflows.get(target.id)]
    except NotFound:
        try:
            return await circle.pipelines.workflows(target.id).collect()
        except NotFound as neither:
            neither.add_note("Neither a workflow nor a pipeline has this id.")
            raise


async def _cancel_by_number(circle: "CircleCI", project: str, number: int) -> bool:
    """Cancel a job; say whether there was anything to cancel."""
    try:
        await circle.jobs.cancel(project, number)
    except BadRequest:  # as a job that has ended is answered; others too
        status = (await circle.jobs.get(project, number)).status
        if status is not None and status.is_finished:
            return False
        raise
    return True


async def _cancel_job(circle: "CircleCI", job_id: str) -> None:
    try:
        await circle.jobs.cancel_by_id(job_id)
    except NotFound as nothing:
        nothing.add_note("No workflow, pipeline or job has this id.")
        raise


async def _job_ids(circle: "CircleCI", workflow_id: str, wanted: list[str]) -> list[str]:
    """Return the ids of jobs that are given by their names or ids."""
    jobs = await circle.workflows.jobs(workflow_id).collect()
    ids = {each.id: each.id for each in jobs} | {each.name: each.id for each in jobs}
    for each in wanted:
        if each not in ids:
            raise InvalidArgument(f"--job {each!r}: the workflow has {', '.join(sorted(job.name for job in jobs))}")
    return [ids[each] for each in wanted]


def _is_finished(workflow: "Workflow") -> bool:
    return workflow.status is not None and workflow.status.is_finished


def _show_canceled(out: Output, canceled: list[dict[str, Any]]) -> None:
    if out.is_json:
        out.data(canceled)
        return
    for each in canceled:
        match each:
            case {"kind": "workflow"}:
                out.say(f"Canceling workflow {printable(each['name'])} ({each['id']})")
            case {"id": id}:
                out.say(f"Canceling job {id}")
            case _:
                out.say(f"Canceling job {each['number']} of {printable(each['project'])}")
    if not canceled:
        out.note("nothing to cancel: it has ended already")
