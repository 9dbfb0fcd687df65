"""The groups of API calls, as attributes of the client: `circle.pipelines`, `circle.jobs`."""

from functools import cached_property
from typing import TYPE_CHECKING

from ..core.session import Session

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


class ApiGroups:
    """The groups of API calls. Each one is created, and its module imported, when it is first used.

    So a program imports only the models that it needs.
    """

    _session: Session

    @cached_property
    def users(self) -> "Users":
        """Users: the token's own, others, and collaborations."""
        from ..endpoints.users import Users

        return Users(self._session)

    @cached_property
    def projects(self) -> "Projects":
        """Projects: list, read, create, set up, configure, roll back, delete."""
        from .projects import Projects

        return Projects(self._session)

    @cached_property
    def pipelines(self) -> "Pipelines":
        """Pipelines: list, read, run, trigger, continue, wait, watch."""
        from .pipelines import Pipelines

        return Pipelines(self._session)

    @cached_property
    def workflows(self) -> "Workflows":
        """Workflows: read, cancel, rerun, approve, wait, watch."""
        from .workflows import Workflows

        return Workflows(self._session)

    @cached_property
    def jobs(self) -> "Jobs":
        """Jobs: details, tests, steps and their output, cancel."""
        from .jobs import Jobs

        return Jobs(self._session)

    @cached_property
    def artifacts(self) -> "Artifacts":
        """Artifacts: list, download, stream."""
        from .artifacts import Artifacts

        return Artifacts(self._session)

    @cached_property
    def insights(self) -> "Insights":
        """Insights: metrics of workflows, jobs and tests."""
        from .insights import Insights

        return Insights(self._session)

    @cached_property
    def organizations(self) -> "Organizations":
        """Organizations: create, read, delete."""
        from ..endpoints.organizations import Organizations

        return Organizations(self._session)

    @cached_property
    def groups(self) -> "Groups":
        """Groups of an organization's users."""
        from ..endpoints.groups import Groups

        return Groups(self._session)

    @cached_property
    def contexts(self) -> "Contexts":
        """Contexts: variables that the projects of an organization share, and their restrictions."""
        from .contexts import Contexts

        return Contexts(self._session)

    @cached_property
    def environment_variables(self) -> "EnvironmentVariables":
        """Environment variables of a project."""
        from .environment_variables import EnvironmentVariables

        return EnvironmentVariables(self._session)

    @cached_property
    def checkout_keys(self) -> "CheckoutKeys":
        """Checkout keys: the SSH keys that check out a project's code."""
        from ..endpoints.checkout_keys import CheckoutKeys

        return CheckoutKeys(self._session)

    @cached_property
    def schedules(self) -> "Schedules":
        """Schedules: pipelines started at fixed times."""
        from ..endpoints.schedules import Schedules

        return Schedules(self._session)

    @cached_property
    def webhooks(self) -> "Webhooks":
        """Outbound webhooks: list, create, read, update, delete."""
        from ..endpoints.webhooks import Webhooks

        return Webhooks(self._session)

    @cached_property
    def pipeline_definitions(self) -> "PipelineDefinitions":
        """Pipeline definitions: the sources of a pipeline's configuration and code."""
        from ..endpoints.pipeline_definitions import PipelineDefinitions

        return PipelineDefinitions(self._session)

    @cached_property
    def triggers(self) -> "Triggers":
        """Triggers: the events that start a pipeline of a pipeline definition."""
        from ..endpoints.triggers import Triggers

        return Triggers(self._session)

    @cached_property
    def usage(self) -> "Usage":
        """Usage exports: the usage and the costs of an organization."""
        from .usage import Usage

        return Usage(self._session)

    @cached_property
    def deploys(self) -> "Deploys":
        """Deploys: environments, components and their versions."""
        from ..endpoints.deploys import Deploys

        return Deploys(self._session)

    @cached_property
    def policies(self) -> "Policies":
        """Config policies: bundles, decisions, settings."""
        from ..endpoints.policies import Policies

        return Policies(self._session)

    @cached_property
    def oidc(self) -> "Oidc":
        """OIDC tokens: custom claims in the tokens of jobs."""
        from ..endpoints.oidc import Oidc

        return Oidc(self._session)

    @cached_property
    def otel(self) -> "Otel":
        """OpenTelemetry exporters (preview)."""
        from ..endpoints.otel import Otel

        return Otel(self._session)

    @cached_property
    def url_orb_allow_list(self) -> "UrlOrbAllowList":
        """The URL orb allow-list: the URL prefixes from which orbs may be loaded."""
        from ..endpoints.url_orb_allow_list import UrlOrbAllowList

        return UrlOrbAllowList(self._session)
