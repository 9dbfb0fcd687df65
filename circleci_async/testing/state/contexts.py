"""Contexts: variables that the projects of an organization share."""

from datetime import datetime

from attrs import define, field

from .registry import Registry


@define(eq=False)
class ContextVariable:
    """A variable of a context."""

    name: str
    value: str = field(repr=False)
    created_at: datetime
    updated_at: datetime


@define(eq=False)
class ContextRestriction:
    """A restriction of a context: `type` is `project`, `group` or `expression`, `value` an id or the expression."""

    id: str
    type: str
    value: str
    name: str | None
    """The name of the project or group, if known."""


@define(eq=False)
class Context:
    """A context of an organization."""

    world: Registry = field(repr=False)
    organization_id: str
    id: str
    name: str
    created_at: datetime
    variables: dict[str, ContextVariable] = field(factory=dict[str, ContextVariable], repr=False)
    restrictions: dict[str, ContextRestriction] = field(factory=dict[str, ContextRestriction], repr=False)

    def variable(self, name: str, value: str) -> ContextVariable:
        """Add a variable, or replace its value."""
        now = self.world.clock()
        variable = self.variables.setdefault(name, ContextVariable(name, value, now, now))
        variable.value, variable.updated_at = value, now
        return variable

    def restriction(self, type: str, value: str, *, name: str | None = None) -> ContextRestriction:
        """Restrict the context to a project or a group, or by an expression."""
        restriction = ContextRestriction(self.world.new_id(), type, value, name)
        self.restrictions[restriction.id] = restriction
        return restriction
