"""The steps of a job and their output."""

from datetime import datetime

from attrs import field, frozen

from .open_enum import OpenEnum

__all__ = ["JobStep", "LogLine", "OutputMessage", "StepAction", "StepOutput", "StepStatus"]


class StepStatus(OpenEnum):
    """The status of a step."""

    CANCELED = "canceled"
    FAILED = "failed"
    INFRASTRUCTURE_FAIL = "infrastructure_fail"
    RUNNING = "running"
    SUCCESS = "success"
    TIMEDOUT = "timedout"
    """Killed because it printed nothing for too long."""

    @property
    def is_finished(self) -> bool:
        """Whether the status is final. False for an unknown status."""
        return self.is_known and self != StepStatus.RUNNING

    @property
    def is_failure(self) -> bool:
        """Whether the status makes the job fail."""
        return self in _FAILURES


_FAILURES = frozenset({StepStatus.FAILED, StepStatus.INFRASTRUCTURE_FAIL, StepStatus.TIMEDOUT})


@frozen(kw_only=True)
class StepAction:
    """A step on one node of its job."""

    node: int
    """The index of the parallel run, from 0."""
    name: str
    status: StepStatus
    failed: bool
    """Whether it failed, timed out, or was lost in an infrastructure failure."""
    number: int | None = None
    """The number of the step. Numbers can have gaps; some steps have none."""
    exit_code: int | None = None
    """None for a step that was killed or is running, and for some of CircleCI's own steps."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration: int | None = None
    """In milliseconds."""
    command: str | None = None
    background: bool = False
    """Whether it runs in the background of the following steps."""
    has_output: bool = False
    truncated: bool = False
    """Whether CircleCI truncated its output."""
    output_url: str | None = field(default=None, repr=False)
    """The signed URL of its output, which grants access for a limited time; therefore not in the repr."""

    @property
    def is_finished(self) -> bool:
        """Whether the step has ended."""
        return self.ended_at is not None or self.status.is_finished


@frozen(kw_only=True)
class JobStep:
    """A step of a job: `GET /api/v1.1/project/{project-slug}/{job-number}`."""

    name: str
    number: int | None
    """The `step` argument of `jobs.output`. Can have gaps. For a step without a number, pass the step itself."""
    status: StepStatus
    """The status of the first node that failed, else of the first unfinished or unsuccessful one."""
    exit_code: int | None
    """The exit code of the same node."""
    started_at: datetime | None
    """When the first node started it."""
    ended_at: datetime | None
    """When the last node finished it. None while a node is running it."""
    actions: tuple[StepAction, ...]
    """The step on each node."""

    @property
    def failed(self) -> bool:
        """Whether it failed, timed out, or was lost in an infrastructure failure, on any node."""
        return any(action.failed for action in self.actions)


@frozen(kw_only=True)
class OutputMessage:
    """A piece of the raw output of a step: lines or parts of lines, including control codes."""

    text: str
    type: str | None = None
    """`out` or `err`."""
    time: datetime | None = None
    """When it was printed. `time` and `type` are None if CircleCI returns the output as plain text, and in all but the
    last part of a long message, which is split into parts."""


@frozen(kw_only=True)
class StepOutput:
    """The last output of a failed step, on one node."""

    name: str
    node: int
    status: StepStatus
    exit_code: int | None
    text: str
    """The last lines, without a final newline."""
    number: int | None = None
    error: Exception | None = None
    """The error, if reading the output failed; `text` is empty then."""


@frozen(kw_only=True)
class LogLine:
    """A line of a job's output, without the line break."""

    text: str
    step: str
    """The name of the step."""
    number: int | None
    """The number of the step."""
    node: int
