"""Contexts, with setting many variables at once."""

from collections.abc import Mapping

from ..config.redacted import Redacted
from ..endpoints.contexts import Contexts as Endpoints
from ..endpoints.resource import Id
from ..models.contexts import ContextVariableResult
from ..slug import segment
from .variables import set_all


class Contexts(Endpoints):
    """Contexts: variables shared by the projects of an organization, and restrictions on their use.

    The API answers 403 (`PermissionDenied`) for a context that does not exist, as for one without access.
    """

    async def set_variables(
        self, context_id: Id, variables: Mapping[str, str], *, concurrency: int = 8
    ) -> dict[str, ContextVariableResult]:
        """Set variables of a context: add them, or replace their values. `concurrency`: requests at once.

        Returns the results by name, in the order of `variables`. All names and values are checked before the first
        request. A failure does not stop the others; at the end, `PartialFailure` reports the failed variables.
        """
        values = Redacted(variables)
        del variables  # a traceback that prints local variables must not print them
        segment(context_id)
        return await set_all(values, lambda name, value: self.set_variable(context_id, name, value), concurrency)
