"""The last lines of the failed steps of a job."""

from contextlib import aclosing

from ..core.fan_out import fan_out
from ..errors import CircleCIError
from ..models.steps import StepAction, StepOutput
from .output import last_lines
from .reading import JobSource, output_of

OUTPUTS_AT_ONCE = 8
"""Outputs that are read concurrently."""


async def failed_output(job: JobSource, *, node: int | None, tail: int | None, ansi: bool) -> list[StepOutput]:
    """Return the last lines of each failed action of a job, or of one node, in the order of the job."""
    build = await job.build()
    failed = [
        action for step in build.job_steps() for action in step.actions if action.failed and node in {None, action.node}
    ]
    results: dict[int, str | CircleCIError] = {}

    async def read(numbered: tuple[int, StepAction]) -> str:
        _, action = numbered
        return await last_lines(job, output_of(job, action), tail, ansi=ansi) if action.has_output else ""

    async with aclosing(fan_out(enumerate(failed), read, concurrency=OUTPUTS_AT_ONCE)) as outcomes:
        async for (position, _), outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, CircleCIError):
                raise outcome
            results[position] = outcome
    return [_step_output(action, results[position]) for position, action in enumerate(failed)]


def _step_output(action: StepAction, result: str | CircleCIError) -> StepOutput:
    return StepOutput(
        name=action.name,
        node=action.node,
        status=action.status,
        exit_code=action.exit_code,
        text=result if isinstance(result, str) else "",
        number=action.number,
        error=None if isinstance(result, str) else result,
    )
