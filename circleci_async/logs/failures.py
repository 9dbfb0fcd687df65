"""The failed jobs of workflows, with the last lines of their failed steps."""

from collections.abc import Iterable
from typing import NamedTuple

from ..core.fan_out import fan_out_in_order
from ..core.session import Session
from ..endpoints.workflows import Workflows
from ..errors import CircleCIError
from ..models.steps import StepOutput, StepStatus
from ..models.workflows import Workflow, WorkflowJob, WorkflowStatus
from ..slug import project_path
from .failed_output import failed_output
from .reading import JobSource

__all__ = ["JobFailure"]

JOBS_AT_ONCE = 4
"""Jobs whose outputs are read concurrently."""


class JobFailure(NamedTuple):
    """A failed step of a failed job, on one node: what `pipelines.failures` yields."""

    workflow: Workflow
    job: WorkflowJob
    output: StepOutput
    """Of a job without a failed step: the job's name and status, no text, and the `error` of reading its steps."""


async def job_failures(
    session: Session, workflows: Iterable[Workflow], *, tail: int | None, ansi: bool
) -> list[JobFailure]:
    """Return the failures in the order of the workflows and of their jobs."""
    unsuccessful = [each for each in workflows if each.status != WorkflowStatus.SUCCESS]
    failed = [
        (workflow, job)
        for workflow in unsuccessful
        for job in await Workflows(session).jobs(workflow.id).collect()
        if job.status.is_failure
    ]

    async def read(of: tuple[Workflow, WorkflowJob]) -> list[StepOutput]:
        workflow, job = of
        project = job.project_slug or workflow.project_slug
        if project is None or job.job_number is None:
            return []
        return await failed_output(JobSource(session, project_path(project), job.job_number), tail=tail, ansi=ansi)

    return [
        JobFailure(workflow, job, output)
        for (workflow, job), outcome in await fan_out_in_order(failed, read, concurrency=JOBS_AT_ONCE)
        for output in _outputs(job, outcome)
    ]


def _outputs(job: WorkflowJob, outcome: list[StepOutput] | Exception) -> list[StepOutput]:
    """Return the outputs of a failed job, at least one."""
    if isinstance(outcome, Exception) and not isinstance(outcome, CircleCIError):
        raise outcome
    if isinstance(outcome, list) and outcome:
        return outcome
    error = outcome if isinstance(outcome, Exception) else None
    status = StepStatus(job.status)
    return [StepOutput(name=job.name, node=0, status=status, exit_code=None, text="", error=error)]
