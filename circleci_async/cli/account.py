"""`me`, `project` and `projects`: the owner of the token, a project, and the projects of an organization."""

from typing import TYPE_CHECKING, Annotated

import typer

from ..core.when import parse_datetime
from .arguments import Project, argument, option
from .output import Column, Output

if TYPE_CHECKING:
    from .. import CircleCI
    from ..models import ListedProject


async def me(circle: "CircleCI", out: Output) -> None:
    """Show the user that the token belongs to."""
    user = await circle.users.me()
    out.record(
        user,
        [
            ("Login", user.login),
            ("Name", user.name),
            ("Id", user.id),
            ("Host", circle.host),
            ("Token from", circle.token_source),
        ],
    )


async def project(circle: "CircleCI", out: Output, slug: Project) -> None:
    """Show a project."""
    found = await circle.projects.get(slug)
    out.record(
        found,
        [
            ("Project", found.slug),
            ("Name", found.name),
            ("Organization", found.organization_name),
            ("Repository", found.vcs_info.vcs_url),
            ("Default branch", found.vcs_info.default_branch),
            ("Id", found.id),
        ],
    )


async def projects(
    circle: "CircleCI",
    out: Output,
    organization: Annotated[
        str, argument("ORGANIZATION", "Organization: gh/acme, circleci/<organization>, or the URL of its page.")
    ],
    since: Annotated[
        str | None, option("Pipelines created since then: 30d, 12h, 2w or 2026-11-01.", metavar="WHEN")
    ] = None,
    look_back: Annotated[int, typer.Option(min=1, metavar="N", help="Pipelines of the organization to read.")] = 1_000,
) -> None:
    """List the projects of an organization.

    First those of its newest pipelines, then others that Insights knows. Projects that you do not follow, and those
    without pipelines for long, can be missing.
    """
    listed = circle.projects.list(organization, since=parse_datetime("--since", since), look_back=look_back)
    await out.list(listed, PROJECTS, none="no projects")
    if listed.is_truncated:
        out.note(f"read the newest {look_back:,} pipelines: a larger --look-back can find more projects")


PROJECTS: "tuple[Column[ListedProject], ...]" = (
    Column("Project", lambda project: project.slug),
    Column("Last pipeline", lambda project: project.last_pipeline_at, is_fixed=True),
)
