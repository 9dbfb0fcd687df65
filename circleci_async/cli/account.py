"""`me` and `project`: the owner of the token, and a project."""

from typing import TYPE_CHECKING

from .arguments import Project
from .output import Output

if TYPE_CHECKING:
    from .. import CircleCI


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
