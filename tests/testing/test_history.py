"""Months of generated history, as insights and usage exports report it."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import aiohttp
import pytest

from circleci_async.errors import InvalidArgument
from circleci_async.testing import FakeCircleCI, Regression, World
from circleci_async.testing.__main__ import new_server
from circleci_async.testing.state.usage_rows import usage_rows
from circleci_async.usage.columns import typed

from .caller import Caller

NOW = datetime(2026, 5, 6, 18, 30, tzinfo=UTC)
"""A Wednesday."""
API, WEB = "gh/acme/api", "gh/acme/web"
BUILD, DEPLOY, NIGHTLY = "build-and-test", "deploy", "nightly"
FLAKY = {"test_upload", "test_expired_session", "test_create", "test_download", "test_checkout"}


def history(**options: Any) -> World:
    defaults: dict[str, Any] = {"seed": 5, "projects": 2, "runs": 700, "now": NOW, "clock": lambda: NOW}
    return World.history(**{**defaults, **options})


@pytest.fixture(scope="module")
def world() -> World:
    """A history that the tests only read."""
    return history()


@pytest.fixture
async def api(world: World, http: aiohttp.ClientSession) -> AsyncIterator[Caller]:
    async with FakeCircleCI(world, page_size=250) as fake:
        yield Caller(fake, http)


@pytest.fixture(scope="module")
def usage(world: World) -> list[dict[str, Any]]:
    """The rows of a usage export of the whole history, as the client parses them."""
    rows = usage_rows(world.pipelines.all, NOW - timedelta(days=100), NOW)
    return [typed({name: str(value) for name, value in row.items()}) for row in rows]


def described(world: World) -> list[Any]:
    return [
        (
            *(pipeline.id, pipeline.branch, pipeline.revision, workflow.id, workflow.status, workflow.created_at),
            *(job.id, job.status, job.queued_at, job.started_at, job.stopped_at, job.credits, job.cpu, job.ram),
            *job.tests,
        )
        for pipeline in world.pipelines.all
        for workflow in pipeline.workflows
        for job in workflow.jobs
    ]


async def runs_of(api: Caller, project: str, workflow: str, query: str = "") -> list[Any]:
    path = f"/insights/{project}/workflows/{workflow}?all-branches=true{query}"
    return [run for page in await api.walk(path) for run in page]


def failure_rate(runs: Iterable[Any]) -> float:
    statuses = [run["status"] for run in runs]
    return statuses.count("failed") / len(statuses)


def test_the_same_seed_and_numbers_create_the_same_history() -> None:
    first, second, other = (described(history(seed=seed, runs=100)) for seed in (5, 5, 6))
    assert first == second
    assert first != other


@pytest.mark.parametrize(("projects", "days", "runs"), [(1, 90, 300), (5, 90, 600), (20, 90, 900), (3, 30, 200)])
def test_a_history_has_about_the_requested_number_of_runs(projects: int, days: int, runs: int) -> None:
    world = history(projects=projects, days=days, runs=runs)

    assert len(world.projects) == projects
    assert 0.85 * runs < len(world.workflows) < 1.15 * runs
    assert world.pipelines.all == sorted(world.pipelines.all, key=lambda pipeline: pipeline.created_at)
    assert min(pipeline.created_at for pipeline in world.pipelines.all) > NOW - timedelta(days=days) + timedelta(
        hours=1
    )
    assert max(job.stopped_at or NOW for job in world.jobs.values() if job.started_at) < NOW


def test_a_history_is_varied(world: World) -> None:
    runs = list(world.workflows.values())
    jobs = list(world.jobs.values())

    for project in world.projects.values():
        assert project.workflow_names == {BUILD, DEPLOY, NIGHTLY}
    assert {run.status for run in runs} == {"success", "failed", "error", "canceled"}
    assert {job.status for job in jobs} == {"success", "failed", "canceled", "blocked", "not_run"}
    assert {job.resource_class for job in jobs} == {"small", "medium", "medium+", "large", "xlarge"}
    assert {job.executor for job in jobs} == {"docker", "machine"}
    assert {job.parallelism for job in jobs} == {1, 2, 4}
    assert 5 <= len({run.pipeline.branch for run in runs if run.pipeline.branch}) <= 9
    assert {run.name for run in runs if run.pipeline.tag} == {DEPLOY}
    assert {run.pipeline.trigger_type for run in runs if run.name == NIGHTLY} == {"scheduled_pipeline"}


def test_only_the_newest_builds_have_steps_and_artifacts(world: World) -> None:
    with_steps = {job.workflow.id for job in world.jobs.values() if job.steps}
    assert len(with_steps) == len(world.projects)
    assert {job.workflow.id for job in world.jobs.values() if job.artifacts} <= with_steps


@pytest.mark.parametrize(("argument", "value"), [("projects", -1), ("days", 0), ("runs", -1)])
def test_an_invalid_size_is_rejected(argument: str, value: int) -> None:
    with pytest.raises(InvalidArgument, match=rf"^{argument} must be an integer of at least [01], got {value}$"):
        history(**{argument: value})


def test_a_naive_end_is_rejected() -> None:
    with pytest.raises(InvalidArgument, match=r"^now must be an aware datetime, got datetime"):
        history(now=datetime(2026, 5, 6))  # noqa: DTZ001  naive on purpose


def test_a_small_history_can_be_created() -> None:
    assert history(projects=0).regression is None
    assert history(runs=0).pipelines.all == []
    assert 5 <= len(history(projects=1, runs=10).workflows) <= 20
    assert {run.created_at.date() for run in history(days=1, runs=50).workflows.values()} == {NOW.date()}


async def test_weekdays_are_busy_and_runs_start_in_working_hours(api: Caller) -> None:
    starts = [datetime.fromisoformat(run["created_at"]) for run in await runs_of(api, API, BUILD)]

    days = Counter(start.weekday() for start in starts)
    assert min(days[day] for day in range(5)) > 3 * max(days[5], days[6])
    assert {start.hour for start in starts} <= set(range(7, 21))
    nights = [datetime.fromisoformat(run["created_at"]).hour for run in await runs_of(api, API, NIGHTLY)]
    assert nights.count(2) > 0.9 * len(nights)


async def test_runs_are_listed_in_order_of_their_start(api: Caller) -> None:
    runs = await runs_of(api, API, BUILD)

    assert [run["created_at"] for run in runs] == sorted((run["created_at"] for run in runs), reverse=True)


async def test_a_workflow_fails_more_often_after_the_regression(api: Caller, world: World) -> None:
    worse = world.regression
    assert worse is not None
    assert worse == Regression(
        started_at=datetime(2026, 4, 6, tzinfo=UTC),
        failing_project=API,
        failing_workflow=BUILD,
        failing_job="integration-tests",
        failure_rate_before=0.08,
        failure_rate_after=0.3,
        slower_project=WEB,
        slower_workflow=DEPLOY,
        slower_job="build-image",
        slowdown=1.6,
    )
    start = "&start-date=2026-02-06T00:00:00Z"
    before = await runs_of(api, API, BUILD, f"{start}&end-date=2026-04-06T00:00:00Z")
    after = await runs_of(api, API, BUILD, "&start-date=2026-04-06T00:00:00Z")
    elsewhere = await runs_of(api, WEB, BUILD, "&start-date=2026-04-06T00:00:00Z")

    assert failure_rate(before) == pytest.approx(worse.failure_rate_before, abs=0.03)
    assert failure_rate(after) == pytest.approx(worse.failure_rate_after, abs=0.04)
    assert failure_rate(elsewhere) == pytest.approx(worse.failure_rate_before, abs=0.04)
    failed = [
        job.name
        for job in world.jobs.values()
        if job.status == "failed" and job.created_at > worse.started_at and job.project.slug == API
    ]
    assert Counter(failed).most_common(1)[0][0] == worse.failing_job


async def test_a_job_takes_longer_after_the_regression(api: Caller, world: World) -> None:
    worse = world.regression
    assert worse is not None
    series = [
        bucket
        for page in await api.walk(
            f"/insights/time-series/{WEB}/workflows/{DEPLOY}/jobs?start-date=2026-02-06T00:00:00Z"
        )
        for bucket in page
    ]

    def ratio(job: str) -> float:
        durations = defaultdict[bool, list[int]](list)
        for bucket in series:
            if bucket["name"] == job:
                is_after = datetime.fromisoformat(bucket["timestamp"]) >= worse.started_at
                durations[is_after].append(bucket["metrics"]["duration_metrics"]["median"])
        return median(durations[True]) / median(durations[False])

    assert ratio(worse.slower_job) == pytest.approx(worse.slowdown, abs=0.12)
    assert ratio("smoke-tests") == pytest.approx(1, abs=0.12)


async def test_without_a_regression_nothing_becomes_worse(http: aiohttp.ClientSession) -> None:
    world = history(regression=False)
    async with FakeCircleCI(world, page_size=250) as fake:
        after = await runs_of(Caller(fake, http), API, BUILD, "&start-date=2026-04-06T00:00:00Z")

    assert world.regression is None
    assert failure_rate(after) == pytest.approx(0.08, abs=0.03)


async def test_some_tests_are_flaky(api: Caller) -> None:
    found = await api.get(f"/insights/{API}/flaky-tests")
    metrics = await api.get(f"/insights/{API}/workflows/{NIGHTLY}/test-metrics")

    tests = found["flaky_tests"]
    assert {test["test_name"] for test in tests} <= FLAKY
    assert len(tests) == found["total_flaky_tests"] >= 4
    assert max(test["times_flaked"] for test in tests) >= 3
    assert {test["job_name"] for test in tests} == {"unit-tests", "integration-tests", "e2e"}
    most_wasted = max(tests, key=lambda test: test["time_wasted"])
    assert (most_wasted["test_name"], most_wasted["time_wasted"] > 200) == ("test_checkout", True)
    assert [test["test_name"] for test in metrics["slowest_tests"] if test["flaky"]] == ["test_checkout"]
    assert metrics["slowest_tests"][0]["p95_duration"] > 30


async def test_the_job_that_uses_the_most_credits_runs_seldom(api: Caller) -> None:
    jobs: dict[str, Any] = {}
    for workflow in (BUILD, DEPLOY, NIGHTLY):
        path = f"/insights/{API}/workflows/{workflow}/jobs?all-branches=true"
        jobs |= {job["name"]: job["metrics"] for job in (await api.get(path))["items"]}

    assert max(jobs, key=lambda name: jobs[name]["total_credits_used"]) == "e2e"
    assert jobs["e2e"]["total_runs"] < jobs["unit-tests"]["total_runs"] / 2


def test_jobs_of_one_resource_class_wait_at_nine_on_weekdays(usage: list[dict[str, Any]]) -> None:
    waits = defaultdict[tuple[bool, bool], list[float]](list)
    for row in usage:
        queued = row["JOB_RUN_QUEUED_AT"]
        at_nine = queued.hour == 9 and queued.weekday() < 5
        waits[row["RESOURCE_CLASS"] == "large", at_nine].append((row["JOB_RUN_STARTED_AT"] - queued).total_seconds())

    assert len(waits[True, True]) > 20
    assert 200 < median(waits.pop((True, True))) < 450
    assert {max(seconds) <= 7 for seconds in waits.values()} == {True}


def test_some_jobs_use_little_of_their_resource_class_and_some_nearly_all(usage: list[dict[str, Any]]) -> None:
    def largest(column: str) -> dict[str, float]:
        names = {row["JOB_NAME"] for row in usage}
        return {name: max(row[column] for row in usage if row["JOB_NAME"] == name) for name in names}

    cpu, ram = largest("MAX_CPU_UTILIZATION_PCT"), largest("MAX_RAM_UTILIZATION_PCT")
    assert {name for name in cpu if max(cpu[name], ram[name]) < 50} == {"integration-tests", "load-test"}
    assert {name for name in cpu if min(cpu[name], ram[name]) > 95} == {"e2e", "build-image"}
    assert all(row["MEDIAN_CPU_UTILIZATION_PCT"] < row["MAX_CPU_UTILIZATION_PCT"] <= 100 for row in usage)
    assert all(row["MEDIAN_RAM_UTILIZATION_PCT"] < row["MAX_RAM_UTILIZATION_PCT"] <= 100 for row in usage)


def test_credits_of_usage_and_insights_agree(world: World, usage: list[dict[str, Any]]) -> None:
    assert sum(row["TOTAL_CREDITS"] for row in usage) == sum(run.credits for run in world.workflows.values())


@pytest.mark.parametrize("project", [API, WEB])
async def test_all_insights_answer_as_described(api: Caller, project: str) -> None:
    """The responses are validated against the description of the API in all tests."""
    for workflow in (BUILD, DEPLOY, NIGHTLY):
        base = f"/insights/{project}/workflows/{workflow}"
        for path in ("", "/jobs", "/summary", "/test-metrics"):
            assert await api.get(f"{base}{path}")
    for path in (f"{project}/workflows", f"{project}/branches", "gh/acme/summary", f"pages/{project}/summary"):
        assert await api.get(f"/insights/{path}")


async def test_insights_have_no_runs_of_more_than_90_days_ago(http: aiohttp.ClientSession) -> None:
    world = history(days=200, runs=900)
    async with FakeCircleCI(world, page_size=250) as fake:
        caller = Caller(fake, http)
        old = await runs_of(caller, API, BUILD, "&start-date=2025-12-01T00:00:00Z")
        kept = await runs_of(caller, API, BUILD, "&start-date=2026-01-20T00:00:00Z")

    assert min(pipeline.created_at for pipeline in world.pipelines.all) < datetime(2025, 10, 25, tzinfo=UTC)
    assert {run["created_at"] >= "2026-02-05T18:30" for run in old + kept} == {True}
    assert len(kept) > len(old) > 0


def test_a_server_generates_a_history_from_a_seed() -> None:
    default, seeded = (
        new_server(seed=seed, history=True, port=0, rate_limit=None, latency=0, run_time=1).world for seed in (None, 3)
    )

    assert default.regression is not None
    assert len(default.projects) == 4
    assert default.projects[API].id == World.history(runs=0).projects[API].id
    assert seeded.projects[API].id == World.history(seed=3, runs=0).projects[API].id
