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
from .state.content import Message
from .state.example import example_world
from .state.history import Regression
from .state.organizations import (
    AllowListEntry,
    Context,
    ContextRestriction,
    ContextVariable,
    DecisionRecord,
    DeployEnvironment,
    OidcClaimSet,
    Organization,
    OrganizationGroup,
    OtelExporter,
    PolicyBook,
    PolicyDocument,
    Repository,
    Verdict,
)
from .state.project_records import (
    CheckoutKey,
    DeployComponent,
    DeployVersion,
    EnvironmentVariable,
    PipelineDefinition,
    PipelineIndex,
    Schedule,
    Trigger,
)
from .state.projects import Project
from .state.registry import Registry, User
from .state.results import JobTest, PipelineError
from .state.steps import Step
from .state.usage import Quota, UsageExport, UsageExports, UsagePart
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
