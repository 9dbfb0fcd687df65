"""`approve`, `rerun` and `cancel`: change a build."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import BadRequest, CircleCIError, InvalidArgument, NotFound, WaitTimeout
from ..untrusted_text import printable
from .arguments import Interval, argument, option, polling
from .build_ref import BuildRef
from .output import Output
from .watch import INTERVAL, TIMED_OUT, Within

if TYPE_CHECKING:
    from .. import CircleCI
    from ..models import Workflow, WorkflowJob


async def approve(
    circle: "CircleCI",
    out: Output,
    target: Annotated[str, argument("ID | URL", "Id or page URL of a workflow or a pipeline.")],
    job: Annotated[str | None, argument("JOB", "Name of the approval job; required if several are on hold.")] = None,
) -> None:
    """Approve a job of a workflow or a pipeline that is on hold."""
    on_hold: list[tuple[Workflow, WorkflowJob]] = []
    for workflow in await _workflows(circle, BuildRef.parse(target, "a workflow or a pipeline")):
        if not workflow.is_finished:
            jobs = await circle.workflows.jobs(workflow.id).collect()
            on_hold += [(workflow, each) for each in jobs if each.is_on_hold]
    matching = [(workflow, each) for workflow, each in on_hold if job in (None, each.name)]
    names = ", ".join(sorted(f"{each.name} ({workflow.name})" for workflow, each in on_hold))
    if not matching:
        missing = "no job" if job is None else f"no job named {job!r}"
        raise CircleCIError(f"{missing} is on hold for an approval" + (f"; on hold: {names}" if names else ""))
    if len(matching) > 1:
        raise InvalidArgument(f"{'JOB' if job is None else 'a workflow'} must be given: several are on hold: {names}")
    [(workflow, approval)] = matching
    answer = await circle.workflows.approve(workflow.id, approval.approval_id)
    out.record(
        {"message": answer.message, "workflow": workflow, "job": approval},
        [("Approved", approval.name), ("Workflow", workflow.name), ("Id", workflow.id)],
    )


async def rerun(
    circle: "CircleCI",
    out: Output,
    target: Annotated[str, argument("ID | URL", "Id or page URL of a workflow.")],
    from_failed: Annotated[bool, option("Only the failed jobs and their dependents.", "--from-failed")] = False,
    job: Annotated[
        list[str] | None,
        option(
            "Only this job, by name or id, and its dependents. Repeatable.",
            "--job",
            "--jobs",
            "-j",
            metavar="JOB",
        ),
    ] = None,
    ssh: Annotated[bool, option("Enable SSH access to the jobs.", "--ssh")] = False,
) -> None:
    """Rerun a workflow, as a new workflow of the same pipeline."""
    ref = BuildRef.parse(target, "a workflow")
    if from_failed and job:
        raise InvalidArgument("--from-failed and --job cannot be combined")
    if ssh and not job:
        raise InvalidArgument("--ssh requires --job")
    if ref.job is not None:
        raise InvalidArgument("expected the URL of a workflow, got that of a job: use --job NAME to rerun a single job")
    workflow_id = ref.workflow or ref.id
    if workflow_id is None:
        raise InvalidArgument("expected the URL of a workflow, got that of a pipeline")
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
        argument(
            "ID | URL | PROJECT", "Id or page URL of a workflow, a pipeline or a job, or the project of a job number."
        ),
    ],
    number: Annotated[int | None, argument("NUMBER", "With PROJECT: the number of a job.", min=1)] = None,
    interval: Interval = None,
    within: Within = None,
    grace: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=0, help="Time in which a pipeline can start a workflow, which is canceled too."
        ),
    ] = 30.0,
) -> int | None:
    """Cancel a workflow, all workflows of a pipeline, or a job.

    The server accepts the request at once and cancels shortly after. Finished builds do not change. With a pipeline,
    the command cancels the workflows that appear later too, and ends when the pipeline has ended.
    """
    polls = polling(interval)
    if number is not None:
        ref = BuildRef(project=target, job=number)
    else:
        ref = BuildRef.parse(target, "a workflow, a pipeline or a job")
    if ref.job is not None and ref.project is not None:
        canceled = await _cancel_by_number(circle, ref.project, ref.job)
        _show_canceled(out, [{"kind": "job", "project": ref.project, "number": ref.job}] if canceled else [])
        return None
    try:
        build = await _build(circle, ref)
    except NotFound:
        if ref.id is None:
            raise
        await _cancel_job(circle, ref.id)
        _show_canceled(out, [{"kind": "job", "id": ref.id}])
        return None
    if isinstance(build, str):
        return await _cancel_pipeline(circle, out, build, timeout=within, grace=grace, **polls)
    if not build.is_finished:
        await circle.workflows.cancel(build.id)
    _show_canceled(out, [] if build.is_finished else [{"kind": "workflow", "id": build.id, "name": build.name}])
    return None


async def _cancel_pipeline(circle: "CircleCI", out: Output, id: str, **options: Any) -> int | None:
    """Cancel the workflows of a pipeline until it has ended; `options` are those of `pipelines.cancel`."""
    options = {"interval": INTERVAL, **options}
    out.note("canceling all workflows until the pipeline has ended; Ctrl-C stops waiting")
    code = None
    canceled: tuple[Workflow, ...] = ()
    try:
        canceled = (await circle.pipelines.cancel(id, **options)).canceled
    except WaitTimeout as error:
        out.error(str(error), "run the same command again to continue")
        code = TIMED_OUT
    _show_canceled(out, [{"kind": "workflow", "id": each.id, "name": each.name} for each in canceled], "Canceled")
    return code


async def _workflows(circle: "CircleCI", ref: BuildRef) -> "list[Workflow]":
    """Return the referenced workflow, or those of the referenced pipeline."""
    build = await _build(circle, ref)
    return await circle.pipelines.workflows(build).collect() if isinstance(build, str) else [build]


async def _build(circle: "CircleCI", ref: BuildRef) -> "Workflow | str":
    """Return the referenced workflow, or the id of the referenced pipeline."""
    if ref.workflow is not None:
        return await circle.workflows.get(ref.workflow)
    if ref.project is not None and ref.pipeline is not None:
        return (await circle.pipelines.get_by_number(ref.project, ref.pipeline)).id
    if ref.id is None:
        raise InvalidArgument("expected the URL of a workflow or a pipeline, got that of a job")
    try:
        return await circle.workflows.get(ref.id)
    except NotFound:
        try:
            return (await circle.pipelines.get(ref.id)).id
        except NotFound as error:
            error.add_note("no workflow and no pipeline has this id")
            raise


async def _cancel_by_number(circle: "CircleCI", project: str, number: int) -> bool:
    """Cancel a job; return False if it is already finished."""
    try:
        await circle.jobs.cancel(project, number)
    except BadRequest:  # the API's answer for finished jobs, among others
        status = (await circle.jobs.get(project, number)).status
        if status is not None and status.is_finished:
            return False
        raise
    return True


async def _cancel_job(circle: "CircleCI", job_id: str) -> None:
    try:
        await circle.jobs.cancel_by_id(job_id)
    except NotFound as error:
        error.add_note("no workflow, pipeline or job has this id")
        raise


async def _job_ids(circle: "CircleCI", workflow_id: str, jobs: list[str]) -> list[str]:
    """Return the ids of jobs that are given by name or id."""
    existing = await circle.workflows.jobs(workflow_id).collect()
    ids = {each.id: each.id for each in existing} | {each.name: each.id for each in existing}
    for each in jobs:
        if each not in ids:
            names = ", ".join(sorted(job.name for job in existing))
            raise InvalidArgument(f"--job must be a job of the workflow ({names}), got {each!r}")
    return [ids[each] for each in jobs]


def _show_canceled(out: Output, canceled: list[dict[str, Any]], verb: str = "Canceling") -> None:
    if out.is_json:
        out.data(canceled)
        return
    for each in canceled:
        match each:
            case {"kind": "workflow"}:
                out.say(f"{verb} workflow {printable(each['name'])} ({each['id']})")
            case {"id": id}:
                out.say(f"{verb} job {id}")
            case _:
                out.say(f"{verb} job {each['number']} of {printable(each['project'])}")
    if not canceled:
        out.note("already finished: nothing to cancel")
