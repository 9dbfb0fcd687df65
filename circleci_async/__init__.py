"""An async Python SDK for CircleCI's API: `async with circleci_async.CircleCI() as circle: ...`.

All public names can be imported from here. They are loaded when they are first used, so importing this package costs
next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:  # for type checkers and editors; `_HOMES` says the same for the interpreter, and a test compares them
    from . import webhooks as webhooks
    from .client import CircleCI as CircleCI
    from .config.tokens import TokenFile as TokenFile
    from .core.attempts import Attempt as Attempt
    from .core.capture import CapturedResponse as CapturedResponse
    from .core.capture import ResponseCapture as ResponseCapture
    from .core.capture import capture_responses as capture_responses
    from .core.codec import to_dict as to_dict
    from .core.codec import to_json as to_json
    from .core.paging import Page as Page
    from .core.paging import Paged as Paged
    from .core.rate_limit_status import RateLimitStatus as RateLimitStatus
    from .core.retry import RetryPolicy as RetryPolicy
    from .core.stats import Stats as Stats
    from .downloads.download import Download as Download
    from .downloads.download import Progress as Progress
    from .downloads.latest import JobArtifacts as JobArtifacts
    from .downloads.latest import LatestArtifacts as LatestArtifacts
    from .endpoints.checkout_keys import CheckoutKeys as CheckoutKeys
    from .endpoints.deploys import Deploys as Deploys
    from .endpoints.groups import Groups as Groups
    from .endpoints.oidc import Oidc as Oidc
    from .endpoints.organizations import Organizations as Organizations
    from .endpoints.otel import Otel as Otel
    from .endpoints.pipeline_definitions import PipelineDefinitions as PipelineDefinitions
    from .endpoints.policies import Policies as Policies
    from .endpoints.projects import Projects as Projects
    from .endpoints.schedules import Schedules as Schedules
    from .endpoints.triggers import Triggers as Triggers
    from .endpoints.url_orb_allow_list import UrlOrbAllowList as UrlOrbAllowList
    from .endpoints.users import Users as Users
    from .endpoints.webhooks import Webhooks as Webhooks
    from .errors import ApiError as ApiError
    from .errors import AuthenticationError as AuthenticationError
    from .errors import BadRequest as BadRequest
    from .errors import BuildFailed as BuildFailed
    from .errors import CircleCIError as CircleCIError
    from .errors import ConfigurationError as ConfigurationError
    from .errors import Conflict as Conflict
    from .errors import DecodeError as DecodeError
    from .errors import DownloadError as DownloadError
    from .errors import DownloadInterrupted as DownloadInterrupted
    from .errors import ExportFailed as ExportFailed
    from .errors import Gone as Gone
    from .errors import InvalidArgument as InvalidArgument
    from .errors import LedgerBusy as LedgerBusy
    from .errors import LedgerError as LedgerError
    from .errors import NotCreated as NotCreated
    from .errors import NotFound as NotFound
    from .errors import PagingError as PagingError
    from .errors import PartialFailure as PartialFailure
    from .errors import PermissionDenied as PermissionDenied
    from .errors import RateLimited as RateLimited
    from .errors import RequestTimeout as RequestTimeout
    from .errors import ServerError as ServerError
    from .errors import SignatureError as SignatureError
    from .errors import TransportError as TransportError
    from .errors import TruncatedListWarning as TruncatedListWarning
    from .errors import Unprocessable as Unprocessable
    from .errors import UnsafePath as UnsafePath
    from .errors import WaitTimeout as WaitTimeout
    from .harvest.events import FileAdvanced as FileAdvanced
    from .harvest.events import FileDone as FileDone
    from .harvest.events import FileFailed as FileFailed
    from .harvest.events import HarvestEvent as HarvestEvent
    from .harvest.events import HarvestProgress as HarvestProgress
    from .harvest.events import JobListed as JobListed
    from .harvest.events import ListingFailed as ListingFailed
    from .harvest.events import Throttled as Throttled
    from .harvest.report import HarvestedFile as HarvestedFile
    from .harvest.report import HarvestFailure as HarvestFailure
    from .harvest.report import HarvestReport as HarvestReport
    from .harvest.selection import Selection as Selection
    from .harvest.status import HarvestStatus as HarvestStatus
    from .harvest.status import harvest_status as harvest_status
    from .harvest.verify import VerifyReport as VerifyReport
    from .harvest.verify import verify_harvest as verify_harvest
    from .logs.output import StepLog as StepLog
    from .models.artifacts import Artifact as Artifact
    from .models.attribution import AttributionActor as AttributionActor
    from .models.checkout_keys import CheckoutKey as CheckoutKey
    from .models.checkout_keys import CheckoutKeyType as CheckoutKeyType
    from .models.checkout_keys import KeyDigest as KeyDigest
    from .models.contexts import Context as Context
    from .models.contexts import ContextDetails as ContextDetails
    from .models.contexts import ContextRestriction as ContextRestriction
    from .models.contexts import ContextVariable as ContextVariable
    from .models.contexts import ContextVariableResult as ContextVariableResult
    from .models.contexts import OwnerType as OwnerType
    from .models.contexts import RestrictionType as RestrictionType
    from .models.deploys import DeployComponent as DeployComponent
    from .models.deploys import DeployEnvironment as DeployEnvironment
    from .models.deploys import DeployLabel as DeployLabel
    from .models.deploys import DeployVersion as DeployVersion
    from .models.environment_variables import EnvironmentVariable as EnvironmentVariable
    from .models.events import EventCommit as EventCommit
    from .models.events import EventJob as EventJob
    from .models.events import EventOrganization as EventOrganization
    from .models.events import EventPerson as EventPerson
    from .models.events import EventPipeline as EventPipeline
    from .models.events import EventProject as EventProject
    from .models.events import EventTrigger as EventTrigger
    from .models.events import EventVcs as EventVcs
    from .models.events import EventWebhook as EventWebhook
    from .models.events import EventWorkflow as EventWorkflow
    from .models.events import WebhookEvent as WebhookEvent
    from .models.groups import OrganizationGroup as OrganizationGroup
    from .models.insights import DurationMetrics as DurationMetrics
    from .models.insights import FlakyTest as FlakyTest
    from .models.insights import FlakyTestReport as FlakyTestReport
    from .models.insights import Granularity as Granularity
    from .models.insights import InsightsBranches as InsightsBranches
    from .models.insights import JobMetrics as JobMetrics
    from .models.insights import JobMetricsValues as JobMetricsValues
    from .models.insights import JobTimeseries as JobTimeseries
    from .models.insights import JobTimeseriesDurations as JobTimeseriesDurations
    from .models.insights import JobTimeseriesMetrics as JobTimeseriesMetrics
    from .models.insights import ReportingWindow as ReportingWindow
    from .models.insights import RunStatus as RunStatus
    from .models.insights import TestCounts as TestCounts
    from .models.insights import TestMetric as TestMetric
    from .models.insights import TestMetricsReport as TestMetricsReport
    from .models.insights import TestRun as TestRun
    from .models.insights import WorkflowMetrics as WorkflowMetrics
    from .models.insights import WorkflowMetricsValues as WorkflowMetricsValues
    from .models.insights import WorkflowRun as WorkflowRun
    from .models.insights import WorkflowSummary as WorkflowSummary
    from .models.insights import WorkflowSummaryMetrics as WorkflowSummaryMetrics
    from .models.insights import WorkflowSummaryTrends as WorkflowSummaryTrends
    from .models.jobs import JobContext as JobContext
    from .models.jobs import JobDetails as JobDetails
    from .models.jobs import JobExecutor as JobExecutor
    from .models.jobs import JobMessage as JobMessage
    from .models.jobs import JobOrganization as JobOrganization
    from .models.jobs import JobPipeline as JobPipeline
    from .models.jobs import JobProject as JobProject
    from .models.jobs import JobStatus as JobStatus
    from .models.jobs import JobType as JobType
    from .models.jobs import JobWorkflow as JobWorkflow
    from .models.jobs import ParallelRun as ParallelRun
    from .models.jobs import TestResult as TestResult
    from .models.messages import Message as Message
    from .models.oidc import OidcClaim as OidcClaim
    from .models.oidc import OidcClaimSet as OidcClaimSet
    from .models.open_enum import OpenEnum as OpenEnum
    from .models.organizations import Organization as Organization
    from .models.organizations import VcsType as VcsType
    from .models.otel import OtelExporter as OtelExporter
    from .models.otel import OtelProtocol as OtelProtocol
    from .models.pipeline_definitions import CheckoutSource as CheckoutSource
    from .models.pipeline_definitions import ConfigSource as ConfigSource
    from .models.pipeline_definitions import PipelineDefinition as PipelineDefinition
    from .models.pipelines import Actor as Actor
    from .models.pipelines import Pipeline as Pipeline
    from .models.pipelines import PipelineCommit as PipelineCommit
    from .models.pipelines import PipelineConfig as PipelineConfig
    from .models.pipelines import PipelineCreated as PipelineCreated
    from .models.pipelines import PipelineError as PipelineError
    from .models.pipelines import PipelineErrorType as PipelineErrorType
    from .models.pipelines import PipelineState as PipelineState
    from .models.pipelines import PipelineTrigger as PipelineTrigger
    from .models.pipelines import PipelineVcs as PipelineVcs
    from .models.pipelines import PipelineWarning as PipelineWarning
    from .models.pipelines import Ref as Ref
    from .models.pipelines import TriggerType as TriggerType
    from .models.policies import Decision as Decision
    from .models.policies import DecisionLog as DecisionLog
    from .models.policies import DecisionMetadata as DecisionMetadata
    from .models.policies import DecisionSettings as DecisionSettings
    from .models.policies import DecisionVcs as DecisionVcs
    from .models.policies import Policy as Policy
    from .models.policies import PolicyBundleDiff as PolicyBundleDiff
    from .models.policies import RuleViolation as RuleViolation
    from .models.projects import AdvancedSettings as AdvancedSettings
    from .models.projects import AdvancedSettingsUpdate as AdvancedSettingsUpdate
    from .models.projects import Project as Project
    from .models.projects import ProjectSettings as ProjectSettings
    from .models.projects import ProjectVcs as ProjectVcs
    from .models.projects import Rollback as Rollback
    from .models.projects import VcsProvider as VcsProvider
    from .models.repositories import Repository as Repository
    from .models.schedules import DayOfWeek as DayOfWeek
    from .models.schedules import Month as Month
    from .models.schedules import Schedule as Schedule
    from .models.schedules import Timetable as Timetable
    from .models.steps import JobStep as JobStep
    from .models.steps import LogLine as LogLine
    from .models.steps import OutputMessage as OutputMessage
    from .models.steps import StepAction as StepAction
    from .models.steps import StepOutput as StepOutput
    from .models.steps import StepStatus as StepStatus
    from .models.summaries import OrgProjectMetrics as OrgProjectMetrics
    from .models.summaries import OrgProjectSummary as OrgProjectSummary
    from .models.summaries import OrgProjectTrends as OrgProjectTrends
    from .models.summaries import OrgSummary as OrgSummary
    from .models.summaries import ProjectSummary as ProjectSummary
    from .models.summaries import ProjectWorkflowBranchSummary as ProjectWorkflowBranchSummary
    from .models.summaries import ProjectWorkflowMetrics as ProjectWorkflowMetrics
    from .models.summaries import ProjectWorkflowSummary as ProjectWorkflowSummary
    from .models.summaries import ProjectWorkflowTrends as ProjectWorkflowTrends
    from .models.summaries import SummaryData as SummaryData
    from .models.summaries import SummaryMetrics as SummaryMetrics
    from .models.summaries import SummaryTrends as SummaryTrends
    from .models.triggers import EventPreset as EventPreset
    from .models.triggers import RepositorySource as RepositorySource
    from .models.triggers import ScheduleSource as ScheduleSource
    from .models.triggers import Trigger as Trigger
    from .models.triggers import TriggerActor as TriggerActor
    from .models.triggers import TriggerEventSource as TriggerEventSource
    from .models.triggers import TriggerSchedule as TriggerSchedule
    from .models.triggers import TriggerWebhook as TriggerWebhook
    from .models.triggers import WebhookSource as WebhookSource
    from .models.url_orb_allow_list import UrlOrbAllowListEntry as UrlOrbAllowListEntry
    from .models.url_orb_allow_list import UrlOrbAuth as UrlOrbAuth
    from .models.url_orb_allow_list import UrlOrbConfirmation as UrlOrbConfirmation
    from .models.usage import UsageExport as UsageExport
    from .models.usage import UsageExportState as UsageExportState
    from .models.usage import UsageProgress as UsageProgress
    from .models.users import Collaboration as Collaboration
    from .models.users import User as User
    from .models.webhooks import Webhook as Webhook
    from .models.webhooks import WebhookEventType as WebhookEventType
    from .models.webhooks import WebhookScope as WebhookScope
    from .models.workflows import RerunAccepted as RerunAccepted
    from .models.workflows import Workflow as Workflow
    from .models.workflows import WorkflowJob as WorkflowJob
    from .models.workflows import WorkflowStatus as WorkflowStatus
    from .models.workflows import WorkflowTag as WorkflowTag
    from .resources.artifacts import Artifacts as Artifacts
    from .resources.artifacts import ArtifactStream as ArtifactStream
    from .resources.artifacts import DownloadReport as DownloadReport
    from .resources.artifacts import Failure as Failure
    from .resources.contexts import Contexts as Contexts
    from .resources.environment_variables import EnvironmentVariables as EnvironmentVariables
    from .resources.insights import Insights as Insights
    from .resources.jobs import Jobs as Jobs
    from .resources.pipelines import Pipelines as Pipelines
    from .resources.usage import Usage as Usage
    from .resources.workflows import Workflows as Workflows
    from .slug import OrgSlug as OrgSlug
    from .slug import ProjectSlug as ProjectSlug
    from .slug import segment as segment
    from .tables import rows as rows
    from .watching.changes import Change as Change
    from .watching.results import Outcome as Outcome
    from .watching.results import PipelineResult as PipelineResult
    from .watching.results import WorkflowResult as WorkflowResult

_HOMES = {
    "downloads.download": (
        "Download",
        "Progress",
    ),
    "resources.artifacts": (
        "ArtifactStream",
        "Artifacts",
        "DownloadReport",
        "Failure",
    ),
    "downloads.latest": (
        "JobArtifacts",
        "LatestArtifacts",
    ),
    "core.attempts": ("Attempt",),
    "client": ("CircleCI",),
    "core.codec": (
        "to_dict",
        "to_json",
    ),
    "endpoints.checkout_keys": ("CheckoutKeys",),
    "endpoints.deploys": ("Deploys",),
    "endpoints.groups": ("Groups",),
    "endpoints.oidc": ("Oidc",),
    "endpoints.organizations": ("Organizations",),
    "endpoints.otel": ("Otel",),
    "endpoints.pipeline_definitions": ("PipelineDefinitions",),
    "endpoints.policies": ("Policies",),
    "endpoints.projects": ("Projects",),
    "endpoints.schedules": ("Schedules",),
    "endpoints.triggers": ("Triggers",),
    "endpoints.url_orb_allow_list": ("UrlOrbAllowList",),
    "endpoints.users": ("Users",),
    "endpoints.webhooks": ("Webhooks",),
    "errors": (
        "ApiError",
        "AuthenticationError",
        "BadRequest",
        "BuildFailed",
        "CircleCIError",
        "ConfigurationError",
        "Conflict",
        "DecodeError",
        "DownloadInterrupted",
        "DownloadError",
        "ExportFailed",
        "Gone",
        "InvalidArgument",
        "LedgerBusy",
        "LedgerError",
        "TruncatedListWarning",
        "NotCreated",
        "NotFound",
        "PagingError",
        "PartialFailure",
        "PermissionDenied",
        "RateLimited",
        "RequestTimeout",
        "ServerError",
        "SignatureError",
        "TransportError",
        "Unprocessable",
        "UnsafePath",
        "WaitTimeout",
    ),
    "harvest.events": (
        "FileAdvanced",
        "FileDone",
        "FileFailed",
        "HarvestEvent",
        "HarvestProgress",
        "Throttled",
        "JobListed",
        "ListingFailed",
    ),
    "harvest.report": (
        "HarvestFailure",
        "HarvestReport",
        "HarvestedFile",
    ),
    "harvest.selection": ("Selection",),
    "harvest.status": (
        "HarvestStatus",
        "harvest_status",
    ),
    "harvest.verify": (
        "VerifyReport",
        "verify_harvest",
    ),
    "resources.insights": ("Insights",),
    "resources.jobs": ("Jobs",),
    "logs.output": ("StepLog",),
    "models.artifacts": ("Artifact",),
    "models.attribution": ("AttributionActor",),
    "models.checkout_keys": (
        "CheckoutKey",
        "CheckoutKeyType",
        "KeyDigest",
    ),
    "models.contexts": (
        "Context",
        "ContextDetails",
        "ContextRestriction",
        "ContextVariable",
        "ContextVariableResult",
        "OwnerType",
        "RestrictionType",
    ),
    "models.deploys": (
        "DeployComponent",
        "DeployEnvironment",
        "DeployLabel",
        "DeployVersion",
    ),
    "models.environment_variables": ("EnvironmentVariable",),
    "models.events": (
        "EventCommit",
        "EventJob",
        "EventOrganization",
        "EventPerson",
        "EventPipeline",
        "EventProject",
        "EventTrigger",
        "EventVcs",
        "EventWebhook",
        "EventWorkflow",
        "WebhookEvent",
    ),
    "models.groups": ("OrganizationGroup",),
    "models.insights": (
        "DurationMetrics",
        "FlakyTest",
        "FlakyTestReport",
        "Granularity",
        "InsightsBranches",
        "JobMetrics",
        "JobMetricsValues",
        "JobTimeseries",
        "JobTimeseriesDurations",
        "JobTimeseriesMetrics",
        "ReportingWindow",
        "RunStatus",
        "TestCounts",
        "TestMetric",
        "TestMetricsReport",
        "TestRun",
        "WorkflowMetrics",
        "WorkflowMetricsValues",
        "WorkflowRun",
        "WorkflowSummary",
        "WorkflowSummaryMetrics",
        "WorkflowSummaryTrends",
    ),
    "models.jobs": (
        "JobContext",
        "JobDetails",
        "JobExecutor",
        "JobMessage",
        "JobOrganization",
        "JobPipeline",
        "JobProject",
        "JobStatus",
        "JobType",
        "JobWorkflow",
        "ParallelRun",
        "TestResult",
    ),
    "models.messages": ("Message",),
    "models.oidc": (
        "OidcClaim",
        "OidcClaimSet",
    ),
    "models.open_enum": ("OpenEnum",),
    "models.organizations": (
        "Organization",
        "VcsType",
    ),
    "models.otel": (
        "OtelExporter",
        "OtelProtocol",
    ),
    "models.pipeline_definitions": (
        "CheckoutSource",
        "ConfigSource",
        "PipelineDefinition",
    ),
    "models.pipelines": (
        "Actor",
        "Pipeline",
        "PipelineCommit",
        "PipelineConfig",
        "PipelineCreated",
        "PipelineError",
        "PipelineErrorType",
        "PipelineState",
        "PipelineTrigger",
        "PipelineVcs",
        "PipelineWarning",
        "Ref",
        "TriggerType",
    ),
    "models.policies": (
        "Decision",
        "DecisionLog",
        "DecisionMetadata",
        "DecisionSettings",
        "DecisionVcs",
        "Policy",
        "PolicyBundleDiff",
        "RuleViolation",
    ),
    "models.projects": (
        "AdvancedSettings",
        "AdvancedSettingsUpdate",
        "Project",
        "ProjectSettings",
        "ProjectVcs",
        "Rollback",
        "VcsProvider",
    ),
    "models.repositories": ("Repository",),
    "models.schedules": (
        "DayOfWeek",
        "Month",
        "Schedule",
        "Timetable",
    ),
    "models.steps": (
        "JobStep",
        "LogLine",
        "OutputMessage",
        "StepAction",
        "StepOutput",
        "StepStatus",
    ),
    "models.summaries": (
        "OrgProjectMetrics",
        "OrgProjectSummary",
        "OrgProjectTrends",
        "OrgSummary",
        "ProjectSummary",
        "ProjectWorkflowBranchSummary",
        "ProjectWorkflowMetrics",
        "ProjectWorkflowSummary",
        "ProjectWorkflowTrends",
        "SummaryData",
        "SummaryMetrics",
        "SummaryTrends",
    ),
    "models.triggers": (
        "EventPreset",
        "RepositorySource",
        "ScheduleSource",
        "Trigger",
        "TriggerActor",
        "TriggerEventSource",
        "TriggerSchedule",
        "TriggerWebhook",
        "WebhookSource",
    ),
    "models.url_orb_allow_list": (
        "UrlOrbAllowListEntry",
        "UrlOrbAuth",
        "UrlOrbConfirmation",
    ),
    "models.usage": (
        "UsageExport",
        "UsageExportState",
        "UsageProgress",
    ),
    "models.users": (
        "Collaboration",
        "User",
    ),
    "models.webhooks": (
        "Webhook",
        "WebhookEventType",
        "WebhookScope",
    ),
    "models.workflows": (
        "RerunAccepted",
        "Workflow",
        "WorkflowJob",
        "WorkflowStatus",
        "WorkflowTag",
    ),
    "core.paging": (
        "Page",
        "Paged",
    ),
    "core.capture": (
        "CapturedResponse",
        "ResponseCapture",
        "capture_responses",
    ),
    "core.rate_limit_status": ("RateLimitStatus",),
    "core.retry": ("RetryPolicy",),
    "slug": (
        "OrgSlug",
        "ProjectSlug",
        "segment",
    ),
    "core.stats": ("Stats",),
    "tables": ("rows",),
    "config.tokens": ("TokenFile",),
    "resources.usage": ("Usage",),
    "resources.contexts": ("Contexts",),
    "resources.environment_variables": ("EnvironmentVariables",),
    "watching.changes": ("Change",),
    "resources.pipelines": ("Pipelines",),
    "watching.results": (
        "Outcome",
        "PipelineResult",
        "WorkflowResult",
    ),
    "resources.workflows": ("Workflows",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}
_MODULES = ("webhooks",)
"""Modules that are loaded like names: `circleci_async.webhooks.verify`."""


# Hidden from type checkers, which would take every misspelt name for one that is loaded here.
if not TYPE_CHECKING:  # pragma: no branch

    def __getattr__(name: str) -> Any:
        """Load a public name."""
        if name in _MODULES:
            return import_module(f".{name}", __name__)
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF, *_MODULES})
