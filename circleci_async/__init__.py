"""An async Python SDK for CircleCI's API: `async with circleci_async.CircleCI() as circle: ...`.

Every public name is importable from here, except the resource classes (`circleci_async.resources`) and the embedded
server (`circleci_async.testing`). Names are loaded on first use, so that importing this package is fast.
"""

# ruff: noqa: F403, F405

from functools import cache
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:  # `_exports` finds the same names at run time
    from collections.abc import Iterator

    from . import webhooks as webhooks
    from .client import *
    from .config.tokens import *
    from .core.as_completed import *
    from .core.attempt import *
    from .core.attempts import *
    from .core.capture import *
    from .core.captured_response import *
    from .core.codec import *
    from .core.credentials import *
    from .core.encoding import *
    from .core.lazy_exports import LazyExports
    from .core.paging import *
    from .core.polling import *
    from .core.rate_limit_status import *
    from .core.retry import *
    from .core.stats import *
    from .core.tables import *
    from .core.transport import *
    from .core.when import *
    from .downloads.download import *
    from .downloads.latest import *
    from .downloads.report import *
    from .downloads.stream import *
    from .endpoints.pipelines import *
    from .endpoints.resource import *
    from .endpoints.triggers import *
    from .errors import *
    from .harvest.catalog import *
    from .harvest.destination.place import *
    from .harvest.events import *
    from .harvest.kinds import *
    from .harvest.prune import *
    from .harvest.report import *
    from .harvest.selection import *
    from .harvest.sources.patterns import *
    from .harvest.status import *
    from .harvest.verify import *
    from .logs.failures import *
    from .logs.output import *
    from .models.artifacts import *
    from .models.attribution import *
    from .models.checkout_keys import *
    from .models.contexts import *
    from .models.deploys import *
    from .models.environment_variables import *
    from .models.events import *
    from .models.groups import *
    from .models.insights import *
    from .models.insights_tables import *
    from .models.jobs import *
    from .models.messages import *
    from .models.newest_workflows import *
    from .models.oidc import *
    from .models.open_enum import *
    from .models.organizations import *
    from .models.otel import *
    from .models.pipeline_definitions import *
    from .models.pipelines import *
    from .models.policies import *
    from .models.projects import *
    from .models.repositories import *
    from .models.schedules import *
    from .models.steps import *
    from .models.summaries import *
    from .models.trigger_parameters import *
    from .models.triggers import *
    from .models.url_orb_allow_list import *
    from .models.usage import *
    from .models.users import *
    from .models.webhooks import *
    from .models.workflows import *
    from .reports.answer import *
    from .reports.failure import *
    from .reports.history.collection import *
    from .reports.history.read import *
    from .reports.progress import *
    from .reports.report import *
    from .reports.table import *
    from .reports.usage_rows import *
    from .reports.window import *
    from .slug import *
    from .usage.columns import *
    from .usage.progress import *
    from .watching.arguments import *
    from .watching.canceling import *
    from .watching.changes import *
    from .watching.holds import *
    from .watching.results import *
    from .watching.watch import *

_MODULES = (
    "client",
    "config.tokens",
    "core.as_completed",
    "core.attempt",
    "core.attempts",
    "core.capture",
    "core.captured_response",
    "core.codec",
    "core.credentials",
    "core.encoding",
    "core.paging",
    "core.polling",
    "core.rate_limit_status",
    "core.retry",
    "core.stats",
    "core.tables",
    "core.transport",
    "core.when",
    "downloads.download",
    "downloads.latest",
    "downloads.report",
    "downloads.stream",
    "endpoints.pipelines",
    "endpoints.resource",
    "endpoints.triggers",
    "errors",
    "harvest.catalog",
    "harvest.destination.place",
    "harvest.events",
    "harvest.kinds",
    "harvest.prune",
    "harvest.report",
    "harvest.selection",
    "harvest.sources.patterns",
    "harvest.status",
    "harvest.verify",
    "logs.failures",
    "logs.output",
    "reports.answer",
    "reports.history.collection",
    "reports.history.read",
    "reports.progress",
    "reports.failure",
    "reports.report",
    "reports.table",
    "reports.usage_rows",
    "reports.window",
    "slug",
    "usage.columns",
    "usage.progress",
    "watching.arguments",
    "watching.canceling",
    "watching.changes",
    "watching.holds",
    "watching.results",
    "watching.watch",
)
"""The modules whose `__all__` is public here, in addition to those of `models`."""


def _public_modules() -> "Iterator[str]":
    """Yield the modules to search for a public name. A module in `models` needs no entry in `_MODULES`."""
    yield from _MODULES
    from pkgutil import iter_modules

    for module in iter_modules([f"{__path__[0]}/models"]):
        yield f"models.{module.name}"


@cache
def _exports() -> "LazyExports":
    from .core.lazy_exports import LazyExports

    return LazyExports(__name__, __path__[0], _public_modules())


if not TYPE_CHECKING:  # type checkers would accept every name

    def __getattr__(name: str) -> object:
        """Load a public name."""
        if name == "webhooks":
            from importlib import import_module

            return import_module(f"{__name__}.webhooks")
        value = globals()[name] = _exports().load(name)
        return value


def __dir__() -> list[str]:
    return sorted({*(name for name in globals() if name.startswith("__")), *_exports().homes(), "webhooks"})
