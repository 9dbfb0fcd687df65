"""An embedded CircleCI for tests, demos and benchmarks of your own code::

    world = World()
    project = world.project("gh/acme/api")
    job = project.pipeline(branch="main").workflow("build").job("test")
    job.artifact("report.txt", b"All is well.")

    async with FakeCircleCI(world) as fake, fake.client() as circle:
        async for artifact in circle.artifacts.list("gh/acme/api", job.number):
            ...

`python -m circleci_async.testing` runs it as a standalone server.
"""

from .fake import FakeCircleCI
from .server.exchange import Request
from .server.faults import Fault, OnRequest
from .server.limits import RateLimit
from .state.builds import Artifact, Job, Pipeline, Workflow
from .state.checkout_keys import CheckoutKey
from .state.contexts import Context, ContextRestriction, ContextVariable
from .state.deploy_environments import DeployEnvironment
from .state.deploys import DeployComponent, DeployVersion
from .state.environment_variables import EnvironmentVariable
from .state.example import example_world
from .state.groups import OrganizationGroup
from .state.history import Regression
from .state.job_tests import JobTest
from .state.oidc import OidcClaimSet
from .state.organizations import Organization
from .state.otel import OtelExporter
from .state.output import Message
from .state.pipeline_definitions import PipelineDefinition, Trigger
from .state.pipeline_errors import PipelineError
from .state.pipeline_index import PipelineIndex
from .state.policies import DecisionRecord, PolicyBook, PolicyDocument, Verdict
from .state.projects import Project
from .state.registry import Registry
from .state.repositories import Repository
from .state.schedules import Schedule
from .state.steps import Step
from .state.url_orb_allow_list import AllowListEntry
from .state.usage import Quota, UsageExport, UsageExports, UsagePart
from .state.users import User
from .state.webhooks import Delivery, Webhook
from .state.world import World

__all__ = [
    "AllowListEntry",
    "Artifact",
    "CheckoutKey",
    "Context",
    "ContextRestriction",
    "ContextVariable",
    "DecisionRecord",
    "Delivery",
    "DeployComponent",
    "DeployEnvironment",
    "DeployVersion",
    "EnvironmentVariable",
    "FakeCircleCI",
    "Fault",
    "Job",
    "JobTest",
    "Message",
    "OidcClaimSet",
    "OnRequest",
    "Organization",
    "OrganizationGroup",
    "OtelExporter",
    "Pipeline",
    "PipelineDefinition",
    "PipelineError",
    "PipelineIndex",
    "PolicyBook",
    "PolicyDocument",
    "Project",
    "Quota",
    "RateLimit",
    "Registry",
    "Regression",
    "Repository",
    "Request",
    "Schedule",
    "Step",
    "Trigger",
    "UsageExport",
    "UsageExports",
    "UsagePart",
    "User",
    "Verdict",
    "Webhook",
    "Workflow",
    "World",
    "example_world",
]
