"""Insights are computed from the runs of the world."""

from datetime import timedelta
from typing import Any

import pytest

from circleci_async.testing import Project, Workflow, World
from circleci_async.testing.state.insights import p95

from .caller import Caller
from .clock import Clock

BASE = "/insights/gh/acme/api"


@pytest.fixture
def project(world: World) -> Project:
    return world.project("gh/acme/api")


def _run(
    project: Project,
    days_ago: float,
    duration: float = 60,
    *,
    status: str = "success",
    name: str = "build",
    branch: str = "main",
    job: str = "test",
    revision: str | None = None,
) -> Workflow:
    at = project.world.clock() - timedelta(days=days_ago)
    pipeline = project.pipeline(branch=branch, created_at=at, revision=revision)
    workflow = pipeline.workflow(name, status=status)
    workflow.job(job, status=status, duration=duration)
    return workflow


async def test_workflow_metrics_are_computed_from_the_runs(api: Caller, project: Project) -> None:
    for index, duration in enumerate((10, 20, 30, 40)):
        _run(project, 9 - index, duration, status="failed" if index == 1 else "success")
    _run(project, 0.5, 5, name="docs")

    build, docs = (await api.get(f"{BASE}/workflows"))["items"]

    metrics = build["metrics"]
    assert (build["name"], docs["name"], build["project_id"]) == ("build", "docs", project.id)
    assert (metrics["total_runs"], metrics["successful_runs"], metrics["failed_runs"]) == (4, 3, 1)
    assert metrics["success_rate"] == 0.75
    assert metrics["throughput"] == pytest.approx(4 / 90)
    assert metrics["duration_metrics"] == {
        "min": 10,
        "mean": 25,
        "median": 25,
        "p95": 40,
        "max": 40,
        "standard_deviation": pytest.approx(11.18, abs=0.01),
    }
    assert (metrics["total_recoveries"], metrics["mttr"]) == (1, 86400 + 10)
    assert metrics["total_credits_used"] == sum(round(seconds / 6) for seconds in (10, 20, 30, 40))
    assert (build["window_start"], build["window_end"]) == ("2026-04-25T10:00:00.250Z", "2026-04-28T10:00:40.250Z")


def test_p95_of_known_values() -> None:
    assert p95(list(range(1, 101))) == 95
    assert (p95([7]), p95([])) == (7, 0)


async def test_the_branch_defaults_to_the_default_branch(api: Caller, project: Project) -> None:
    _run(project, 1)
    _run(project, 1, branch="fix")
    _run(project, 1, branch="fix")

    async def total(query: str) -> list[int]:
        return [item["metrics"]["total_runs"] for item in (await api.get(f"{BASE}/workflows{query}"))["items"]]

    assert await total("") == [1]
    assert await total("?branch=fix") == [2]
    assert await total("?branch=none") == []
    assert await total("?all-branches=true") == [3]
    assert await total("?all-branches=true&branch=fix") == [3]
    assert await total("?all-branches=false&branch=fix") == [2]


@pytest.mark.parametrize(
    ("window", "runs"),
    [("last-24-hours", 1), ("last-7-days", 2), ("last-30-days", 3), ("last-60-days", 4), ("last-90-days", 5)],
)
async def test_a_reporting_window_contains_the_runs_that_started_in_it(
    api: Caller, project: Project, window: str, runs: int
) -> None:
    for days in (0.5, 5, 20, 50, 80, 100):
        _run(project, days)

    (item,) = (await api.get(f"{BASE}/workflows?reporting-window={window}"))["items"]

    assert item["metrics"]["total_runs"] == runs


async def test_runs_are_dropped_after_the_retention(api: Caller, project: Project) -> None:
    for result, days in (("failure", 61), ("success", 61), ("success", 59)):
        _run(project, days, revision="a" * 40).jobs[0].test("test_login", result=result)
    paths = {name: f"{BASE}/workflows{name}" for name in ("", "/build", "/build/jobs")}

    async def total() -> list[int]:
        items = {name: (await api.get(path))["items"] for name, path in paths.items()}
        flaky = (await api.get(f"{BASE}/flaky-tests"))["total_flaky_tests"]
        (workflow,), (job,) = items[""], items["/build/jobs"]
        return [workflow["metrics"]["total_runs"], job["metrics"]["total_runs"], len(items["/build"]), flaky]

    assert await total() == [3, 3, 3, 1]
    project.world.insights_retention = timedelta(days=60)
    assert await total() == [1, 1, 1, 0]
    query = "start-date=2026-01-01T00:00:00Z&end-date=2026-03-06T00:00:00Z"
    assert (await api.get(f"{BASE}/workflows/build?{query}"))["items"] == []


async def test_a_rerun_is_listed_by_its_own_start(api: Caller, project: Project) -> None:
    first, second = _run(project, 2, status="failed"), _run(project, 1)
    rerun = first.pipeline.workflow("build", created_at=second.created_at + timedelta(minutes=5))

    listed = (await api.get(f"{BASE}/workflows/build"))["items"]

    assert [run["id"] for run in listed] == [rerun.id, second.id, first.id]


async def test_a_running_workflow_is_not_counted(api: Caller, project: Project) -> None:
    project.pipeline().workflow("build", status="running").job("test", status="running")

    assert (await api.get(f"{BASE}/workflows"))["items"] == []
    assert (await api.get(f"{BASE}/workflows/build"))["items"] == []
    summary = await api.get(f"{BASE}/workflows/build/summary")
    assert (summary["metrics"]["total_runs"], summary["metrics"]["duration_metrics"]["min"]) == (0, None)


async def test_runs_are_listed_newest_first(api: Caller, project: Project) -> None:
    old, new = _run(project, 2, 61.4), _run(project, 1, status="failed", branch="main")
    new.job("hold", approval=True)
    _run(project, 1, name="docs")

    second, first = (await api.get(f"{BASE}/workflows/build"))["items"]

    assert first == {
        "id": old.id,
        "branch": "main",
        "duration": 61,
        "created_at": "2026-05-02T10:00:00.250Z",
        "stopped_at": "2026-05-02T10:01:01.650Z",
        "credits_used": 10,
        "status": "success",
        "is_approval": False,
    }
    assert (second["id"], second["status"], second["is_approval"]) == (new.id, "failed", True)


async def test_runs_are_filtered_by_date(api: Caller, project: Project) -> None:
    for days in (1, 10, 100, 120):
        _run(project, days)

    async def number(query: str) -> int:
        return len((await api.get(f"{BASE}/workflows/build?{query}"))["items"])

    assert await number("") == 2
    assert await number("start-date=2026-04-30T00:00:00Z") == 1
    assert await number("start-date=2026-01-01T00:00:00Z") == 2
    assert await number("start-date=2026-01-01T00:00:00Z&end-date=2026-01-10T00:00:00%2B00:00") == 1


@pytest.mark.parametrize(
    "query",
    [
        "end-date=2026-01-01T00:00:00Z",
        "start-date=2026-01-01T00:00:00Z&end-date=2026-04-02T00:00:00Z",
        "start-date=2026-01-02T00:00:00Z&end-date=2026-01-01T00:00:00Z",
        "start-date=yesterday",
        "start-date=2026-01-01T00:00:00",
        "start-date=2026-01-01T00:00:00Z&end-date=",
        "all-branches=maybe",
    ],
)
@pytest.mark.parametrize(
    "path", ["/insights/gh/acme/api/workflows/build", "/insights/time-series/gh/acme/api/workflows/build/jobs"]
)
async def test_invalid_dates_answer_400(api: Caller, project: Project, path: str, query: str) -> None:
    _run(project, 1)
    if "branches" in query:
        path = "/insights/gh/acme/api/workflows/build"

    await api.get(f"{path}?{query}", status=400)


@pytest.mark.parametrize(
    "path",
    [
        f"{BASE}/workflows?reporting-window=last-week",
        "/insights/gh/acme/summary?reporting-window=",
        "/insights/time-series/gh/acme/api/workflows/build/jobs?granularity=weekly",
    ],
)
async def test_an_unknown_option_answers_400(api: Caller, project: Project, path: str) -> None:
    _run(project, 1)

    assert "expected one of" in (await api.get(path, status=400))["message"]


@pytest.mark.parametrize("path", ["", "/jobs", "/summary", "/test-metrics"])
async def test_an_unknown_workflow_answers_404(api: Caller, project: Project, path: str) -> None:
    assert await api.get(f"{BASE}/workflows/none{path}", status=404) == {"message": "Workflow not found"}


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("build and test", "build%20and%20test"),
        ("build/test", "build%2Ftest"),
        ("100%", "100%25"),
        ("größe", "gr%C3%B6%C3%9Fe"),
        ("jobs", "jobs"),
        ("a%2Fb", "a%252Fb"),
    ],
)
async def test_a_workflow_name_is_one_path_segment(api: Caller, project: Project, name: str, sent: str) -> None:
    _run(project, 1, name=name)

    assert len((await api.get(f"{BASE}/workflows/{sent}"))["items"]) == 1
    (job,) = (await api.get(f"{BASE}/workflows/{sent}/jobs"))["items"]
    assert job["name"] == "test"
    assert (await api.get(f"{BASE}/workflows/{sent}/summary"))["workflow_names"] == [name]


async def test_job_metrics_are_computed_by_job(api: Caller, project: Project) -> None:
    _run(project, 2, 100, status="failed").job("lint", duration=6)
    _run(project, 1, 50).job("hold", approval=True)

    jobs = (await api.get(f"{BASE}/workflows/build/jobs"))["items"]
    found = (await api.get(f"{BASE}/workflows/build/jobs?job-name=lin"))["items"]

    assert [(job["name"], job["metrics"]["total_runs"], job["metrics"]["success_rate"]) for job in jobs] == [
        ("test", 2, 0.5),
        ("lint", 1, 1.0),
    ]
    assert jobs[0]["metrics"]["duration_metrics"]["max"] == 100
    assert [job["name"] for job in found] == ["lint"]


async def test_jobs_that_a_rerun_kept_count_once(api: Caller, project: Project, clock: Clock) -> None:
    workflow = _run(project, 0.1, status="failed")
    workflow.job("lint")
    await api.post(f"/workflow/{workflow.id}/rerun", {"from_failed": True}, status=202)
    clock.wait(100)

    jobs = (await api.get(f"{BASE}/workflows/build/jobs"))["items"]

    assert {job["name"]: job["metrics"]["total_runs"] for job in jobs} == {"test": 2, "lint": 1}


async def test_a_summary_has_trends_relative_to_the_previous_window(api: Caller, project: Project) -> None:
    for days in (95, 100):
        _run(project, days, 10)
    for days in (1, 2, 3):
        _run(project, days, 30)

    summary = await api.get(f"{BASE}/workflows/build/summary")

    assert (summary["metrics"]["completed_runs"], summary["workflow_names"]) == (3, ["build"])
    assert summary["trends"]["total_runs"] == 1.5
    assert summary["trends"]["p95_duration_secs"] == summary["trends"]["median_duration_secs"] == 3.0
    assert (summary["trends"]["success_rate"], summary["trends"]["failed_runs"]) == (1.0, 0.0)


async def test_a_time_series_has_a_bucket_for_each_job_and_day(api: Caller, project: Project) -> None:
    _run(project, 2.0, 10)
    _run(project, 2.1, 20, status="failed")
    _run(project, 1.0, 30)
    _run(project, 1.0, 30, branch="fix")

    later, earlier = (await api.get("/insights/time-series/gh/acme/api/workflows/build/jobs"))["items"]

    assert (later["timestamp"], earlier["timestamp"]) == ("2026-05-03T00:00:00.000Z", "2026-05-02T00:00:00.000Z")
    assert (later["metrics"]["total_runs"], earlier["metrics"]["total_runs"]) == (1, 2)
    assert (earlier["metrics"]["failed_runs"], earlier["metrics"]["throughput"]) == (1, 2.0)
    assert earlier["metrics"]["duration_metrics"] == {"min": 10, "median": 15, "max": 20, "p95": 20, "total": 30}
    assert (earlier["min_started_at"], earlier["max_ended_at"]) == (
        "2026-05-02T07:36:00.250Z",
        "2026-05-02T10:00:10.250Z",
    )


async def test_hourly_buckets_cover_two_days(api: Caller, project: Project) -> None:
    path = "/insights/time-series/gh/acme/api/workflows/build/jobs?granularity=hourly"
    for days in (3, 1.0, 1.02, 0.9):
        _run(project, days)

    series = (await api.get(path))["items"]

    assert [each["timestamp"] for each in series] == [
        "2026-05-03T12:00:00.000Z",
        "2026-05-03T10:00:00.000Z",
        "2026-05-03T09:00:00.000Z",
    ]
    assert (await api.get(f"{path}&branch=none"))["items"] == []


async def test_test_metrics_cover_the_ten_latest_runs(api: Caller, project: Project) -> None:
    for index in range(12):
        job = _run(project, 20 - index).jobs[0]
        job.test("test_slow", run_time=10 + index, file="tests/slow.py")
        job.test("test_bad", result="failure" if index >= 10 else "success", run_time=0.1, classname="tests.bad")
        job.test("test_skipped", result="skipped")

    metrics = await api.get(f"{BASE}/workflows/build/test-metrics")

    assert (metrics["total_test_runs"], metrics["average_test_count"]) == (10, 3)
    assert metrics["slowest_tests"][0] == {
        "p95_duration": 21,
        "total_runs": 10,
        "classname": "tests",
        "failed_runs": 0,
        "flaky": False,
        "source": "pytest",
        "file": "tests/slow.py",
        "job_name": "test",
        "test_name": "test_slow",
    }
    assert [(each["test_name"], each["failed_runs"]) for each in metrics["most_failed_tests"]] == [("test_bad", 2)]
    assert metrics["test_runs"][0]["test_counts"] == {"error": 0, "failure": 1, "skipped": 1, "success": 1, "total": 3}
    assert metrics["test_runs"][0]["pipeline_number"] == 12


async def test_test_metrics_list_ten_tests_and_count_the_others(api: Caller, project: Project) -> None:
    job = _run(project, 1, status="failed").jobs[0]
    for index in range(13):
        job.test(f"test_{index}", result="error", run_time=index)

    metrics = await api.get(f"{BASE}/workflows/build/test-metrics")
    empty = await api.get(f"{BASE}/workflows/build/test-metrics?branch=none")

    assert [len(metrics[key]) for key in ("slowest_tests", "most_failed_tests")] == [10, 10]
    assert (metrics["slowest_tests_extra"], metrics["most_failed_tests_extra"]) == (3, 3)
    assert metrics["slowest_tests"][0]["test_name"] == "test_12"
    assert (empty["average_test_count"], empty["test_runs"]) == (0, [])


async def test_a_run_without_tests_has_no_success_rate(api: Caller, project: Project) -> None:
    _run(project, 1)

    (run,) = (await api.get(f"{BASE}/workflows/build/test-metrics"))["test_runs"]

    assert (run["success_rate"], run["test_counts"]["total"]) == (0.0, 0)


async def test_a_test_that_failed_and_passed_on_one_commit_is_flaky(api: Caller, project: Project) -> None:
    for result, days in (("failure", 2), ("success", 1)):
        job = _run(project, days, revision="a" * 40).jobs[0]
        job.test("test_flaky", result=result, run_time=12.4)
        job.test("test_good")
    for result, revision in (("failure", "b" * 40), ("success", "c" * 40)):
        _run(project, 1, revision=revision).jobs[0].test("test_repaired", result=result)

    found = await api.get(f"{BASE}/flaky-tests")
    metrics = await api.get(f"{BASE}/workflows/build/test-metrics")

    assert found["total_flaky_tests"] == 1
    (flaky,) = found["flaky_tests"]
    assert (flaky["test_name"], flaky["times_flaked"], flaky["time_wasted"]) == ("test_flaky", 1, 12)
    assert (flaky["pipeline_number"], flaky["job_number"], flaky["workflow_name"]) == (1, 1, "build")
    assert [each["test_name"] for each in metrics["slowest_tests"] if each["flaky"]] == ["test_flaky"]


async def test_a_flaky_test_is_in_the_run_in_which_it_flaked_last(api: Caller, project: Project) -> None:
    rerun: dict[int, Workflow] = {}
    for revision, days in (("a", 9), ("b", 5), ("a", 1), ("b", 7)):  # not in the order of time
        rerun[days] = _run(project, days, revision=revision * 40)
        rerun[days].jobs[0].test("test_flaky", result="failure")
        _run(project, days, revision=revision * 40).jobs[0].test("test_flaky")

    (flaky,) = (await api.get(f"{BASE}/flaky-tests"))["flaky_tests"]
    assert (flaky["times_flaked"], flaky["workflow_id"]) == (4, rerun[1].id)


async def test_branches_with_runs_are_listed(api: Caller, project: Project) -> None:
    _run(project, 1, branch="fix")
    _run(project, 1, branch="main", name="docs")
    project.pipeline(tag="v1").workflow("build")

    found = await api.get(f"{BASE}/branches")

    assert found == {"org_id": project.organization.id, "project_id": project.id, "branches": ["fix", "main"]}
    assert (await api.get(f"{BASE}/branches?workflow-name=docs"))["branches"] == ["main"]


async def test_a_run_of_a_tag_has_a_blank_branch(api: Caller, project: Project) -> None:
    project.pipeline(tag="v1").workflow("build")

    (run,) = (await api.get(f"{BASE}/workflows/build?all-branches=true"))["items"]

    assert (run["branch"], run["duration"]) == ("", 0)


async def test_an_organization_summary_has_the_requested_projects(api: Caller, project: Project, world: World) -> None:
    other = world.project("gh/acme/web")
    _run(project, 1, 60)
    _run(other, 1, 30, branch="fix", status="failed")

    plain = await api.get("/insights/gh/acme/summary")
    asked = await api.get(
        "/insights/gh%2Facme/summary?project-names=web&project-names=none&reporting-window=last-7-days"
    )

    assert plain["org_data"]["metrics"] == {
        "total_runs": 2,
        "total_duration_secs": 90,
        "total_credits_used": 15,
        "success_rate": 0.5,
        "throughput": pytest.approx(2 / 90),
    }
    assert (plain["org_project_data"], plain["all_projects"]) == ([], ["api", "web"])
    assert [each["project_name"] for each in asked["org_project_data"]] == ["web"]
    assert asked["org_project_data"][0]["metrics"]["total_duration_secs"] == 30
    await api.get("/insights/gh/none/summary", status=404)


async def test_a_project_summary_covers_workflows_and_branches(api: Caller, project: Project) -> None:
    _run(project, 1, 60)
    _run(project, 1, 30, branch="fix")
    _run(project, 1, 10, name="docs")
    project.pipeline(tag="v1").workflow("build").job("test", duration=10)

    path = "/insights/pages/gh/acme/api/summary"
    summary = await api.get(path)
    part = await api.get(f"{path}?branches=main&branches=none&workflow-names=build")

    def pairs(body: Any) -> list[tuple[str, str, int]]:
        return [
            (each["workflow_name"], each["branch"], each["metrics"]["total_runs"])
            for each in body["project_workflow_branch_data"]
        ]

    assert summary["project_data"]["metrics"]["total_runs"] == 4
    assert [each["workflow_name"] for each in summary["project_workflow_data"]] == ["build", "docs"]
    assert pairs(summary) == [("build", "fix", 1), ("build", "main", 1), ("docs", "main", 1)]
    assert (summary["all_branches"], summary["all_workflows"]) == (["fix", "main"], ["build", "docs"])
    assert (part["project_data"]["metrics"]["total_runs"], pairs(part)) == (1, [("build", "main", 1)])
