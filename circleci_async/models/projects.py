"""Projects."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

from attrs import frozen

from .open_enum import OpenEnum

__all__ = [
    "AdvancedSettings",
    "AdvancedSettingsUpdate",
    "ListedProject",
    "Project",
    "ProjectSettings",
    "ProjectVcs",
    "Rollback",
    "VcsProvider",
]


class VcsProvider(OpenEnum):
    """The host of a project's repository. `CircleCI` covers all integrations except the oldest two."""

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


@frozen(kw_only=True)
class ListedProject:
    """A project in the list of its organization. Every call that takes a project accepts it."""

    slug: str
    name: str
    """The last part of the slug: the name of the repository, or an opaque id in a `circleci/...` organization."""
    organization_slug: str
    last_pipeline_at: datetime | None = None
    """When its newest pipeline was created; None if no pipeline that was read belongs to it."""


@frozen(kw_only=True)
class AdvancedSettings:
    """The advanced settings of a project."""

    autocancel_builds: bool | None = None
    """Cancel running workflows of a branch when a newer commit is pushed to it, except on the default branch."""
    build_fork_prs: bool | None = None
    """Build pull requests from forks."""
    build_prs_only: bool | None = None
    """Build only branches with a pull request, and those of `pr_only_branch_overrides`."""
    disable_ssh: bool | None = None
    """Disable rerunning jobs with SSH."""
    forks_receive_secret_env_vars: bool | None = None
    """Pass the project's secrets to builds of forks."""
    oss: bool | None = None
    """Free and open source: builds are public."""
    set_github_status: bool | None = None
    """Report the build status of each commit to GitHub."""
    setup_workflows: bool | None = None
    """Enable setup workflows, which generate the configuration."""
    write_settings_requires_admin: bool | None = None
    """Allow only administrators of the organization to change these settings."""
    pr_only_branch_overrides: tuple[str, ...] = ()
    """Branches that are built even without a pull request."""


class AdvancedSettingsUpdate(TypedDict, total=False):
    """The settings that `projects.update_settings` can change."""

    autocancel_builds: bool
    build_fork_prs: bool
    build_prs_only: bool
    disable_ssh: bool
    forks_receive_secret_env_vars: bool
    oss: bool
    set_github_status: bool
    setup_workflows: bool
    write_settings_requires_admin: bool
    pr_only_branch_overrides: Sequence[str]


@frozen(kw_only=True)
class ProjectSettings:
    """The settings of a project: `GET /project/{provider}/{organization}/{project}/settings`."""

    advanced: AdvancedSettings | None = None


@frozen(kw_only=True)
class Rollback:
    """An accepted rollback: `POST /projects/{project_id}/rollback`."""

    id: str = ""
    """The id of the pipeline or command that performs it. Empty if the response lacks it."""
    rollback_type: str | None = None
    """Whether a pipeline or an agent performs it, in upper or lower case."""
