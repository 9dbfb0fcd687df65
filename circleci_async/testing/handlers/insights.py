"""Insights."""

from collections.abc import Collection
from datetime import timedelta

from ..server.calls import ID, Call, HttpError
from ..server.routing import Routes
from ..state import insights
from ..state.builds import Workflow
from ..state.insights import Window
from ..state.projects import Project
from ..state.registry import Json, timestamp

ROUTES = Routes()

_BUCKETS = {"daily": (timedelta(days=1), insights.MAX_SPAN), "hourly": (timedelta(hours=1), timedelta(hours=48))}
_TOTALS = ("total_runs", "total_duration_secs", "total_credits_used", "success_rate", "throughput")
_PROJECT_TOTALS = ("total_credits_used", "total_duration_secs", "total_runs", "success_rate")
_WORKFLOW_TOTALS = ("total_credits_used", "p95_duration_secs", "total_runs", "success_rate")


@ROUTES.get("/insights/{project}/workflows")
def workflows(call: Call) -> Json:
    project, window, branches = call.project(), _reporting_window(call), _branches(call)
    groups = insights.grouped(insights.runs(project, window, branches=branches), lambda run: run.name)
    return call.page(
        list(groups.items()),
        lambda group: {
            "name": group[0],
            "metrics": insights.workflow_metrics(group[1], window),
            **_span(group[1], window),
            "project_id": project.id,
        },
        key=lambda group: group[0],
        scope=f"workflow metrics {project.id} {branches} {call.query.get('reporting-window')}",
    )


@ROUTES.get("/insights/{project}/workflows/{workflow}")
def workflow_runs(call: Call) -> Json:
    project, branches, name = call.project(), _branches(call), _workflow(call)
    runs = insights.runs(project, _dates(call), workflows=[name], branches=branches)
    scope = f"runs {project.id} {name!r} {branches} {call.query.get('start-date')} {call.query.get('end-date')}"
    return call.page(runs, _run, key=ID, scope=scope, newest_first=True)


@ROUTES.get("/insights/{project}/workflows/{workflow}/jobs")
def workflow_jobs(call: Call) -> Json:
    project, window, branches, name = call.project(), _reporting_window(call), _branches(call), _workflow(call)
    job_name = call.query.get("job-name", "")
    runs = insights.runs(project, window, workflows=[name], branches=branches)
    groups = insights.grouped((job for job in insights.job_runs(runs) if job_name in job.name), lambda job: job.name)
    return call.page(
        list(groups.items()),
        lambda group: {
            "name": group[0],
            "metrics": insights.job_metrics(group[1], window),
            "window_start": timestamp(min(job.created_at for job in group[1])),
            "window_end": timestamp(max(job.stopped_at or job.created_at for job in group[1])),
        },
        key=lambda group: group[0],
        scope=f"job metrics {project.id} {name!r} {branches} {job_name!r} {call.query.get('reporting-window')}",
    )


@ROUTES.get("/insights/{project}/workflows/{workflow}/summary")
def workflow_summary(call: Call) -> Json:
    project, branches, name, window = call.project(), _branches(call), _workflow(call), _latest(call)
    runs = insights.runs(project, window, workflows=[name], branches=branches)
    now = insights.workflow_metrics(runs, window)
    before = insights.workflow_metrics(
        insights.runs(project, window.before(), workflows=[name], branches=branches), window.before()
    )
    names = ("total_runs", "failed_runs", "success_rate", "total_credits_used", "mttr", "throughput")
    spans = {
        f"{name}_duration_secs": insights.ratio(now["duration_metrics"][name], before["duration_metrics"][name])
        for name in ("p95", "median")
    }
    del now["total_recoveries"]
    return {
        "metrics": {**now, "completed_runs": now["successful_runs"] + now["failed_runs"], **_span(runs, window)},
        "trends": {**insights.trends(now, before, names), **spans},
        "workflow_names": sorted(project.workflow_names),
    }


@ROUTES.get("/insights/{project}/workflows/{workflow}/test-metrics")
def test_metrics(call: Call) -> Json:
    project, branches, name = call.project(), _branches(call), _workflow(call)
    runs = insights.runs(project, _latest(call), workflows=[name], branches=branches)
    return insights.test_metrics(runs, insights.flaky_tests(project))


@ROUTES.get("/insights/time-series/{project}/workflows/{workflow}/jobs")
def job_time_series(call: Call) -> Json:
    project, name = call.project(), _workflow(call)
    branch = call.query.get("branch", project.default_branch)
    granularity = call.choice("granularity", tuple(_BUCKETS), "daily")
    length, kept = _BUCKETS[granularity]
    requested = _dates(call)
    oldest = call.world.clock() - kept
    runs = insights.runs(
        project, Window(max(requested.start, oldest), requested.end), workflows=[name], branches=[branch]
    )
    dates = f"{call.query.get('start-date')} {call.query.get('end-date')}"
    return call.page(
        insights.time_series(insights.job_runs(runs), length),
        lambda group: {
            key: timestamp(value) if key.endswith(("_at", "stamp")) else value
            for key, value in insights.bucket(*group).items()
        },
        key=lambda group: group[:2],
        scope=f"time series {project.id} {name!r} {branch!r} {granularity} {dates}",
    )


@ROUTES.get("/insights/{project}/branches")
def branches(call: Call) -> Json:
    project = call.project()
    name = call.query.get("workflow-name")
    runs = insights.runs(project, _latest(call), workflows=None if name is None else [name])
    return {
        "org_id": project.organization.id,
        "project_id": project.id,
        "branches": sorted({run.pipeline.branch for run in runs if run.pipeline.branch is not None}),
    }


@ROUTES.get("/insights/{project}/flaky-tests")
def flaky_tests(call: Call) -> Json:
    found = insights.flaky_tests(call.project())
    return {"flaky_tests": [_flaky(runs) for runs in found.values()], "total_flaky_tests": len(found)}


@ROUTES.get("/insights/{org}/summary", public=False)
def organization_summary(call: Call) -> Json:
    organization, window = call.organization(call.values["org"]), _reporting_window(call)
    projects = call.world.projects_of(organization)
    now, before = (
        insights.summary([run for project in projects for run in insights.runs(project, span)], span)
        for span in (window, window.before())
    )
    names = call.query.getall("project-names", [])
    return {
        "org_data": _figures(now, before, _TOTALS),
        "org_project_data": [
            {"project_name": project.name, **_summary(project, window, _PROJECT_TOTALS)}
            for project in projects
            if project.name in names
        ],
        "all_projects": [project.name for project in projects],
    }


@ROUTES.get("/insights/pages/{project}/summary")
def project_summary(call: Call) -> Json:
    project, window = call.project(), _reporting_window(call)
    branches, names = call.query.getall("branches", None), call.query.getall("workflow-names", None)
    runs = insights.runs(project, window, workflows=names, branches=branches)
    pairs = sorted({(run.name, run.pipeline.branch or "") for run in runs})
    return {
        "org_id": project.organization.id,
        "project_id": project.id,
        "project_data": _summary(project, window, _TOTALS, names, branches),
        "project_workflow_data": [
            {"workflow_name": name, **_summary(project, window, _WORKFLOW_TOTALS, [name], branches)}
            for name in sorted({run.name for run in runs})
        ],
        "project_workflow_branch_data": [
            {"workflow_name": name, "branch": branch, **_summary(project, window, _WORKFLOW_TOTALS, [name], [branch])}
            for name, branch in pairs
            if branch
        ],
        "all_branches": sorted({pipeline.branch for pipeline in project.pipelines.all if pipeline.branch}),
        "all_workflows": sorted(project.workflow_names),
    }


def _summary(
    project: Project,
    window: Window,
    names: Collection[str],
    workflows: Collection[str] | None = None,
    branches: Collection[str] | None = None,
) -> Json:
    now, before = (
        insights.summary(insights.runs(project, span, workflows=workflows, branches=branches), span)
        for span in (window, window.before())
    )
    return _figures(now, before, names)


def _figures(now: Json, before: Json, names: Collection[str]) -> Json:
    return {"metrics": {name: now[name] for name in names}, "trends": insights.trends(now, before, names)}


def _run(run: Workflow) -> Json:
    return {
        "id": run.id,
        "branch": run.pipeline.branch or "",
        "duration": None if run.duration is None else round(run.duration),
        "created_at": timestamp(run.created_at),
        "stopped_at": timestamp(run.stopped_at),
        "credits_used": run.credits,
        "status": run.status,
        "is_approval": any(job.type == "approval" for job in run.jobs),
    }


def _flaky(failures: list[insights.Execution]) -> Json:
    latest = max(failures, key=lambda each: each.workflow.created_at)
    return {
        "time_wasted": round(sum(each.test.run_time for each in failures)),
        "workflow_created_at": timestamp(latest.workflow.created_at),
        "workflow_id": latest.workflow.id,
        "classname": latest.test.classname,
        "pipeline_number": latest.workflow.pipeline.number,
        "workflow_name": latest.workflow.name,
        "test_name": latest.test.name,
        "job_name": latest.job.name,
        "job_number": latest.job.number,
        "times_flaked": len(failures),
        "source": latest.test.source,
        "file": latest.test.file,
    }


def _span(runs: list[Workflow], empty: Window) -> Json:
    """Return the time span of runs; that of `empty` without runs."""
    return {
        "window_start": timestamp(min((run.created_at for run in runs), default=empty.start)),
        "window_end": timestamp(max((run.stopped_at or run.created_at for run in runs), default=empty.end)),
    }


def _workflow(call: Call) -> str:
    """Return the workflow's name; 404 if the project never ran it."""
    name = call.values["workflow"]
    if name not in call.project().workflow_names:
        raise HttpError(404, "Workflow not found")
    return name


def _branches(call: Call) -> list[str] | None:
    """Return the requested branch or the default branch; None, for all branches, with `all-branches`."""
    if call.flag("all-branches"):
        return None
    return [call.query.get("branch", call.project().default_branch)]


def _reporting_window(call: Call) -> Window:
    return _until_now(call, insights.WINDOWS[call.choice("reporting-window", tuple(insights.WINDOWS), "last-90-days")])


def _latest(call: Call) -> Window:
    return _until_now(call, insights.MAX_SPAN)


def _until_now(call: Call, length: timedelta) -> Window:
    end = call.world.clock() + timedelta(milliseconds=1)  # a run that starts now is included
    return Window(end - length, end)


def _dates(call: Call) -> Window:
    """Return the span of start-date and end-date, at most 90 days; the latest 90 days by default."""
    start, end = call.query_time("start-date"), call.query_time("end-date")
    if start is None:
        if end is not None:
            raise HttpError(400, "end-date needs start-date.")
        return _latest(call)
    end = end or start + insights.MAX_SPAN
    if end < start or end - start > insights.MAX_SPAN:
        raise HttpError(400, "end-date must be at most 90 days after start-date.")
    return Window(start, end)
