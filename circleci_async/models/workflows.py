"""Workflows and their jobs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from .jobs import JobStatus, JobType
from .open_enum import OpenEnum

__all__ = ["RerunAccepted", "Workflow", "WorkflowJob", "WorkflowStatus", "WorkflowTag"]


class WorkflowStatus(OpenEnum):
    """The status of a workflow."""

    CANCELED = "canceled"
    ERROR = "error"
    FAILED = "failed"
    FAILING = "failing"
    NOT_RUN = "not_run"
    ON_HOLD = "on_hold"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    UNAUTHORIZED = "unauthorized"

    @property
    def is_finished(self) -> bool:
        """Whether the status is final. False for an unknown status."""
        return self in _FINISHED


_FINISHED = frozenset(
    {
        WorkflowStatus.CANCELED,
        WorkflowStatus.ERROR,
        WorkflowStatus.FAILED,
        WorkflowStatus.NOT_RUN,
        WorkflowStatus.SUCCESS,
        WorkflowStatus.UNAUTHORIZED,
    }
)


class WorkflowTag(OpenEnum):
    """The role of a workflow in its pipeline."""

    SETUP = "setup"


@frozen(kw_only=True)
class Workflow:
    """A workflow: `GET /workflow/{id}` and `GET /pipeline/{pipeline-id}/workflow`."""

    id: str
    name: str
    created_at: datetime
    status: WorkflowStatus | None = None
    stopped_at: datetime | None = None
    """None while it is running."""
    pipeline_id: str | None = None
    pipeline_number: int | None = None
    project_slug: str | None = None
    started_by: str | None = None
    """The id of the user who started it."""
    canceled_by: str | None = None
    errored_by: str | None = None
    tag: WorkflowTag | None = None
    auto_rerun_number: int | None = None
    """The number of the automatic rerun."""
    max_auto_reruns: int | None = None
    """The configured limit of automatic reruns."""

    @property
    def is_finished(self) -> bool:
        """Whether the status is final; a missing or unknown one is not."""
        return self.status is not None and self.status.is_finished


@frozen(kw_only=True)
class WorkflowJob:
    """A job in the list of its workflow: `GET /workflow/{id}/job`."""

    id: str
    name: str
    type: JobType
    status: JobStatus
    job_number: int | None = None
    """None until the job runs, and for approvals."""
    project_slug: str | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    dependencies: tuple[str, ...] = ()
    """The ids of the jobs that this job depends on."""
    requires: Mapping[str, Any] | None = field(default=None, hash=False)
    """For each id in `dependencies`, the list of statuses that allow this job to start."""
    approval_request_id: str | None = None
    approved_by: str | None = None
    canceled_by: str | None = None

    @property
    def is_on_hold(self) -> bool:
        """Whether the job waits for an approval."""
        return self.type == JobType.APPROVAL and self.status == JobStatus.ON_HOLD

    @property
    def approval_id(self) -> str:
        """The id for `workflows.approve`: `approval_request_id`, or the job's `id` where CircleCI does not send one."""
        return self.approval_request_id or self.id


@frozen(kw_only=True)
class RerunAccepted:
    """An accepted rerun: `POST /workflow/{id}/rerun`."""

    workflow_id: str
    """The id of the new workflow."""
