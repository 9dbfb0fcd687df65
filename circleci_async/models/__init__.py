"""Frozen classes for the API's responses: one module per API group, imported on first use.

Every model and every enum is importable from here: `from circleci_async.models import Pipeline`.
"""

# ruff: noqa: F403, F405

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `_exports` finds the same names at run time
    from circleci_async.core.lazy_exports import LazyExports

    from .artifacts import *
    from .attribution import *
    from .checkout_keys import *
    from .contexts import *
    from .deploys import *
    from .environment_variables import *
    from .events import *
    from .groups import *
    from .insights import *
    from .insights_tables import *
    from .jobs import *
    from .messages import *
    from .oidc import *
    from .open_enum import *
    from .organizations import *
    from .otel import *
    from .pipeline_definitions import *
    from .pipelines import *
    from .policies import *
    from .projects import *
    from .repositories import *
    from .schedules import *
    from .steps import *
    from .summaries import *
    from .triggers import *
    from .url_orb_allow_list import *
    from .usage import *
    from .users import *
    from .webhooks import *
    from .workflows import *


@cache
def _exports() -> "LazyExports":
    from pkgutil import iter_modules

    from circleci_async.core.lazy_exports import LazyExports

    return LazyExports(__name__, __path__[0], [module.name for module in iter_modules(__path__)])


if not TYPE_CHECKING:  # type checkers would accept every name

    def __getattr__(name: str) -> object:
        """Load a model or an enum."""
        value = globals()[name] = _exports().load(name)
        return value


def __dir__() -> list[str]:
    return sorted({*(name for name in globals() if name.startswith("__")), *_exports().homes()})
