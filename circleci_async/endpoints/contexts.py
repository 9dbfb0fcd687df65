"""Contexts: variables shared by the projects of an organization, and restrictions on their use."""

from typing import Any

from ..config.redacted import Redacted
from ..core.arguments import check_word
from ..core.paging import IfTruncated, Paged
from ..core.redaction import checked_value, redact_errors
from ..errors import InvalidArgument
from ..models.contexts import (
    Context,
    ContextDetails,
    ContextRestriction,
    ContextVariable,
    ContextVariableResult,
    OwnerType,
    RestrictionType,
)
from ..models.messages import Message
from ..slug import OrgSlug, segment
from .resource import Id, OrgRef, Resource, require_id


class Contexts(Resource):
    """Contexts: variables shared by the projects of an organization, and restrictions on their use.

    The API answers 403 (`PermissionDenied`) for a context that does not exist, as for one without access.
    """

    def list(
        self,
        *,
        owner_id: Id | None = None,
        owner_slug: OrgRef | None = None,
        owner_type: OwnerType | str | None = None,
        name: str | None = None,
    ) -> Paged[Context]:
        """Iterate over the contexts of an organization.

        `GET /context`

        Requires either `owner_id` or `owner_slug`; CircleCI Server supports `owner_id` only. `name`: only the context
        with exactly this name. A server without support for this filter returns all contexts.
        """
        owner = _owner(owner_id, owner_slug, owner_type)
        return self._session.paged(
            Context, "/context", query={**{f"owner-{key}": value for key, value in owner.items()}, "name": name}
        )

    async def create(
        self,
        name: str,
        *,
        owner_id: Id | None = None,
        owner_slug: OrgRef | None = None,
        owner_type: OwnerType | str | None = None,
    ) -> Context:
        """Create a context for an organization.

        `POST /context`

        Requires either `owner_id` or `owner_slug`; CircleCI Server supports `owner_id` only. Context names are unique
        within an organization.
        """
        owner = _owner(owner_id, owner_slug, OwnerType.ORGANIZATION if owner_type is None else owner_type)
        return await self._session.request(Context, "POST", "/context", json={"name": name, "owner": owner})

    async def get(self, context_id: Id) -> ContextDetails:
        """Return a context.

        `GET /context/{context_id}`
        """
        return await self._session.request(ContextDetails, "GET", f"/context/{segment(context_id)}")

    async def delete(self, context_id: Id) -> Message:
        """Delete a context and all its variables.

        `DELETE /context/{context_id}`
        """
        return await self._session.request(Message, "DELETE", f"/context/{segment(context_id)}")

    def variables(self, context_id: Id, *, if_truncated: IfTruncated = "warn") -> Paged[ContextVariable]:
        """Iterate over the variables of a context: their names, without the values.

        `GET /context/{context_id}/environment-variable`

        The API returns the first 100 only. If there are more, the iteration ends with a `TruncatedListWarning`, which
        `if_truncated` can make an error ("raise") or turn off ("ignore"); `is_truncated` of the list is True.
        """
        return self._session.paged(
            ContextVariable,
            f"/context/{segment(context_id)}/environment-variable",
            truncation_warning=f"context {context_id} may have more variables: the API lists only the first 100",
            if_truncated=if_truncated,
        )

    async def set_variable(self, context_id: Id, name: str, value: str) -> ContextVariableResult:
        """Set a variable of a context: add it, or replace its value.

        `PUT /context/{context_id}/environment-variable/{env_var_name}`
        """
        secret = Redacted(value)
        del value  # a traceback that prints local variables must not print it
        path = f"/context/{segment(context_id)}/environment-variable/{segment(name)}"
        with redact_errors(checked_value(name, secret)):
            return await self._session.request(ContextVariableResult, "PUT", path, json={"value": secret})

    async def delete_variable(self, context_id: Id, name: str) -> Message:
        """Remove a variable from a context.

        `DELETE /context/{context_id}/environment-variable/{env_var_name}`
        """
        return await self._session.request(
            Message, "DELETE", f"/context/{segment(context_id)}/environment-variable/{segment(name)}"
        )

    def restrictions(self, context_id: Id) -> Paged[ContextRestriction]:
        """Iterate over the restrictions of a context.

        `GET /context/{context_id}/restrictions`
        """
        return self._session.paged(
            ContextRestriction, f"/context/{segment(context_id)}/restrictions", items_optional=True
        )

    async def add_restriction(
        self, context_id: Id, *, type: RestrictionType | str | None, value: Id | None
    ) -> ContextRestriction:
        """Restrict a context to a project, to a group, or by an expression.

        `POST /context/{context_id}/restrictions`

        `value`: the id (not the name) of the project or group, or the expression.
        """
        check_word("type", type, RestrictionType, required=True)
        return await self._session.request(
            ContextRestriction,
            "POST",
            f"/context/{segment(context_id)}/restrictions",
            json={"restriction_type": type, "restriction_value": require_id("value", value)},
        )

    async def delete_restriction(self, context_id: Id, restriction_id: Id) -> Message:
        """Remove a restriction from a context.

        `DELETE /context/{context_id}/restrictions/{restriction_id}`
        """
        return await self._session.request(
            Message, "DELETE", f"/context/{segment(context_id)}/restrictions/{segment(restriction_id)}"
        )


def _owner(id: Id | None, slug: OrgRef | None, type: OwnerType | str | None) -> dict[str, Any]:
    """Return the owner of a context as the API identifies it: `id` or `slug`, and `type`."""
    check_word("owner_type", type, OwnerType)
    if (id is None) == (slug is None):
        raise InvalidArgument(
            f"exactly one of owner_id and owner_slug is required, got owner_id={id!r}, owner_slug={slug!r}"
        )
    if id is not None:
        return {"id": require_id("owner_id", id), "type": type}
    if type == OwnerType.ACCOUNT:
        raise InvalidArgument(f"an owner of type 'account' requires owner_id, got owner_slug={slug!r}")
    return {"slug": str(OrgSlug.parse(slug or "")), "type": type}
