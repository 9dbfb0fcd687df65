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
        """Iterate the jobs of a workflow, approvals included.

        `GET /workflow/{id}/job`

        `job_number` is None until a job runs, and for approvals.
        """
        return self._session.paged(WorkflowJob, f"/workflow/{segment(workflow_id)}/job")

    async def cancel(self, workflow_id: Id) -> Message:
        """Cancel a running workflow; it ends a little later (202).

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
        """Run a workflow again, as a new workflow of the same pipeline (202).

        `POST /workflow/{id}/rerun`

        Whole by default; `from_failed` from the failed jobs on; `jobs` (ids) those jobs only, which `enable_ssh` and
        `sparse_tree` need.
        """
        if from_failed and jobs is not None:
            raise InvalidArgument("from_failed=True, jobs=...: give one of the two, not both")
        if isinstance(jobs, str):
            raise InvalidArgument(f"jobs={jobs!r}: give a list of ids")
        if jobs is not None and not jobs:
            raise InvalidArgument(f"jobs={jobs!r}: give at least one id, or leave it out to run all jobs again")
        if jobs is None and (enable_ssh or sparse_tree):
            raise InvalidArgument("enable_ssh and sparse_tree need `jobs`, the ids of the jobs to run again")
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
        """Approve a job that is on hold (202).

        `POST /workflow/{id}/approve/{approval_request_id}`

        `approval_request_id` stands on the approval job (`WorkflowJob.approval_request_id`).
        """
        return await self._session.request(
            Message, "POST", f"/workflow/{segment(workflow_id)}/approve/{segment(approval_request_id)}"
        )
