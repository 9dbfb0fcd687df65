"""`insights.report`: what it reads, what it leaves out, and what it requests."""

import asyncio
import sys
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.models import InsightsRun, InsightsWorkflow
from circleci_async.reports.metrics import percentile
from circleci_async.reports.report import TABLES
from circleci_async.testing import Fault, JobTest, World
from tests.leftovers import check_nothing_is_left
from tests.raw_server import answer, raw_server

from .worlds import DAY, QUICK, now, paths, queries, repeated, run, serving

API = "/insights/gh/acme/api"


def acme(*names: str) -> World:
    """Return a world with some runs of each project."""
    world = World()
    for name in names:
        project = world.project(f"gh/acme/{name}")
        run(project, 80, 100)
        run(project, 40, 200, status="failed")
        run(project, 2, 300, branch="fix", name="deploy", job="push")
    return world


def kinds(report: ca.InsightsReport) -> list[tuple[str, str, str | None, type]]:
    return [(each.project, each.kind, each.workflow, type(each.error)) for each in report.failures]


async def test_the_tables_of_a_project() -> None:
    start = now()
    world = World(clock=lambda: start)
    project = world.project("gh/acme/api")
    flaky = JobTest("test_login", "failure", 2.0, "tests.Login", "tests/test_login.py")
    passed = JobTest("test_login", "success", 1.0, "tests.Login", "tests/test_login.py")
    first = run(project, 20, 100, status="failed", tests=(flaky,), revision="a" * 40)
    second = run(project, 10, 300, tests=(passed,), revision="a" * 40)
    run(project, 5, 50, branch="fix", name="deploy", job="push")
    async with serving(world) as (_, circle):
        report = await circle.insights.report("gh/acme/api")

    assert (report.projects, report.branch, report.failures) == (("gh/acme/api",), None, ())
    assert report.end - report.start == 90 * DAY
    assert list(report.runs) == [
        InsightsRun(
            project="gh/acme/api",
            workflow="build",
            id=job.workflow.id,
            branch="main",
            is_default_branch=True,
            status=status,
            duration=duration,
            credits_used=job.workflow.credits,
            created_at=milliseconds(job.workflow.created_at),
            stopped_at=milliseconds(job.stopped_at or start),
            is_approval=False,
        )
        for job, status, duration in ((first, "failed", 100), (second, "success", 300))
    ] + [report.runs[2]]
    assert (report.runs[2].branch, report.runs[2].is_default_branch) == ("fix", False)
    build, deploy = report.workflows
    recovery: Any = pytest.approx((10 * DAY).total_seconds() + 200, abs=0.01)  # CircleCI rounds to milliseconds
    assert build == InsightsWorkflow(
        project="gh/acme/api",
        workflow="build",
        total_runs=2,
        successful_runs=1,
        failed_runs=1,
        failure_rate=0.5,
        median_duration=200.0,
        p95_duration=290.0,
        mean_time_to_recovery=recovery,
        credits_used=first.workflow.credits + second.workflow.credits,
    )
    assert (deploy.workflow, deploy.total_runs) == ("deploy", 1)
    assert [(each.workflow, each.job, each.total_runs, each.failed_runs) for each in report.jobs] == [
        ("build", "test", 2, 1),
        ("deploy", "push", 1, 0),
    ]
    assert [(each.workflow, each.job, each.test_name, each.times_flaked) for each in report.flaky_tests] == [
        ("build", "test", "test_login", 1)
    ]
    assert [
        (each.workflow, each.test_name, each.total_runs, each.failed_runs, each.is_flaky) for each in report.tests
    ] == [("build", "test_login", 2, 1, True)]
    assert (len(report.usage), report.has_usage) == (0, False)


def milliseconds(at: datetime) -> datetime:
    """Return the time as the API reports it."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


async def test_an_organization_stands_for_its_projects() -> None:
    async with serving(acme("api", "web")) as (_, circle):
        report = await circle.insights.report("gh/acme")
    assert sorted(report.projects) == ["gh/acme/api", "gh/acme/web"]
    assert {each.project for each in report.runs} == {"gh/acme/api", "gh/acme/web"}


async def test_projects_can_arrive_asynchronously() -> None:
    async def each() -> AsyncIterator[str]:
        yield "gh/acme/web"
        yield "gh/acme/api"

    async with serving(acme("api", "web")) as (_, circle):
        report = await circle.insights.report(each())
    assert report.projects == ("gh/acme/web", "gh/acme/api")
    assert len(report.runs) == 6


async def test_each_page_is_requested_once() -> None:
    world = World()
    for name in ("api", "web"):
        project = world.project(f"gh/acme/{name}")
        for number in range(45):
            run(project, 80 - number, name=f"w{number % 2}")
    async with serving(world, page_size=10) as (fake, circle):
        report = await circle.insights.report("gh/acme")
    assert repeated(fake) == []
    listed = 2  # of the organization: its pipelines, and its projects
    assert report.requests == len([each for each in fake.requests if each.origin == "api"])
    of_a_project = 4 + 2 * (3 + 1 + 1)  # project, workflows, flaky tests; each workflow's runs, jobs, tests
    assert report.requests == len(fake.requests) <= listed + 8 + 2 * of_a_project
    assert len({each.id for each in report.runs}) == len(report.runs) == 90


async def test_runs_that_start_meanwhile_appear_once() -> None:
    world = World()
    project = world.project("gh/acme/api")
    for number in range(30):
        run(project, 30 - number)
    runs: dict[str, Any] = {"id": "0", "created_at": "2026-11-01T00:00:00Z", "credits_used": 1}
    pages: list[dict[str, Any]] = [
        {"items": [{**runs, "id": str(n)} for n in (3, 2, 1)], "next_page_token": "2"},
        {"items": [{**runs, "id": str(n)} for n in (1, 0)], "next_page_token": None},
    ]
    async with serving(world) as (fake, circle):
        for page in pages:
            fake.fail(f"*{API}/workflows/build", body=page)
        report = await circle.insights.report("gh/acme/api")
    assert sorted(each.id for each in report.runs) == ["0", "1", "2", "3"]


async def test_a_missing_project_is_one_failure_and_one_request() -> None:
    async with serving(acme("api")) as (fake, circle):
        report = await circle.insights.report(["gh/acme/gone", "gh/acme/api"])
    assert kinds(report) == [("gh/acme/gone", "project", None, ca.NotFound)]
    assert [path for path in paths(fake) if "gone" in path] == ["/project/gh/acme/gone"]
    assert len(report.runs) == 3


async def test_a_project_without_insights_is_one_failure() -> None:
    async with serving(acme("api", "new")) as (fake, circle):
        fake.fail("*/insights/gh/acme/new/*", status=404, times=None)
        report = await circle.insights.report(["gh/acme/new", "gh/acme/api"])
    assert kinds(report) == [("gh/acme/new", "workflows", None, ca.NotFound)]
    assert [path for path in paths(fake) if "new" in path] == [
        "/insights/gh/acme/new/workflows",
        "/project/gh/acme/new",
    ]


@pytest.mark.parametrize(
    ("path", "kind", "workflow", "empty"),
    [
        (f"*{API}/workflows/build", "runs", "build", {}),
        (f"*{API}/workflows/build/jobs", "jobs", "build", {}),
        (f"*{API}/workflows/build/test-metrics", "tests", "build", {}),
        (f"*{API}/flaky-tests", "flaky_tests", None, {"flaky_tests"}),
        (f"*{API}/workflows", "workflows", None, {"runs", "jobs", "tests", "workflows"}),
        ("*/project/gh/acme/api", "project", None, {}),
    ],
)
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 500}, ca.ServerError),
        ({"status": 403}, ca.PermissionDenied),
        ({"body": "[]"}, ca.DecodeError),
    ],
)
async def test_another_failure_is_an_entry_and_the_rest_stays(
    path: str, kind: str, workflow: str | None, empty: set[str], fault: dict[str, Any], error: type
) -> None:
    world = World()
    passed, failed = JobTest("test_a"), JobTest("test_a", "failure")
    run(world.project("gh/acme/api"), 9, tests=(passed, failed))
    run(world.projects["gh/acme/api"], 8, name="deploy", tests=(passed,))
    async with serving(world) as (fake, circle):
        fake.fail(path, times=None, **fault)
        report = await circle.insights.report("gh/acme/api")
    assert kinds(report) == [("gh/acme/api", kind, workflow, error)]
    tables = {name for name, rows in report.rows().items() if not rows}
    assert tables == {"usage", *empty}
    if kind == "project":
        assert [each.is_default_branch for each in report.runs] == [None, None]


async def test_a_faulty_run_does_not_lose_the_others() -> None:
    sound = {"id": "1", "created_at": "2026-11-01T00:00:00Z", "credits_used": 1}
    async with serving(acme("api")) as (fake, circle):
        fake.fail(f"*{API}/workflows/build", body={"items": [sound, {"id": None}], "next_page_token": "2"})
        fake.fail(f"*{API}/workflows/build", body={"items": [{**sound, "id": "2"}], "next_page_token": None})
        report = await circle.insights.report("gh/acme/api")
    assert [each.id for each in report.runs if each.workflow == "build"] == ["1", "2"]
    assert kinds(report) == [("gh/acme/api", "runs", "build", ca.DecodeError)]


async def test_a_failed_list_of_an_organization_is_a_failure() -> None:
    async with serving(acme("api")) as (_, circle):
        report = await circle.insights.report(["gh/nowhere", "gh/acme/api"])
    assert kinds(report) == [("gh/nowhere", "projects", None, ca.NotFound)]
    assert report.projects == ("gh/acme/api",)


async def test_the_error_of_an_organization_without_projects_is_raised() -> None:
    async with serving(acme("api")) as (_, circle):
        with pytest.raises(ca.NotFound):
            await circle.insights.report("gh/nowhere")


@pytest.mark.parametrize("after", [0, 3])
async def test_a_refused_token_is_raised(after: int) -> None:
    async with serving(acme("api", "web")) as (fake, circle):
        fake.fail("*", status=401, times=None, after=after)
        with pytest.raises(ca.AuthenticationError):
            await circle.insights.report(["gh/acme/api", "gh/acme/web"])
        await check_nothing_is_left(circle)


async def test_a_closed_client_is_raised() -> None:
    async with serving(acme("api")) as (_, circle):
        pass
    with pytest.raises(ca.ConfigurationError):
        await circle.insights.report("gh/acme/api")


@pytest.mark.parametrize("requests", [1, 2, 4, 7])
async def test_a_cancelled_report_leaves_nothing(requests: int) -> None:
    arrived = asyncio.Event()

    async def hold(_: object) -> Fault | None:
        if len(fake.requests) >= requests:
            arrived.set()
            return Fault(delay=60)
        return None

    async with serving(acme("api", "web"), on_request=hold) as (fake, circle):
        task = asyncio.create_task(circle.insights.report(["gh/acme/api", "gh/acme/web"]))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await check_nothing_is_left(circle)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": "soon"}, "window must be a length such as"),
        ({"window": ("7d", "30d")}, "window must end after its start"),
        ({"branch": ""}, "branch must be the name of a branch, or left out for all branches, got ''"),
        ({"branch": 3}, "branch must be the name of a branch, or left out for all branches, got 3"),
        ({"concurrency": 0}, "concurrency must be a positive integer, got 0"),
        ({"on_progress": 3}, "on_progress must be a function, got 3"),
        ({"on_progress": asyncio.sleep}, "on_progress must be a plain function, got an async one"),
        ({"usage": 3}, "usage must be True, a completed UsageExport, the path"),
        ({"usage": {"JOB_ID": 1}}, "usage must be True, a completed UsageExport, the path"),
        ({"usage": ["row"]}, "usage[0] must be a mapping of columns to values, got 'row'"),
        ({"usage": "missing.csv"}, "usage must be the CSV file of a usage export, got 'missing.csv': No such file"),
        ({"projects": "acme"}, "project slug 'acme' is invalid"),
        ({"projects": ["gh/acme/api", None]}, "project slug None is invalid"),
        ({"projects": []}, "projects must contain at least one project"),
        ({"projects": 3}, "projects must be projects such as 'gh/acme/api'"),
    ],
)
async def test_an_invalid_argument_is_refused_before_any_request(arguments: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"projects": "gh/acme/api", **arguments}
    async with serving(acme("api")) as (fake, circle):
        with pytest.raises(ca.InvalidArgument) as caught:
            await circle.insights.report(**given)
    assert str(caught.value).startswith(message)
    assert fake.requests == []


async def test_a_long_window_is_split() -> None:
    world = World()
    project = world.project("gh/acme/api")
    for days in (1, 29, 31, 89, 91, 119, 121):
        run(project, days)
    async with serving(world) as (fake, circle):
        report = await circle.insights.report("gh/acme/api", "120d")
    pieces = sorted((each["start-date"], each["end-date"]) for each in queries(fake, "/workflows/build"))
    assert len(pieces) == 2
    assert pieces[0][1] == pieces[1][0]
    assert sorted(round((report.end - each.created_at) / DAY) for each in report.runs) == [1, 29, 31, 89, 91, 119]
    assert (
        f"CircleCI keeps insights for 90 days: runs before {report.end - 90 * DAY:%Y-%m-%d} are missing" in report.notes
    )
    assert "CircleCI keeps insights for 90 days: the window before is not known" in report.notes
    assert list(report.previous) == []


async def test_a_branch_selects_its_runs() -> None:
    async with serving(acme("api")) as (fake, circle):
        report = await circle.insights.report("gh/acme/api", branch="fix")
    assert [(each.workflow, each.branch) for each in report.runs] == [("deploy", "fix")]
    insights = [each for each in fake.requests if "/insights/" in each.path and not each.path.endswith("flaky-tests")]
    assert {each.query.get("branch") or each.query.get("branches") for each in insights} == {"fix"}
    assert {each.query.get("all-branches") for each in insights} == {None}
    assert "flaky tests are counted by CircleCI until now, on all branches" in report.notes


async def test_all_branches_are_requested_by_default() -> None:
    async with serving(acme("api")) as (fake, circle):
        await circle.insights.report("gh/acme/api")
    lists = [each for each in fake.requests if f"{API}/workflows" in each.path]
    assert len(lists) == 1 + 2 * 3
    assert {each.query.get("all-branches") for each in lists} == {"true"}


@pytest.mark.parametrize(
    ("window", "listed", "jobs"),
    [
        ("12h", "last-24-hours", "last-24-hours"),
        ("3d", "last-7-days", "last-7-days"),
        ("20d", "last-60-days", "last-30-days"),
        (("50d", "40d"), "last-60-days", "last-60-days"),
        ("60d", "last-60-days", "last-60-days"),
        ("90d", "last-90-days", "last-90-days"),
        ("300d", "last-90-days", "last-90-days"),
    ],
)
async def test_metrics_cover_the_shortest_window_of_the_api(window: Any, listed: str, jobs: str) -> None:
    world = World()
    run(world.project("gh/acme/api"), 0.1)
    async with serving(world) as (fake, circle):
        await circle.insights.report("gh/acme/api", window)
    assert [each["reporting-window"] for each in queries(fake, f"{API}/workflows")] == [listed]
    assert {each["reporting-window"] for each in queries(fake, "/jobs")} <= {jobs}


async def test_the_window_before_is_read_from_runs_that_are_kept() -> None:
    world = World()
    project = world.project("gh/acme/api")
    before = [run(project, 60 - n, 100 + n, status="failed" if n % 3 else "success") for n in (1, 5, 9, 20)]
    run(project, 50, 7, name="old")
    run(project, 10, 500)
    run(project, 61, 1)
    async with serving(world) as (fake, circle):
        report = await circle.insights.report("gh/acme/api", "30d")
    assert repeated(fake) == []
    assert len(report.runs) == 1
    build, old = report.previous
    assert (build.workflow, build.total_runs, build.failed_runs, build.failure_rate) == ("build", 4, 3, 0.75)
    assert build.p95_duration == percentile([job.duration or 0 for job in before], 0.95)
    assert build.credits_used == sum(job.workflow.credits for job in before)
    assert (old.workflow, old.total_runs) == ("old", 1)
    assert [each.workflow for each in report.workflows] == ["build"]
    assert not any("window before" in note for note in report.notes)


async def test_an_earlier_window_has_the_window_before() -> None:
    world = World()
    project = world.project("gh/acme/api")
    for days in (35, 45, 46, 70):
        run(project, days)
    async with serving(world) as (_, circle):
        report = await circle.insights.report("gh/acme/api", ("40d", "30d"))
    assert [each.total_runs for each in report.workflows] == [1]
    assert [each.total_runs for each in report.previous] == [2]


@pytest.mark.parametrize("length", [60, 90])
async def test_a_window_before_that_is_not_kept_is_not_known(length: int) -> None:
    world = World()
    for days in (1, 5, length + 1, length + 5):
        run(world.project("gh/acme/api") if days == 1 else world.projects["gh/acme/api"], days)
    async with serving(world) as (fake, circle):
        report = await circle.insights.report("gh/acme/api", f"{length}d")
    assert (len(report.runs), list(report.previous), report.answers[-1].rows) == (2, [], ())
    assert report.notes[-1] == "CircleCI keeps insights for 90 days: the window before is not known"
    assert queries(fake, "/summary") == []


async def test_the_notes_name_the_limits_that_apply() -> None:
    async with serving(acme("api")) as (_, circle):
        whole = await circle.insights.report("gh/acme/api", "30d")
        earlier = await circle.insights.report("gh/acme/api", ("25d", "24d"), branch="main")
    tests = "test metrics cover the ten latest runs of each workflow"
    flaky = "flaky tests are counted by CircleCI until now, on all branches"
    assert whole.notes == ("CircleCI updates insights once a day: runs of the last day can be missing", tests, flaky)
    assert earlier.notes == (
        "job metrics cover the last 30 days, because CircleCI has them for fixed windows only",
        tests,
        flaky,
    )


async def test_requests_counts_those_of_the_report_only() -> None:
    counted: list[ca.Attempt] = []
    async with serving(acme("api")) as (fake, circle):
        watched = circle.with_options(on_attempt=counted.append)
        fake.fail(f"*{API}/flaky-tests", status=500)
        report, _, other = await asyncio.gather(
            watched.insights.report("gh/acme/api"), circle.users.me(), circle.insights.report("gh/acme/api", "7d")
        )
    assert report.requests + 1 + other.requests == len(fake.requests) == circle.stats.requests
    assert report.requests == len(counted)
    assert queries(fake, "flaky-tests") == [{}, {}, {}]  # one retry


async def test_progress_is_reported() -> None:
    progress: list[ca.InsightsProgress] = []
    async with serving(acme("api", "web")) as (_, circle):
        report = await circle.insights.report(
            ["gh/acme/api", "gh/acme/web", "gh/acme/gone"], on_progress=progress.append
        )
    assert progress[0] == ca.InsightsProgress(projects_total=3)
    assert progress[-1] == ca.InsightsProgress(projects_done=3, projects_total=3, runs=6, requests=report.requests)
    assert all(before.requests <= after.requests and before.runs <= after.runs for before, after in pairwise(progress))


async def test_a_faulty_progress_function_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: object) -> None:
        raise ValueError("of the caller")

    async with serving(acme("api")) as (_, circle):
        report = await circle.insights.report("gh/acme/api", on_progress=fail)
    assert (len(report.runs), report.failures) == (3, ())
    assert {each.getMessage() for each in caplog.records if each.levelname == "ERROR"} == {"on_progress failed"}


async def test_concurrency_bounds_the_requests_in_flight() -> None:
    most = in_flight = 0

    async def count(_: object) -> None:
        nonlocal most, in_flight
        in_flight += 1
        most = max(most, in_flight)
        await asyncio.sleep(0.002)
        in_flight -= 1

    names = ("a", "b", "c", "d")
    async with serving(acme(*names), on_request=count) as (_, circle):
        await circle.insights.report([f"gh/acme/{name}" for name in names], concurrency=3)
        assert most == 3
        await circle.insights.report([f"gh/acme/{name}" for name in names])
        assert 3 < most <= 16


async def test_times_are_in_utc_and_hostile_text_is_data() -> None:
    name = "b\u202euild\x1b[31m" + "x" * 5_000
    item = {
        "id": "1",
        "branch": "<script>\x07",
        "created_at": "2026-11-01T02:00:00+02:00",
        "stopped_at": "2026-11-01T02:01:00+02:00",
        "credits_used": 1,
        "status": "new-status",
    }
    async with serving(acme("api")) as (fake, circle):
        fake.fail(f"*{API}/workflows", body={"items": [metrics(name)], "next_page_token": None})
        fake.fail(f"*{API}/workflows/b*x", body={"items": [item], "next_page_token": None})
        report = await circle.insights.report("gh/acme/api")
    (row,) = report.rows()["runs"]
    assert (row["workflow"], row["branch"], row["status"]) == (name, "<script>\x07", "new-status")
    assert row["created_at"] == datetime(2026, 11, 1, tzinfo=UTC)
    assert (row["created_at"].tzinfo, row["stopped_at"].tzinfo) == (UTC, UTC)
    assert report.frames()["runs"].rows(named=True) == [row]


def metrics(name: str) -> dict[str, Any]:
    values = dict.fromkeys(("total_runs", "successful_runs", "failed_runs", "success_rate", "throughput"), 1)
    window = {"window_start": "2026-11-01T00:00:00Z", "window_end": "2026-11-02T00:00:00Z"}
    return {"name": name, "metrics": {**values, "duration_metrics": {}}, **window}


async def test_rows_and_frames_have_a_table_for_each_name() -> None:
    import polars as pl

    async with serving(acme("api")) as (_, circle):
        report = await circle.insights.report("gh/acme/api")
    rows, frames = report.rows(), report.frames()
    assert tuple(rows) == tuple(frames) == TABLES
    assert {name: frame.height for name, frame in frames.items()} == {name: len(each) for name, each in rows.items()}
    assert dict(frames["runs"].schema) == {
        "project": pl.String(),
        "workflow": pl.String(),
        "id": pl.String(),
        "branch": pl.String(),
        "is_default_branch": pl.Boolean(),
        "status": pl.String(),
        "duration": pl.Int64(),
        "credits_used": pl.Int64(),
        "created_at": pl.Datetime("us", "UTC"),
        "stopped_at": pl.Datetime("us", "UTC"),
        "is_approval": pl.Boolean(),
    }


async def test_twenty_projects_take_little_memory() -> None:
    """Check the memory of 5,000 runs, on 250 runs a project as one page."""
    at = datetime(2026, 11, 1, tzinfo=UTC)
    runs = [
        {
            "id": f"run-{number}",
            "branch": "main",
            "created_at": f"{at - timedelta(minutes=number):%Y-%m-%dT%H:%M:%SZ}",
            "credits_used": 1,
        }
        for number in range(250)
    ]
    names = [f"p{number}" for number in range(20)]
    world = World()
    for name in names:
        run(world.project(f"gh/acme/{name}"), 1)
    async with serving(world) as (fake, circle):
        fake.fail("*/workflows/build", body={"items": runs, "next_page_token": None}, times=None)
        tracemalloc.start()
        try:
            report = await circle.insights.report([f"gh/acme/{name}" for name in names])
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert len(report.runs) == 5_000
    assert peak < 40 * 2**20


async def test_nothing_is_imported_for_a_report_without_frames(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, circleci_async\n"
        "circle = circleci_async.CircleCI('t')\n"
        "circle.insights\n"
        "assert 'circleci_async.reports.fetch' not in sys.modules\n"
        "import circleci_async.reports.fetch\n"
        "assert not {'polars', 'altair'} & set(sys.modules)\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, str(program))
    assert await process.wait() == 0


async def test_a_server_that_answers_nonsense_is_a_failure() -> None:
    async with (
        raw_server(answer(200, "[]")) as server,
        ca.CircleCI("t", host=server.url, artifact_hosts=(), retry=QUICK) as circle,
    ):
        report = await circle.insights.report("gh/acme/api")
    assert [each.kind for each in report.failures] == ["project", "workflows", "flaky_tests"]


async def test_numbers_of_more_than_64_bits_are_bounded() -> None:
    at = (now() - DAY).isoformat()
    item = {"id": "1", "created_at": at, "stopped_at": at, "duration": 10**400, "credits_used": -(10**400)}
    flaky = {"test_name": "t", "job_name": "j", "job_number": 1, "workflow_name": "build", "workflow_id": "1"}
    flaky |= {"workflow_created_at": at, "pipeline_number": 1, "times_flaked": 10**30, "time_wasted": 10**30}
    async with serving(acme("api")) as (fake, circle):
        fake.fail("*/workflows/build", status=200, body={"items": [item], "next_page_token": None}, times=None)
        fake.fail("*/flaky-tests", status=200, body={"flaky_tests": [flaky], "total_flaky_tests": 1}, times=None)
        report = await circle.insights.report("gh/acme/api")

    (found,) = (run for run in report.runs if run.workflow == "build")
    assert (found.duration, found.credits_used) == (2**63 - 1, 1 - 2**63)
    assert [test.times_flaked for test in report.flaky_tests] == [2**63 - 1]
    assert "<svg" in report.html()
