"""A job with its steps from API v1.1, which calls it a build. API v2 has no steps."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from attrs import field, frozen

from ..core.session import Session
from ..errors import NotFound
from ..models.jobs import JobStatus
from ..models.steps import JobStep, StepAction, StepStatus

NO_STEPS = (
    "A job that was canceled before it started has no steps, nor does an approval. Otherwise check the project, the"
    " number (`job_number` of `workflows.jobs`), and that the token's user can see the project."
)

_FLAGS: tuple[Literal["infrastructure_fail", "timedout", "failed", "canceled"], ...] = (
    "infrastructure_fail",
    "timedout",
    "failed",
    "canceled",
)


@frozen(kw_only=True)
class BuildAction:
    """A step on one node, as received: nearly every field can be null."""

    name: str | None = None
    step: int | None = None
    index: int | None = None
    status: StepStatus | None = None
    failed: bool | None = None
    timedout: bool | None = None
    canceled: bool | None = None
    infrastructure_fail: bool | None = None
    exit_code: int | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    run_time_millis: int | None = None
    bash_command: str | None = None
    background: bool | None = None
    has_output: bool | None = None
    truncated: bool | None = None
    output_url: str | None = field(default=None, repr=False)  # it is signed


@frozen(kw_only=True)
class BuildStep:
    """A step, as received."""

    name: str | None = None
    actions: tuple[BuildAction, ...] | None = None


@frozen(kw_only=True)
class Build:
    """A job, as received."""

    steps: tuple[BuildStep, ...] | None = None
    lifecycle: str | None = None
    status: JobStatus | None = None
    stop_time: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the job has ended."""
        if self.lifecycle is not None:
            return self.lifecycle in {"finished", "not_run"}
        if self.status in {"fixed", "no_tests"}:  # statuses of API v1.1 only
            return True
        return self.stop_time is not None or (self.status is not None and self.status.is_finished)

    def job_steps(self) -> list[JobStep]:
        """Return the steps in the order of the job."""
        return [_step(step) for step in self.steps or ()]


def build_path(project: str, number: int) -> str:
    """Return the path of a job; `project` is already quoted."""
    return f"/api/v1.1/project/{project}/{number}"


async def get_build(session: Session, project: str, number: int) -> Build:
    """Request a job; `project` is already quoted. The `NotFound` of a job without steps has a `hint`."""
    try:
        return await session.request(Build, "GET", build_path(project, number))
    except NotFound as error:
        error.hint = NO_STEPS
        raise


def _step(step: BuildStep) -> JobStep:
    actions = tuple(sorted((_action(action, step) for action in step.actions or ()), key=lambda each: each.node))
    representative = _representative(actions)
    ends = [action.ended_at for action in actions]
    return JobStep(
        name=step.name or (actions[0].name if actions else ""),
        number=next((action.number for action in actions if action.number is not None), None),
        status=representative.status if representative else StepStatus("unknown"),
        exit_code=representative.exit_code if representative else None,
        started_at=min(filter(None, (action.started_at for action in actions)), default=None),
        ended_at=max(filter(None, ends), default=None) if None not in ends else None,
        actions=actions,
    )


def _representative(actions: Iterable[StepAction]) -> StepAction | None:
    """Return the action whose status is that of the step: the first one of the lowest rank."""
    return min(actions, key=_rank, default=None)


def _rank(action: StepAction) -> int:
    if action.failed:
        return 0
    if not action.is_finished:
        return 1
    return 2 if action.status != StepStatus.SUCCESS else 3


def _action(action: BuildAction, step: BuildStep) -> StepAction:
    flag = next((flag for flag in _FLAGS if getattr(action, flag)), None)
    status = action.status or StepStatus(flag or "unknown")
    return StepAction(
        node=action.index or 0,
        name=action.name or step.name or "",
        status=status,
        # `failed` is null for a step killed by its timeout, and its status can be unknown.
        failed=status.is_failure or flag in {"infrastructure_fail", "timedout", "failed"},
        number=action.step,
        exit_code=action.exit_code,
        started_at=action.start_time,
        ended_at=action.end_time,
        duration=action.run_time_millis,
        command=action.bash_command,
        background=bool(action.background),
        has_output=bool(action.has_output) or bool(action.output_url),
        truncated=bool(action.truncated),
        output_url=action.output_url or None,
    )
