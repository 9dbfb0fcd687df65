"""The calls about contexts, with what one call is not enough for: many variables at once."""

from collections.abc import Mapping

from ..endpoints.contexts import Contexts as Endpoints
from ..endpoints.resource import Id
from ..models.contexts import ContextVariableResult
from ..slug import segment
from .variables import set_all


class Contexts(Endpoints):
    """Contexts: variables that the projects of an organization share, and who may use them.

    A context that does not exist answers 403 (`PermissionDenied`), as one does that the token may not see.
    """

    async def set_variables(
        self, context_id: Id, variables: Mapping[str, str], *, concurrency: int = 8
    ) -> dict[str, ContextVariableResult]:
        """Add variables to a context, or replace their values, `concurrency` at a time and in any order.

        Returns the answers by name, in the order of `variables`. A name or a value that can't be right is refused
        before anything is sent. One that fails leaves the others alone: when all are done, `PartialFailure` says which
        failed and why.
        """
        segment(context_id)
        return await set_all(variables, lambda name, value: self.set_variable(context_id, name, value), concurrency)
