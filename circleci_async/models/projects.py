"""Projects."""

from collections.abc import Sequence
from typing import TypedDict

from attrs import frozen

from .open_enum import OpenEnum

__all__ = [
    "AdvancedSettings",
    "AdvancedSettingsUpdate",
    "Project",
    "ProjectSettings",
    "ProjectVcs",
    "Rollback",
    "VcsProvider",
]


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


@frozen(kw_only=True)
class AdvancedSettings:
    """What can be turned on and off in a project."""

    autocancel_builds: bool | None = None
    """Cancel what runs on a branch when something newer is pushed to it; never on the default branch."""
    build_fork_prs: bool | None = None
    """Build pull requests that come from forks."""
    build_prs_only: bool | None = None
    """Build only branches that have a pull request, and those of `pr_only_branch_overrides`."""
    disable_ssh: bool | None = None
    """Let nobody rerun a job with SSH."""
    forks_receive_secret_env_vars: bool | None = None
    """Give the project's secrets to builds of forks, too."""
    oss: bool | None = None
    """Free and open source: anybody may see the builds."""
    set_github_status: bool | None = None
    """Report to GitHub how each commit's builds went."""
    setup_workflows: bool | None = None
    """Allow setup workflows, which work out the rest of the configuration."""
    write_settings_requires_admin: bool | None = None
    """Let only administrators of the organization change these settings."""
    pr_only_branch_overrides: tuple[str, ...] = ()
    """Branches that are built with or without a pull request."""


class AdvancedSettingsUpdate(TypedDict, total=False):
    """What `projects.update_settings` takes: settings of a project by their names, those that are to change."""

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
    """A project's settings: `GET /project/{provider}/{organization}/{project}/settings`."""

    advanced: AdvancedSettings | None = None


@frozen(kw_only=True)
class Rollback:
    """A rollback that was accepted: `POST /projects/{project_id}/rollback`."""

    id: str = ""
    """What does it: a pipeline or a command. Empty if the answer lacks it; the specification does not promise it."""
    rollback_type: str | None = None
    """Whether a pipeline or an agent does it, in capitals or not."""
