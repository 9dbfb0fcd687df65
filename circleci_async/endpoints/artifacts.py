"""Artifacts: the files that jobs keep."""

from ..core.paging import Paged
from ..models.artifacts import Artifact
from ..slug import project_path, segment
from .resource import ProjectRef, Resource


class Artifacts(Resource):
    """Artifacts: the files that jobs keep."""

    def list(self, project: ProjectRef, number: int) -> Paged[Artifact]:
        """Iterate the artifacts of a job.

        `GET /project/{project-slug}/{job-number}/artifacts`

        They are listed only when their upload has ended, and no more once they have expired (30 days at most).
        """
        return self._session.paged(Artifact, f"/project/{project_path(project)}/{segment(number)}/artifacts")
