"""Lists of pipelines, in order of creation."""

from collections import defaultdict
from collections.abc import Sequence

from .builds import Pipeline
from .repositories import Repository
from .users import User


class PipelineIndex:
    """Pipelines in order of creation, and the same by branch and by actor.

    Pipelines are only appended, so that a page token can be a position in a list, until a project is deleted.
    """

    def __init__(self) -> None:
        self.all: list[Pipeline] = []
        self._by_branch: defaultdict[str | None, list[Pipeline]] = defaultdict(list)
        self._by_actor: defaultdict[str, list[Pipeline]] = defaultdict(list)

    def add(self, pipeline: Pipeline) -> None:
        """Append the newest pipeline."""
        self.all.append(pipeline)
        self._by_branch[pipeline.branch].append(pipeline)
        self._by_actor[pipeline.actor.id].append(pipeline)

    def remove(self, project: Repository) -> None:
        """Remove the pipelines of a project."""
        for pipelines in (self.all, *self._by_branch.values(), *self._by_actor.values()):
            pipelines[:] = [pipeline for pipeline in pipelines if pipeline.project is not project]

    def of_branch(self, branch: str) -> Sequence[Pipeline]:
        """Return the pipelines of one branch, oldest first."""
        return self._by_branch.get(branch, ())

    def of_actor(self, user: User) -> Sequence[Pipeline]:
        """Return the pipelines that one user triggered, oldest first."""
        return self._by_actor.get(user.id, ())
