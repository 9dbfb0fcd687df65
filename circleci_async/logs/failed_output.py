"""The last lines of the failed steps of a job."""

from ..core.fan_out import fan_out_in_order
from ..errors import CircleCIError
from ..models.steps import StepAction, StepOutput
from .output import last_lines
from .reading import JobSource, output_of

OUTPUTS_AT_ONCE = 8
"""Outputs that are read concurrently."""


async def failed_output(job: JobSource, *, node: int | None = None, tail: int | None, ansi: bool) -> list[StepOutput]:
    """Return the last lines of each failed action of a job, or of one node, in the order of the job."""
    build = await job.build()
    failed = [
        action for step in build.job_steps() for action in step.actions if action.failed and node in {None, action.node}
    ]

    async def read(action: StepAction) -> str:
        return await last_lines(job, output_of(job, action), tail, ansi=ansi) if action.has_output else ""

    return [
        _step_output(action, outcome)
        for action, outcome in await fan_out_in_order(failed, read, concurrency=OUTPUTS_AT_ONCE)
    ]


def _step_output(action: StepAction, outcome: str | Exception) -> StepOutput:
    if isinstance(outcome, Exception) and not isinstance(outcome, CircleCIError):
        raise outcome
    return StepOutput(
        name=action.name,
        node=action.node,
        status=action.status,
        exit_code=action.exit_code,
        text=outcome if isinstance(outcome, str) else "",
        number=action.number,
        error=None if isinstance(outcome, str) else outcome,
    )
