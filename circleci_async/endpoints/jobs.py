"""Jobs, identified by their number in the project."""

from ..core.paging import Paged
from ..models.jobs import JobDetails, TestResult
from ..models.messages import Message
from ..slug import project_path, segment
from .resource import Id, ProjectRef, Resource


class Jobs(Resource):
    """Jobs, identified by their number in the project."""

    async def get(self, project: ProjectRef, number: int) -> JobDetails:
        """Return the details of a job. `duration` is in milliseconds.

        `GET /project/{project-slug}/job/{job-number}`

        Raises `NotFound` for approval jobs, even for those with a number.
        """
        return await self._session.request(JobDetails, "GET", f"/project/{project_path(project)}/job/{segment(number)}")

    def tests(self, project: ProjectRef, number: int) -> Paged[TestResult]:
        """Iterate over the test results of a job. `run_time` is in seconds.

        `GET /project/{project-slug}/{job-number}/tests`
        """
        return self._session.paged(TestResult, f"/project/{project_path(project)}/{segment(number)}/tests")

    async def cancel(self, project: ProjectRef, number: int) -> Message:
        """Cancel a job.

        `POST /project/{project-slug}/job/{job-number}/cancel`
        """
        return await self._session.request(
            Message, "POST", f"/project/{project_path(project)}/job/{segment(number)}/cancel"
        )

    async def cancel_by_id(self, job_id: Id) -> Message:
        """Cancel a job by its id.

        `POST /jobs/{job-id}/cancel`
        """
        return await self._session.request(Message, "POST", f"/jobs/{segment(job_id)}/cancel")
