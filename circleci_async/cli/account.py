"""`me` and `project`: what the token can see."""

from typing import TYPE_CHECKING, Annotated

import typer

from .output import Output

if TYPE_CHECKING:
    from ..client import CircleCI

Slug = Annotated[
    str,
    typer.Argument(
        metavar="PROJECT",
        help="The project: gh/acme/api, circleci/<organization>/<project>, or the address of its repository or page.",
        show_default=False,
    ),
]


async def me(circle: "CircleCI", out: Output) -> None:
    """Show who you are: the user whose token this is."""
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


async def project(circle: "CircleCI", out: Output, slug: Slug) -> None:
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
