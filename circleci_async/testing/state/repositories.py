"""Repositories: the part of a project that its builds depend on."""

from datetime import datetime

from attrs import define, field

from .organizations import CREATED_AT, Organization
from .registry import Registry


@define(eq=False)
class Repository:
    """The repository of a project, as pipelines and webhooks refer to it.

    The object behind `pipeline.project` is the `Project`, which adds settings and methods to this class.
    """

    world: Registry = field(repr=False)
    organization: Organization
    id: str
    slug: str
    name: str
    default_branch: str
    public: bool
    created_at: datetime = field(default=CREATED_AT, kw_only=True, repr=False)
    _numbered_jobs: int = field(default=0, init=False, repr=False)

    @property
    def vcs_url(self) -> str:
        """URL of the repository."""
        if self.organization.vcs == "circleci":
            return f"//circleci.com/{self.organization.id}/{self.id}"
        host = {"github": "github.com", "bitbucket": "bitbucket.org"}[self.organization.vcs]
        return f"https://{host}/{self.organization.name}/{self.name}"

    @property
    def provider(self) -> str:
        """`GitHub`, `Bitbucket` or `CircleCI`."""
        return {"github": "GitHub", "bitbucket": "Bitbucket", "circleci": "CircleCI"}[self.organization.vcs]

    def next_job_number(self) -> int:
        """Return the number of the next job."""
        self._numbered_jobs += 1
        return self._numbered_jobs
