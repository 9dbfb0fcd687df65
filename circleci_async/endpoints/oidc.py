"""OIDC tokens: the claims that jobs' tokens make."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from ..core.encoding import omit_none
from ..errors import InvalidArgument
from ..models.oidc import OidcClaim, OidcClaimSet
from ..slug import segment
from .resource import Id, Resource

_DURATION = re.compile(r"([0-9]+(ms|s|m|h|d|w)){1,7}")


class Oidc(Resource):
    """OIDC tokens: the claims that jobs' tokens make, of a whole organization or of a project alone.

    `audience` is who the tokens are for, `ttl` how long they are good for: a timedelta of whole milliseconds, or text
    such as `1h30m`, with the units ms, s, m, h, d and w.
    """

    async def org_claims(self, organization_id: Id) -> OidcClaimSet:
        """Return the claims that are set for an organization.

        `GET /org/{orgID}/oidc-custom-claims`
        """
        return await self._session.request(OidcClaimSet, "GET", _of_org(organization_id))

    async def update_org_claims(
        self, organization_id: Id, *, audience: Sequence[str] | None = None, ttl: str | timedelta | None = None
    ) -> OidcClaimSet:
        """Set claims for an organization; what is not given stays as it is.

        `PATCH /org/{orgID}/oidc-custom-claims`
        """
        return await self._session.request(
            OidcClaimSet, "PATCH", _of_org(organization_id), json=_changes(audience, ttl)
        )

    async def delete_org_claims(
        self, organization_id: Id, claims: OidcClaim | str | Sequence[OidcClaim | str]
    ) -> OidcClaimSet:
        """Take claims of an organization back to CircleCI's defaults: one or several of `audience` and `ttl`.

        `DELETE /org/{orgID}/oidc-custom-claims`
        """
        return await self._session.request(
            OidcClaimSet, "DELETE", _of_org(organization_id), query={"claims": _joined(claims)}
        )

    async def project_claims(self, organization_id: Id, project_id: Id) -> OidcClaimSet:
        """Return the claims that are set for a project.

        `GET /org/{orgID}/project/{projectID}/oidc-custom-claims`
        """
        return await self._session.request(OidcClaimSet, "GET", _of_project(organization_id, project_id))

    async def update_project_claims(
        self,
        organization_id: Id,
        project_id: Id,
        *,
        audience: Sequence[str] | None = None,
        ttl: str | timedelta | None = None,
    ) -> OidcClaimSet:
        """Set claims for a project; what is not given stays as it is.

        `PATCH /org/{orgID}/project/{projectID}/oidc-custom-claims`
        """
        return await self._session.request(
            OidcClaimSet, "PATCH", _of_project(organization_id, project_id), json=_changes(audience, ttl)
        )

    async def delete_project_claims(
        self, organization_id: Id, project_id: Id, claims: OidcClaim | str | Sequence[OidcClaim | str]
    ) -> OidcClaimSet:
        """Take claims of a project back to those of its organization: one or several of `audience` and `ttl`.

        `DELETE /org/{orgID}/project/{projectID}/oidc-custom-claims`
        """
        return await self._session.request(
            OidcClaimSet, "DELETE", _of_project(organization_id, project_id), query={"claims": _joined(claims)}
        )


def _of_org(organization_id: Id) -> str:
    return f"/org/{segment(organization_id)}/oidc-custom-claims"


def _of_project(organization_id: Id, project_id: Id) -> str:
    return f"/org/{segment(organization_id)}/project/{segment(project_id)}/oidc-custom-claims"


def _changes(audience: Sequence[str] | None, ttl: str | timedelta | None) -> dict[str, Any]:
    if audience is None and ttl is None:
        raise InvalidArgument("audience, ttl: give at least one of the two, or there is nothing to change")
    if isinstance(audience, str):
        raise InvalidArgument(f"audience={audience!r}: give a list of texts, such as [{audience!r}]")
    return omit_none(
        audience=None if audience is None else list(audience),
        ttl=None if ttl is None else _duration(ttl),
    )


def _duration(ttl: str | timedelta) -> str:
    """Write a time as the API wants it, or refuse what it would not take."""
    if isinstance(ttl, timedelta):
        milliseconds, rest = divmod(ttl, timedelta(milliseconds=1))
        if milliseconds > 0 and not rest:
            return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"
    elif _DURATION.fullmatch(str(ttl)):
        return ttl
    raise InvalidArgument(f"ttl={ttl!r}: give text such as '1h30m' or '90s', or a timedelta of whole milliseconds")


def _joined(claims: OidcClaim | str | Sequence[OidcClaim | str]) -> str:
    names = [claims] if isinstance(claims, str) else list(claims)
    if not names or not all(names):
        raise InvalidArgument(f"claims={claims!r}: name what to take back: 'audience', 'ttl' or both")
    return ",".join(names)
