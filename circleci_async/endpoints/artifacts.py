"""Artifacts: the files that jobs store."""

from ..core.paging import Paged
from ..models.artifacts import Artifact
from ..slug import project_path, segment
from .resource import ProjectRef, Resource


class Artifacts(Resource):
    """Artifacts: the files that jobs store."""

    def list(self, project: ProjectRef, number: int) -> Paged[Artifact]:
        """Iterate over the artifacts of a job.

        `GET /project/{project-slug}/{job-number}/artifacts`

        An artifact is listed from the end of its upload until it expires, after 30 days at most.
        """
        return self._session.paged(Artifact, f"/project/{project_path(project)}/{segment(number)}/artifacts")
