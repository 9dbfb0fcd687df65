"""Insights summaries of projects and organizations.

A trend is the ratio of a value to that of the previous reporting window.
"""

from attrs import frozen

__all__ = [
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
]


@frozen(kw_only=True)
class SummaryMetrics:
    """The metrics of a project or an organization."""

    total_runs: int
    total_duration_secs: int
    total_credits_used: int
    success_rate: float
    """From 0 to 1."""
    throughput: float
    """Runs per day."""


@frozen(kw_only=True)
class SummaryTrends:
    """The trends of a project or an organization."""

    total_runs: float
    total_duration_secs: float
    total_credits_used: float
    success_rate: float
    throughput: float


@frozen(kw_only=True)
class SummaryData:
    """Metrics and trends of a project or an organization."""

    metrics: SummaryMetrics
    trends: SummaryTrends


@frozen(kw_only=True)
class ProjectWorkflowMetrics:
    """The metrics of a workflow in a project's summary."""

    total_runs: int
    success_rate: float
    """From 0 to 1."""
    p95_duration_secs: float
    total_credits_used: int


@frozen(kw_only=True)
class ProjectWorkflowTrends:
    """The trends of a workflow in a project's summary."""

    total_runs: float
    success_rate: float
    p95_duration_secs: float
    total_credits_used: float


@frozen(kw_only=True)
class ProjectWorkflowSummary:
    """A workflow in a project's summary, over the requested branches."""

    workflow_name: str
    metrics: ProjectWorkflowMetrics
    trends: ProjectWorkflowTrends


@frozen(kw_only=True)
class ProjectWorkflowBranchSummary:
    """A workflow on one branch in a project's summary."""

    workflow_name: str
    branch: str
    metrics: ProjectWorkflowMetrics
    trends: ProjectWorkflowTrends


@frozen(kw_only=True)
class ProjectSummary:
    """The summary of a project, by workflow and branch: `GET /insights/pages/{project-slug}/summary`."""

    org_id: str | None = None
    project_id: str | None = None
    project_data: SummaryData | None = None
    project_workflow_data: tuple[ProjectWorkflowSummary, ...] = ()
    project_workflow_branch_data: tuple[ProjectWorkflowBranchSummary, ...] = ()
    all_branches: tuple[str, ...] = ()
    all_workflows: tuple[str, ...] = ()


@frozen(kw_only=True)
class OrgProjectMetrics:
    """The metrics of a project in an organization's summary."""

    total_runs: int
    total_duration_secs: int
    total_credits_used: int
    success_rate: float
    """From 0 to 1."""


@frozen(kw_only=True)
class OrgProjectTrends:
    """The trends of a project in an organization's summary."""

    total_runs: float
    total_duration_secs: float
    total_credits_used: float
    success_rate: float


@frozen(kw_only=True)
class OrgProjectSummary:
    """A project in an organization's summary."""

    project_name: str
    metrics: OrgProjectMetrics
    trends: OrgProjectTrends


@frozen(kw_only=True)
class OrgSummary:
    """The summary of an organization, over all branches: `GET /insights/{org-slug}/summary`."""

    org_data: SummaryData
    org_project_data: tuple[OrgProjectSummary, ...]
    """Only the projects requested by name."""
    all_projects: tuple[str, ...] | None = None
