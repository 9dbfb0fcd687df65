"""The steps of a job, and what they printed."""

from datetime import datetime

from attrs import field, frozen

from .open_enum import OpenEnum

__all__ = ["JobStep", "LogLine", "OutputMessage", "StepAction", "StepOutput", "StepStatus"]


class StepStatus(OpenEnum):
    """Where a step stands."""

    CANCELED = "canceled"
    FAILED = "failed"
    INFRASTRUCTURE_FAIL = "infrastructure_fail"
    RUNNING = "running"
    SUCCESS = "success"
    TIMEDOUT = "timedout"
    """It printed nothing for too long, and was killed."""

    @property
    def is_finished(self) -> bool:
        """Whether the step has come to its end. False for an unknown status."""
        return self.is_known and self != StepStatus.RUNNING

    @property
    def is_failure(self) -> bool:
        """Whether the step is to blame for a job that failed."""
        return self in _FAILURES


_FAILURES = frozenset({StepStatus.FAILED, StepStatus.INFRASTRUCTURE_FAIL, StepStatus.TIMEDOUT})


@frozen(kw_only=True)
class StepAction:
    """A step on one node of its job."""

    node: int
    """Which of the parallel runs of the job, from 0."""
    name: str
    status: StepStatus
    failed: bool
    """Whether it failed, timed out, or was lost with its machine."""
    number: int | None = None
    """The number of the step. Numbers have gaps, and CircleCI does not give one to every step."""
    exit_code: int | None = None
    """None if it has not ended by itself; also of some steps of CircleCI's own."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration: int | None = None
    """Milliseconds."""
    command: str | None = None
    background: bool = False
    """Whether the steps after it did not wait for its end."""
    has_output: bool = False
    truncated: bool = False
    """Whether CircleCI has cut its output."""
    output_url: str | None = field(default=None, repr=False)
    """Where its output is. Whoever has this address can read it, for a while: it is signed, and so it is not shown."""

    @property
    def is_finished(self) -> bool:
        """Whether it has come to its end."""
        return self.ended_at is not None or self.status.is_finished


@frozen(kw_only=True)
class JobStep:
    """A step of a job: `GET /api/v1.1/project/{project-slug}/{job-number}`."""

    name: str
    number: int | None
    """With this `jobs.output` finds it. Numbers have gaps; None for a few steps: give those themselves."""
    status: StepStatus
    """That of the first node that failed; if none did, that of the first one that is not done, or not well."""
    exit_code: int | None
    """That of the same node."""
    started_at: datetime | None
    """When the first node began it."""
    ended_at: datetime | None
    """When the last node was done with it; None as long as one is not."""
    actions: tuple[StepAction, ...]
    """The step on each node."""

    @property
    def failed(self) -> bool:
        """Whether it failed, timed out, or was lost with its machine, on any node."""
        return any(action.failed for action in self.actions)


@frozen(kw_only=True)
class OutputMessage:
    """What a step printed in one go, as it was printed: lines, or parts of them, with all control codes."""

    text: str
    type: str | None = None
    """`out` or `err`."""
    time: datetime | None = None
    """When it was printed. This and `type` are None where CircleCI gives the output as plain text, and in all but the
    last part of a message that is so long that it is given in parts."""


@frozen(kw_only=True)
class StepOutput:
    """What a step that failed printed in the end, on one node."""

    name: str
    node: int
    status: StepStatus
    exit_code: int | None
    text: str
    """Its last lines, without a newline after the last one."""
    number: int | None = None
    error: Exception | None = None
    """Why `text` is empty, if the output could not be had."""


@frozen(kw_only=True)
class LogLine:
    """A line of what a job prints, without its end."""

    text: str
    step: str
    """The step's name."""
    number: int | None
    """The step's number."""
    node: int
