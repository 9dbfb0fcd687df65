"""OIDC tokens: custom claims in the tokens of jobs."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from ..core.arguments import check_words
from ..core.encoding import omit_none
from ..errors import InvalidArgument
from ..models.oidc import OidcClaim, OidcClaimSet
from ..slug import segment
from .resource import Id, Resource

_DURATION = re.compile(r"([0-9]+(ms|s|m|h|d|w)){1,7}")


class Oidc(Resource):
    """OIDC tokens: custom claims in the tokens of jobs, for an organization or for one project.

    `audience`: the intended recipients of a token. `ttl`: its time to live, a timedelta of whole milliseconds or text
    such as `1h30m`, with the units ms, s, m, h, d and w.
    """

    async def org_claims(self, organization_id: Id) -> OidcClaimSet:
        """Return the custom claims of an organization.

        `GET /org/{orgID}/oidc-custom-claims`
        """
        return await self._session.request(OidcClaimSet, "GET", _org_path(organization_id))

    async def update_org_claims(
        self, organization_id: Id, *, audience: Sequence[str] | None = None, ttl: str | timedelta | None = None
    ) -> OidcClaimSet:
        """Change custom claims of an organization. Omitted claims stay unchanged; without any, nothing changes.

        `PATCH /org/{orgID}/oidc-custom-claims`
        """
        return await self._session.request(
            OidcClaimSet, "PATCH", _org_path(organization_id), json=_changes(audience, ttl)
        )

    async def delete_org_claims(
        self, organization_id: Id, claims: OidcClaim | str | Sequence[OidcClaim | str]
    ) -> OidcClaimSet:
        """Reset claims of an organization to CircleCI's defaults: `audience`, `ttl` or both.

        `DELETE /org/{orgID}/oidc-custom-claims`
        """
        return await self._session.request(
            OidcClaimSet, "DELETE", _org_path(organization_id), query={"claims": _join(claims)}
        )

    async def project_claims(self, organization_id: Id, project_id: Id) -> OidcClaimSet:
        """Return the custom claims of a project.

        `GET /org/{orgID}/project/{projectID}/oidc-custom-claims`
        """
        return await self._session.request(OidcClaimSet, "GET", _project_path(organization_id, project_id))

    async def update_project_claims(
        self,
        organization_id: Id,
        project_id: Id,
        *,
        audience: Sequence[str] | None = None,
        ttl: str | timedelta | None = None,
    ) -> OidcClaimSet:
        """Change custom claims of a project. Omitted claims stay unchanged; without any, nothing changes.

        `PATCH /org/{orgID}/project/{projectID}/oidc-custom-claims`
        """
        return await self._session.request(
            OidcClaimSet, "PATCH", _project_path(organization_id, project_id), json=_changes(audience, ttl)
        )

    async def delete_project_claims(
        self, organization_id: Id, project_id: Id, claims: OidcClaim | str | Sequence[OidcClaim | str]
    ) -> OidcClaimSet:
        """Reset claims of a project to those of its organization: `audience`, `ttl` or both.

        `DELETE /org/{orgID}/project/{projectID}/oidc-custom-claims`
        """
        return await self._session.request(
            OidcClaimSet, "DELETE", _project_path(organization_id, project_id), query={"claims": _join(claims)}
        )


def _org_path(organization_id: Id) -> str:
    return f"/org/{segment(organization_id)}/oidc-custom-claims"


def _project_path(organization_id: Id, project_id: Id) -> str:
    return f"/org/{segment(organization_id)}/project/{segment(project_id)}/oidc-custom-claims"


def _changes(audience: Sequence[str] | None, ttl: str | timedelta | None) -> dict[str, Any]:
    if isinstance(audience, str):
        raise InvalidArgument(f"audience must be a list such as [{audience!r}], got {audience!r}")
    return omit_none(
        audience=None if audience is None else list(audience),
        ttl=None if ttl is None else _format_ttl(ttl),
    )


def _format_ttl(ttl: str | timedelta) -> str:
    """Format a time to live as the API accepts it. Raises `InvalidArgument` for other values."""
    if isinstance(ttl, timedelta):
        milliseconds, rest = divmod(ttl, timedelta(milliseconds=1))
        if milliseconds > 0 and not rest:
            return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"
    elif _DURATION.fullmatch(str(ttl)):
        return ttl
    raise InvalidArgument(f"ttl must be text such as '1h30m' or a timedelta of whole milliseconds, got {ttl!r}")


def _join(claims: OidcClaim | str | Sequence[OidcClaim | str]) -> str:
    names = [claims] if isinstance(claims, str) else list(claims)
    if not names:
        raise InvalidArgument(f"claims must be 'audience', 'ttl' or both, got {claims!r}")
    check_words("claims", names, OidcClaim)
    return ",".join(names)
