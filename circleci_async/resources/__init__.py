"""The resource classes, such as `Pipelines`: the API calls of one group and the methods built on them.

The client creates them (`circle.pipelines`); import a class from here to annotate with it.
"""

import re
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..endpoints.checkout_keys import CheckoutKeys
    from ..endpoints.deploys import Deploys
    from ..endpoints.groups import Groups
    from ..endpoints.oidc import Oidc
    from ..endpoints.organizations import Organizations
    from ..endpoints.otel import Otel
    from ..endpoints.pipeline_definitions import PipelineDefinitions
    from ..endpoints.policies import Policies
    from ..endpoints.schedules import Schedules
    from ..endpoints.triggers import Triggers
    from ..endpoints.url_orb_allow_list import UrlOrbAllowList
    from ..endpoints.users import Users
    from ..endpoints.webhooks import Webhooks
    from .artifacts import Artifacts
    from .contexts import Contexts
    from .environment_variables import EnvironmentVariables
    from .insights import Insights
    from .jobs import Jobs
    from .pipelines import Pipelines
    from .projects import Projects
    from .usage import Usage
    from .workflows import Workflows

__all__ = [
    "Artifacts",
    "CheckoutKeys",
    "Contexts",
    "Deploys",
    "EnvironmentVariables",
    "Groups",
    "Insights",
    "Jobs",
    "Oidc",
    "Organizations",
    "Otel",
    "PipelineDefinitions",
    "Pipelines",
    "Policies",
    "Projects",
    "Schedules",
    "Triggers",
    "UrlOrbAllowList",
    "Usage",
    "Users",
    "Webhooks",
    "Workflows",
]

_WORD = re.compile(r"(?<!^)(?=[A-Z])")

if not TYPE_CHECKING:  # type checkers would accept every name

    def __getattr__(name: str) -> type:
        """Load a resource class: from this package if it has more than its API calls, else from `endpoints`."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = _WORD.sub("_", name).lower()
        home = f"{__name__}.{module}"
        if find_spec(home) is None:
            home = f"{__package__.rpartition('.')[0]}.endpoints.{module}"
        value = globals()[name] = getattr(import_module(home), name)
        return value
