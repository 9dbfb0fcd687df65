"""Contexts: their variables, whose values are never given back, and their restrictions."""

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
    """What owns a context. Accounts do so on CircleCI Server only."""

    ACCOUNT = "account"
    ORGANIZATION = "organization"


class RestrictionType(OpenEnum):
    """By what a restriction says who may use a context: a project, a group of users, or an expression."""

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
    """Its name."""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    context_id: str | None = None
    truncated_value: str | None = field(default=None, repr=False)
    """The last four characters of the value, fewer of a short one. None in `ContextDetails`."""


@frozen(kw_only=True)
class ContextVariableResult:
    """What setting a variable answers: the variable or a message.

    `PUT /context/{context_id}/environment-variable/{env_var_name}`
    """

    variable: str | None = None
    """Its name."""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    context_id: str | None = None
    message: str | None = None


@frozen(kw_only=True)
class ContextRestriction:
    """A restriction of a context: `GET` and `POST /context/{context_id}/restrictions`."""

    id: str = ""
    """Empty if the answer lacks it; the specification does not promise it."""
    context_id: str | None = None
    project_id: str | None = None
    """As `restriction_value`, if that is a project."""
    name: str | None = None
    """The name of the project or group; None in the answer to `add_restriction`, and of an expression."""
    restriction_type: RestrictionType | None = None
    restriction_value: str | None = None
    """The id of the project or group, or the expression."""


@frozen(kw_only=True)
class ContextDetails:
    """A context with what it holds: `GET /context/{context_id}`.

    The specification does not promise `org_id`, `environment_variables` and `restrictions`: ask `contexts.variables`
    and `contexts.restrictions` to be sure.
    """

    id: str
    name: str
    created_at: datetime
    org_id: str | None = None
    environment_variables: tuple[ContextVariable, ...] = ()
    restrictions: tuple[ContextRestriction, ...] = ()
