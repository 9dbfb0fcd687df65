"""What the calls of `circle.insights` send."""

from datetime import UTC, datetime, timedelta, timezone

from circleci_async import Granularity, ReportingWindow
from tests.endpoints.case import Case, P

INSIGHTS = "/api/v2/insights/gh/acme/api"
FROM, UNTIL = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 31, 14, tzinfo=timezone(timedelta(hours=2)))

CASES = [
    Case("insights.workflows", lambda c: c.insights.workflows(P), f"{INSIGHTS}/workflows"),
    Case(
        "insights.workflows",
        lambda c: c.insights.workflows(P, all_branches=True, reporting_window=ReportingWindow.LAST_24_HOURS),
        f"{INSIGHTS}/workflows?all-branches=true&reporting-window=last-24-hours",
    ),
    Case(
        "insights.workflows",
        lambda c: c.insights.workflows(P, branch="a/b", all_branches=False, reporting_window="last-7-days"),
        f"{INSIGHTS}/workflows?branch=a%2Fb&all-branches=false&reporting-window=last-7-days",
    ),
    Case("insights.workflow_runs", lambda c: c.insights.workflow_runs(P, "build"), f"{INSIGHTS}/workflows/build"),
    Case(
        "insights.workflow_runs",
        lambda c: c.insights.workflow_runs(P, "build", all_branches=True),
        f"{INSIGHTS}/workflows/build?all-branches=true",
    ),
    Case(
        "insights.workflow_runs",
        lambda c: c.insights.workflow_runs(P, "build & test/\u00fc+%", branch="b", start_date=FROM, end_date=UNTIL),
        f"{INSIGHTS}/workflows/build%20%26%20test%2F%C3%BC%2B%25"
        "?branch=b&start-date=2026-03-01T12%3A00%3A00Z&end-date=2026-03-31T12%3A00%3A00Z",
    ),
    Case("insights.workflow_jobs", lambda c: c.insights.workflow_jobs(P, "build"), f"{INSIGHTS}/workflows/build/jobs"),
    Case(
        "insights.workflow_jobs",
        lambda c: c.insights.workflow_jobs(P, "build", branch="b", all_branches=False),
        f"{INSIGHTS}/workflows/build/jobs?branch=b&all-branches=false",
    ),
    Case(
        "insights.workflow_jobs",
        lambda c: c.insights.workflow_jobs(P, "build", job_name="a b", reporting_window="last-30-days"),
        f"{INSIGHTS}/workflows/build/jobs?reporting-window=last-30-days&job-name=a%20b",
    ),
    Case(
        "insights.workflow_summary",
        lambda c: c.insights.workflow_summary(P, "build"),
        f"{INSIGHTS}/workflows/build/summary",
    ),
    Case(
        "insights.workflow_summary",
        lambda c: c.insights.workflow_summary(P, "build", branch="b"),
        f"{INSIGHTS}/workflows/build/summary?branch=b",
    ),
    Case(
        "insights.workflow_summary",
        lambda c: c.insights.workflow_summary(P, "build", all_branches=True),
        f"{INSIGHTS}/workflows/build/summary?all-branches=true",
    ),
    Case(
        "insights.test_metrics",
        lambda c: c.insights.test_metrics(P, "build"),
        f"{INSIGHTS}/workflows/build/test-metrics",
    ),
    Case(
        "insights.test_metrics",
        lambda c: c.insights.test_metrics(P, "build", all_branches=True),
        f"{INSIGHTS}/workflows/build/test-metrics?all-branches=true",
    ),
    Case(
        "insights.test_metrics",
        lambda c: c.insights.test_metrics(P, "build", branch="b"),
        f"{INSIGHTS}/workflows/build/test-metrics?branch=b",
    ),
    Case(
        "insights.job_timeseries",
        lambda c: c.insights.job_timeseries(P, "build"),
        "/api/v2/insights/time-series/gh/acme/api/workflows/build/jobs",
    ),
    Case(
        "insights.job_timeseries",
        lambda c: c.insights.job_timeseries(
            P, "build", branch="b", granularity=Granularity.HOURLY, start_date=FROM, end_date=UNTIL
        ),
        "/api/v2/insights/time-series/gh/acme/api/workflows/build/jobs"
        "?branch=b&granularity=hourly&start-date=2026-03-01T12%3A00%3A00Z&end-date=2026-03-31T12%3A00%3A00Z",
    ),
    Case("insights.branches", lambda c: c.insights.branches(P), f"{INSIGHTS}/branches"),
    Case(
        "insights.branches",
        lambda c: c.insights.branches(P, workflow="a b"),
        f"{INSIGHTS}/branches?workflow-name=a%20b",
    ),
    Case("insights.flaky_tests", lambda c: c.insights.flaky_tests(P), f"{INSIGHTS}/flaky-tests"),
    Case(
        "insights.project_summary",
        lambda c: c.insights.project_summary(P),
        "/api/v2/insights/pages/gh/acme/api/summary",
    ),
    Case(
        "insights.project_summary",
        lambda c: c.insights.project_summary(
            P, reporting_window="last-90-days", branches=["a/b", "c"], workflow_names=["build"]
        ),
        "/api/v2/insights/pages/gh/acme/api/summary"
        "?reporting-window=last-90-days&branches=a%2Fb&branches=c&workflow-names=build",
    ),
    Case("insights.org_summary", lambda c: c.insights.org_summary("gh/acme"), "/api/v2/insights/gh/acme/summary"),
    Case(
        "insights.org_summary",
        lambda c: c.insights.org_summary("gh/acme", reporting_window="last-60-days", project_names=["api", "web"]),
        "/api/v2/insights/gh/acme/summary?reporting-window=last-60-days&project-names=api&project-names=web",
    ),
]
