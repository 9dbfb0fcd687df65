"""Contexts, their variables (without values) and their restrictions."""

from datetime import datetime

from attrs import field, frozen

from .open_enum import OpenEnum

__all__ = [
    "Context",
    "ContextDetails",
    "ContextRestriction",
    "ContextVariable",
    "ContextVariableResult",
    "OwnerType",
    "RestrictionType",
]


class OwnerType(OpenEnum):
    """The type of a context's owner. Accounts own contexts on CircleCI Server only."""

    ACCOUNT = "account"
    ORGANIZATION = "organization"


class RestrictionType(OpenEnum):
    """What a restriction allows to use a context: a project, a group of users, or an expression."""

    EXPRESSION = "expression"
    GROUP = "group"
    PROJECT = "project"


@frozen(kw_only=True)
class Context:
    """A context: `GET /context`, `POST /context`."""

    id: str
    name: str
    created_at: datetime


@frozen(kw_only=True)
class ContextVariable:
    """A variable of a context, without its value: `GET /context/{context_id}/environment-variable`."""

    variable: str
    """The name of the variable."""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    context_id: str | None = None
    truncated_value: str | None = field(default=None, repr=False)
    """The last characters of the value, four at most. None in `ContextDetails`."""


@frozen(kw_only=True)
class ContextVariableResult:
    """The result of setting a variable: the variable or a message.

    `PUT /context/{context_id}/environment-variable/{env_var_name}`
    """

    variable: str | None = None
    """The name of the variable."""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    context_id: str | None = None
    message: str | None = None


@frozen(kw_only=True)
class ContextRestriction:
    """A restriction of a context: `GET` and `POST /context/{context_id}/restrictions`."""

    id: str = ""
    """Empty if the response lacks it."""
    context_id: str | None = None
    project_id: str | None = None
    """The same as `restriction_value`, for a restriction to a project."""
    name: str | None = None
    """The name of the project or group. None for an expression, and in the result of `add_restriction`."""
    restriction_type: RestrictionType | None = None
    restriction_value: str | None = None
    """The id of the project or group, or the expression."""


@frozen(kw_only=True)
class ContextDetails:
    """A context with its variables and restrictions: `GET /context/{context_id}`.

    The response can lack `org_id`, `environment_variables` and `restrictions`. `contexts.variables` and
    `contexts.restrictions` always return them.
    """

    id: str
    name: str
    created_at: datetime
    org_id: str | None = None
    environment_variables: tuple[ContextVariable, ...] = ()
    restrictions: tuple[ContextRestriction, ...] = ()
