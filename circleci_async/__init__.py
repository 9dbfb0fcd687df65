"""An async Python SDK for CircleCI's API: `async with circleci_async.CircleCI() as circle: ...`.

The client, its options and errors, and the results of the capabilities are importable from here; the models of
responses and their enums from `circleci_async.models`, the classes of the API groups from `circleci_async.resources`,
and the embedded server from `circleci_async.testing`. Names are loaded on first use, so that importing this package is
fast.
"""

# ruff: noqa: F403, F405

from functools import cache
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:  # `_exports` finds the same names at run time
    from . import models as models
    from . import webhooks as webhooks
    from .client import *
    from .config.tokens import *
    from .core.attempt import *
    from .core.attempts import *
    from .core.capture import *
    from .core.captured_response import *
    from .core.codec import *
    from .core.credentials import *
    from .core.lazy_exports import LazyExports
    from .core.paging import *
    from .core.rate_limit_status import *
    from .core.retry import *
    from .core.stats import *
    from .core.tables import *
    from .downloads.download import *
    from .downloads.latest import *
    from .downloads.report import *
    from .downloads.stream import *
    from .endpoints.resource import *
    from .errors import *
    from .harvest.catalog import *
    from .harvest.events import *
    from .harvest.prune import *
    from .harvest.report import *
    from .harvest.selection import *
    from .harvest.sources.patterns import *
    from .harvest.status import *
    from .harvest.verify import *
    from .logs.failures import *
    from .logs.output import *
    from .reports.answer import *
    from .reports.failure import *
    from .reports.history.collection import *
    from .reports.history.read import *
    from .reports.progress import *
    from .reports.report import *
    from .reports.table import *
    from .slug import *
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
    "core.attempt",
    "core.attempts",
    "core.capture",
    "core.captured_response",
    "core.codec",
    "core.credentials",
    "core.paging",
    "core.rate_limit_status",
    "core.retry",
    "core.stats",
    "core.tables",
    "downloads.download",
    "downloads.latest",
    "downloads.report",
    "downloads.stream",
    "endpoints.resource",
    "errors",
    "harvest.catalog",
    "harvest.events",
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
    "slug",
    "usage.progress",
    "watching.arguments",
    "watching.canceling",
    "watching.changes",
    "watching.holds",
    "watching.results",
    "watching.watch",
)
"""The modules whose `__all__` is public here."""

_PACKAGES = ("models", "webhooks")
"""The packages that are attributes of this one, and loaded on first use like a name."""


@cache
def _exports() -> "LazyExports":
    from .core.lazy_exports import LazyExports

    return LazyExports(__name__, __path__[0], _MODULES)


if not TYPE_CHECKING:  # type checkers would accept every name

    def __getattr__(name: str) -> object:
        """Load a public name."""
        if name in _PACKAGES:
            from importlib import import_module

            return import_module(f"{__name__}.{name}")
        value = globals()[name] = _exports().load(name)
        return value


def __dir__() -> list[str]:
    return sorted({*(name for name in globals() if name.startswith("__")), *_exports().homes(), *_PACKAGES})
