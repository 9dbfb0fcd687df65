"""Workflows: one run of a workflow definition within a pipeline."""

from collections.abc import Sequence

from ..core.encoding import omit_none
from ..core.paging import Paged
from ..errors import InvalidArgument
from ..models.messages import Message
from ..models.workflows import RerunAccepted, Workflow, WorkflowJob
from ..slug import segment
from .resource import Id, Resource


class Workflows(Resource):
    """Workflows: one run of a workflow definition within a pipeline."""

    async def get(self, workflow_id: Id) -> Workflow:
        """Return a workflow.

        `GET /workflow/{id}`
        """
        return await self._session.request(Workflow, "GET", f"/workflow/{segment(workflow_id)}")

    def jobs(self, workflow_id: Id) -> Paged[WorkflowJob]:
        """Iterate over the jobs of a workflow, including approvals.

        `GET /workflow/{id}/job`

        `job_number` is None before a job runs, and for approvals.
        """
        return self._session.paged(WorkflowJob, f"/workflow/{segment(workflow_id)}/job")

    async def cancel(self, workflow_id: Id) -> Message:
        """Cancel a running workflow. The cancellation is asynchronous.

        `POST /workflow/{id}/cancel`
        """
        return await self._session.request(Message, "POST", f"/workflow/{segment(workflow_id)}/cancel")

    async def rerun(
        self,
        workflow_id: Id,
        *,
        from_failed: bool | None = None,
        jobs: Sequence[Id] | None = None,
        enable_ssh: bool | None = None,
        sparse_tree: bool | None = None,
    ) -> RerunAccepted:
        """Rerun a workflow, as a new workflow of the same pipeline.

        `POST /workflow/{id}/rerun`

        Reruns all jobs by default, with `from_failed` the failed jobs and their dependents, and with `jobs` the jobs
        that have these ids. `enable_ssh` and `sparse_tree` require `jobs`.
        """
        if from_failed and jobs is not None:
            raise InvalidArgument(f"from_failed and jobs cannot be combined, got from_failed=True, jobs={jobs!r}")
        if isinstance(jobs, str):
            raise InvalidArgument(f"jobs must be a list of ids, got {jobs!r}")
        if jobs is not None and not jobs:
            raise InvalidArgument(f"jobs must have at least one id, or be None to rerun all jobs, got {jobs!r}")
        if jobs is None and (enable_ssh or sparse_tree):
            raise InvalidArgument(
                f"enable_ssh and sparse_tree require jobs, got enable_ssh={enable_ssh!r}, sparse_tree={sparse_tree!r}"
            )
        return await self._session.request(
            RerunAccepted,
            "POST",
            f"/workflow/{segment(workflow_id)}/rerun",
            json=omit_none(
                from_failed=from_failed,
                jobs=None if jobs is None else [str(job) for job in jobs],
                enable_ssh=enable_ssh,
                sparse_tree=sparse_tree,
            ),
        )

    async def approve(self, workflow_id: Id, approval_request_id: Id) -> Message:
        """Approve a job that is on hold.

        `POST /workflow/{id}/approve/{approval_request_id}`

        `approval_request_id`: `WorkflowJob.approval_request_id` of the approval job.
        """
        return await self._session.request(
            Message, "POST", f"/workflow/{segment(workflow_id)}/approve/{segment(approval_request_id)}"
        )
