"""Who there is: users and organizations."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import Factory, define, field

if TYPE_CHECKING:
    from .builds import Pipeline
    from .projects import Project

VCS_TYPES = {"gh": "github", "bb": "bitbucket", "circleci": "circleci"}
"""The first part of a slug, and what the API calls it elsewhere."""


class PipelineIndex:
    """Pipelines in the order in which they were made, and the same by branch and by who started them.

    Each list only ever grows at its end, so that a page token can be a place in it.
    """

    def __init__(self) -> None:
        self.all: list[Pipeline] = []
        self._by_branch: defaultdict[str | None, list[Pipeline]] = defaultdict(list)
        self._by_actor: defaultdict[str, list[Pipeline]] = defaultdict(list)

    def add(self, pipeline: "Pipeline") -> None:
        """Add the newest pipeline."""
        self.all.append(pipeline)
        self._by_branch[pipeline.branch].append(pipeline)
        self._by_actor[pipeline.actor.id].append(pipeline)

    def of_branch(self, branch: str) -> Sequence["Pipeline"]:
        """Give the pipelines of one branch, oldest first."""
        return self._by_branch.get(branch, ())

    def of_actor(self, user: "User") -> Sequence["Pipeline"]:
        """Give the pipelines that one user started, oldest first."""
        return self._by_actor.get(user.id, ())


@define(eq=False)
class User:
    """A user of CircleCI."""

    id: str
    login: str
    name: str | None

    @property
    def avatar_url(self) -> str:
        """Where the picture would be."""
        return f"https://avatars.githubusercontent.com/{self.login}"


@define(eq=False)
class Organization:
    """An organization; `slug` is such as `gh/acme`."""

    id: str
    slug: str
    name: str
    projects: dict[str, "Project"] = field(factory=dict["str", "Project"], repr=False)
    pipelines: PipelineIndex = field(default=Factory(PipelineIndex), repr=False)

    @property
    def vcs(self) -> str:
        """`github`, `bitbucket` or `circleci`."""
        return VCS_TYPES[self.slug.partition("/")[0]]
