"""Projects."""

from attrs import frozen

from .open_enum import OpenEnum

__all__ = ["Project", "ProjectVcs", "VcsProvider"]


class VcsProvider(OpenEnum):
    """Where a project's repository lives; `CircleCI` stands for every integration that came after the first two."""

    BITBUCKET = "Bitbucket"
    CIRCLECI = "CircleCI"
    GITHUB = "GitHub"


@frozen(kw_only=True)
class ProjectVcs:
    """A project's repository."""

    vcs_url: str
    provider: VcsProvider
    default_branch: str


@frozen(kw_only=True)
class Project:
    """A project: `GET /project/{project-slug}`."""

    slug: str
    name: str
    organization_name: str
    vcs_info: ProjectVcs
    id: str | None = None
    organization_slug: str | None = None
    organization_id: str | None = None
