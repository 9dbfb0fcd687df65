"""What `insights.collect` requests and stores."""

import asyncio
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.testing import FakeCircleCI
from tests.leftovers import check_nothing_is_left
from tests.reports.history.worlds import DAY, QUICK, TABLES, Nights, collect, files, is_empty, rows, run

API = "gh/acme/api"


def paths(fake: FakeCircleCI) -> Counter[str]:
    """Count the requested lists of insights: `runs`, `jobs`, and so on."""
    kinds: Counter[str] = Counter()
    for request in fake.requests:
        path = request.path.removeprefix("/api/v2/")
        if path.startswith("insights/time-series/"):
            kinds["jobs"] += 1
        elif path.endswith(("/workflows", "/flaky-tests", "/test-metrics")):
            kinds[path.rpartition("/")[2]] += 1
        elif "/workflows/" in path:
            kinds["runs"] += 1
        elif path.startswith("project/"):
            kinds["project"] += 1
        else:
            kinds[path] += 1
    return kinds


async def test_a_history_contains_all_runs_jobs_tests_and_flaky_tests(nights: Nights, into: Path) -> None:
    nights.pass_days(3)
    project = nights.projects[0]
    run(project, nights.now - DAY / 5, branch="a/b 'c' é\n")

    collection = await collect(nights, into, API)

    stored = rows(into)
    known = {workflow.id: workflow for pipeline in project.pipelines.all for workflow in pipeline.workflows}
    assert {each.id for each in stored["runs"]} == set(known)
    for each in stored["runs"]:
        workflow = known[each.id]
        assert (each.project, each.workflow, each.branch) == (API, workflow.name, workflow.pipeline.branch)
        assert (each.created_at, each.stopped_at) == (workflow.created_at, workflow.stopped_at)
        assert each.is_default_branch == (each.branch == "main")
    days = {(each.workflow, each.branch, each.job, each.day): each.total_runs for each in stored["jobs"]}
    jobs = [(workflow, job) for workflow in known.values() for job in workflow.jobs]
    assert days == Counter((w.name, w.pipeline.branch, job.name, job.created_at.date()) for w, job in jobs)
    assert sum(each.total_duration for each in stored["jobs"]) == sum(job.duration or 0 for _, job in jobs)
    assert sum(each.credits_used for each in stored["jobs"]) == sum(each.credits_used for each in stored["runs"])
    assert len({each.id for each in stored["jobs"]}) == len(days)
    assert {(each.workflow, each.test_name) for each in stored["tests"]} == {
        ("build", "test_flaky"),
        ("build", "test_slow"),
        ("nightly", "test_flaky"),
        ("nightly", "test_slow"),
    }
    assert [(each.workflow, each.test_name, each.times_flaked) for each in stored["flaky_tests"]] == [
        ("build", "test_flaky", 3)
    ]
    counts = {name: ca.InsightsChanges(added=len(some)) for name, some in stored.items()}
    assert {name: getattr(collection, name) for name in counts} == counts
    assert (collection.projects, collection.failures, collection.location) == ((API,), (), str(into))
    assert collection.is_complete


async def test_nothing_new_requests_only_the_lists_and_writes_nothing(nights: Nights, into: Path) -> None:
    await collect(nights, into, API)
    before = {name: (into / name).stat().st_mtime_ns for name in files(into)}

    async with FakeCircleCI(nights.world) as fake, fake.client() as circle:
        collection = await circle.insights.collect(API, into)

        assert paths(fake) == {"project": 1, "workflows": 1, "runs": 2}
        assert collection.requests == len(fake.requests)
    assert all(is_empty(getattr(collection, table.name)) for table in TABLES)
    assert {name: (into / name).stat().st_mtime_ns for name in files(into)} == before


async def test_later_collections_ask_for_what_is_new(nights: Nights, into: Path) -> None:
    await collect(nights, into, API)
    before = files(into)
    nights.pass_days(1)

    async with FakeCircleCI(nights.world) as fake, fake.client() as circle:
        collection = await circle.insights.collect(API, into, recheck=timedelta(hours=1))

        requests = [(each.path, each.query["start-date"]) for each in fake.requests if "end-date" in each.query]
    newest, new = nights.first - DAY, nights.now - DAY
    assert {start for path, start in requests if "time-series" not in path} == {f"{newest - DAY / 24:%FT%XZ}"}
    assert {start for path, start in requests if "time-series" in path} == {f"{new - DAY:%F}T00:00:00Z"}
    assert collection.runs == ca.InsightsChanges(added=3)
    changed = {name for name, content in files(into).items() if before.get(name) != content}
    months = {f"month={each:%Y-%m}" for each in (nights.now, nights.now - DAY)}
    assert changed
    assert all(any(month in name for month in months) for name in changed)


@pytest.mark.parametrize("count", [1, 3])
async def test_nights_equal_one_run_over_all(nights: Nights, tmp_path: Path, count: int) -> None:
    for night in range(count + 1):
        if night:
            nights.pass_days(1)
        await collect(nights, tmp_path / "nights", API)
    await collect(nights, tmp_path / "once", API)

    once = rows(tmp_path / "once")
    several = rows(tmp_path / "nights")
    month = max(each.created_at for each in once["runs"]).strftime("month=%Y-%m")
    for name in ("runs", "jobs", "flaky_tests"):
        assert several[name] == once[name]
    tests = f"tests/project=gh%2Facme%2Fapi/{month}/tests.parquet"
    assert files(tmp_path / "nights")[tests] == files(tmp_path / "once")[tests]  # one snapshot per month


async def test_a_run_without_an_end_is_replaced_whenever_it_ends(nights: Nights, into: Path) -> None:
    waiting, later = (run(nights.projects[0], nights.now - age * DAY, status="canceled") for age in (5, 0.5))
    items: list[dict[str, Any]] = [
        {
            "id": each.id,
            "branch": "main",
            "duration": 110,
            "created_at": each.created_at.isoformat(),
            "stopped_at": None if each is waiting else later.created_at.isoformat(),
            "credits_used": 0,
            "status": "canceled",
        }
        for each in (later, waiting)
    ]
    async with FakeCircleCI(nights.world) as fake, fake.client() as circle:
        fake.fail(f"/api/v2/insights/{API}/workflows/build", status=200, body={"items": items, "next_page_token": None})
        await circle.insights.collect(API, into)
        stored = {each.id: each.stopped_at for each in rows(into)["runs"] if each.workflow == "build"}
        assert stored == {waiting.id: None, later.id: later.created_at}

        await circle.insights.collect(API, into, recheck="1h")

    stored = {each.id: each.stopped_at for each in rows(into)["runs"]}
    assert (stored[waiting.id], stored[later.id]) == (waiting.stopped_at, later.stopped_at)


async def test_jobs_that_start_on_the_day_after_their_run_are_counted_once(nights: Nights, into: Path) -> None:
    midnight = nights.now.replace(hour=0)
    late = (
        nights.projects[0].pipeline(branch="main", created_at=midnight - DAY / 24).workflow("build", status="success")
    )
    late.job("long", duration=4_000)
    late.job("test", duration=100).created_at = midnight + DAY / 24
    await collect(nights, into, API)
    nights.now += DAY
    run(nights.projects[0], midnight + DAY / 6)

    await collect(nights, into, API)

    (day,) = (each for each in rows(into)["jobs"] if (each.job, each.day) == ("test", midnight.date()))
    assert day.total_runs == 2


@pytest.mark.parametrize("year", [1, 9999])
async def test_what_servers_send_survives(into: Path, year: int) -> None:
    slug = "circleci/8FmBWY9dyRzsB9UhR2pZvG/3cdvTTg2fxqTKTwvc1a2Ud"
    nights = Nights(slug)
    at = f"{year:04}-01-01T00:00:00Z"
    branch = "'; DROP TABLE runs; -- ../../é\u2028\ud800\x00%2F"
    item = {"id": "../1", "branch": branch, "duration": 10**30, "created_at": at, "stopped_at": at}
    item |= {"credits_used": 2**62, "status": "on fire"}
    flaky: dict[str, Any] = {"test_name": branch, "job_name": branch, "job_number": 1, "workflow_name": branch}
    flaky |= {"workflow_id": "1", "workflow_created_at": at, "pipeline_number": 1, "times_flaked": 10**30}
    async with FakeCircleCI(nights.world) as fake, fake.client() as circle:
        runs = f"/api/v2/insights/{slug}/workflows/build"
        fake.fail(runs, status=200, body={"items": [item], "next_page_token": None}, times=None)
        report = {"flaky_tests": [flaky], "total_flaky_tests": 1}
        fake.fail(f"/api/v2/insights/{slug}/flaky-tests", status=200, body=report, times=None)
        collection = await circle.insights.collect(slug, into)
        again = await circle.insights.collect(slug, into)

    assert (collection.failures, again.failures, again.runs.added) == ((), (), 0)
    stored = rows(into)
    (found,) = (each for each in stored["runs"] if each.workflow == "build")
    text = branch.replace("\ud800", "\\ud800")
    assert (found.project, found.id, found.branch, found.status) == (slug, "../1", text, "on fire")
    assert (found.duration, found.credits_used, found.created_at.year) == (2**63 - 1, 2**62, year)
    assert [(each.test_name, each.times_flaked) for each in stored["flaky_tests"]] == [(text, 2**63 - 1)]
    assert {path.relative_to(into).parts[1] for path in into.rglob("*.parquet")} == {
        f"project={slug.replace('/', '%2F')}"
    }


async def test_progress_counts_projects_runs_and_requests(into: Path) -> None:
    nights = Nights("gh/acme/api", "gh/acme/web")
    seen: list[ca.InsightsProgress] = []

    collection = await collect(nights, into, *("gh/acme/api", "gh/acme/web"), on_progress=seen.append)

    assert seen[0].projects_total == 2
    last = seen[-1]
    assert (last.projects_done, last.runs, last.requests) == (2, collection.runs.added, collection.requests)


async def test_projects_that_fail_are_failures_and_the_others_are_collected(into: Path) -> None:
    nights = Nights("gh/acme/api", "gh/acme/web", "gh/acme/docs")
    async with FakeCircleCI(nights.world) as fake, fake.client(retry=QUICK) as circle:
        fake.fail("/api/v2/project/gh/acme/web", status=500, times=None)
        collection = await circle.insights.collect(["gh/acme/api", "gh/acme/web", "gh/acme/gone", "gh/acme/docs"], into)

    assert {(each.project, each.kind, type(each.error)) for each in collection.failures} == {
        ("gh/acme/web", "project", ca.ServerError),
        ("gh/acme/gone", "project", ca.NotFound),
    }
    assert not collection.is_complete
    assert {each.project for each in rows(into)["runs"]} == {"gh/acme/api", "gh/acme/docs"}
    assert (await collect(nights, into, "gh/acme/web")).is_complete
    assert {each.project for each in rows(into)["runs"]} == {"gh/acme/api", "gh/acme/docs", "gh/acme/web"}


@pytest.mark.parametrize(
    ("path", "kind", "kept_out"),
    [
        (f"/api/v2/insights/{API}/workflows/build", "runs", {"build"}),
        (f"/api/v2/insights/time-series/{API}/workflows/build/jobs", "jobs", {"build"}),
        (f"/api/v2/insights/{API}/workflows/build/test-metrics", "tests", {"build"}),
        (f"/api/v2/insights/{API}/flaky-tests", "flaky_tests", {"build", "nightly"}),
        (f"/api/v2/insights/{API}/workflows", "workflows", {"build", "nightly"}),
    ],
)
async def test_runs_are_stored_after_all_that_belongs_to_them(
    nights: Nights, into: Path, tmp_path: Path, path: str, kind: str, kept_out: set[str]
) -> None:
    async with FakeCircleCI(nights.world) as fake, fake.client(retry=QUICK) as circle:
        fake.fail(path, status=500)
        collection = await circle.insights.collect(API, into)
        assert [(each.project, each.kind) for each in collection.failures] == [(API, kind)]
        assert {each.workflow for each in rows(into)["runs"]} == {"build", "nightly"} - kept_out

        assert (await circle.insights.collect(API, into)).is_complete
    await collect(nights, tmp_path / "once", API)
    assert files(into) == files(tmp_path / "once")


@pytest.mark.parametrize(("status", "error"), [(404, ca.NotFound), (403, ca.PermissionDenied)])
@pytest.mark.parametrize("kind", ["flaky-tests", "workflows/build/test-metrics"])
async def test_what_cannot_be_read_later_either_keeps_no_run_out(
    nights: Nights, into: Path, kind: str, status: int, error: type[ca.ApiError]
) -> None:
    async with FakeCircleCI(nights.world) as fake, fake.client(retry=QUICK) as circle:
        fake.fail(f"/api/v2/insights/{API}/{kind}", status=status)
        collection = await circle.insights.collect(API, into)

    assert [type(each.error) for each in collection.failures] == [error]
    assert {each.workflow for each in rows(into)["runs"]} == {"build", "nightly"}


async def test_collections_at_the_same_time_lose_nothing(into: Path, tmp_path: Path) -> None:
    nights = Nights("gh/acme/api", "gh/acme/web")
    async with FakeCircleCI(nights.world) as fake, fake.client() as circle:
        await asyncio.gather(*(circle.insights.collect(some, into) for some in ("gh/acme", API, "gh/acme/web")))

    await collect(nights, tmp_path / "once")
    assert files(into) == files(tmp_path / "once")


async def test_other_files_are_left_alone(nights: Nights, into: Path) -> None:
    others = (
        "runs/README",
        "runs/project=gh%2Facme%2Fapi/notes.parquet",
        "a.parquet",
        "runs/month=2026-11/runs.parquet",
    )
    for name in others:
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        (into / name).write_text("mine")

    await collect(nights, into, API)
    await collect(nights, into, API)

    assert {(into / name).read_text() for name in others} == {"mine"}
    assert len((await ca.report_from_history(into)).runs) == len(rows(into)["runs"])


async def test_a_damaged_file_is_named_and_not_replaced(nights: Nights, into: Path, tmp_path: Path) -> None:
    await collect(nights, into, API)
    damaged = next(into / name for name in files(into) if name.startswith("runs/"))
    damaged.write_bytes(damaged.read_bytes()[:-30])
    content = damaged.read_bytes()

    for read in (collect(nights, into, API), ca.report_from_history(into)):
        with pytest.raises(ca.LedgerError) as caught:
            await read
        assert str(damaged) in str(caught.value)
        assert "restore it from a backup, or delete it" in str(caught.value)
    assert damaged.read_bytes() == content

    for name in files(into):  # as the error says
        if name.startswith("runs/") and name >= damaged.relative_to(into).as_posix():
            (into / name).unlink()
    await collect(nights, into, API)
    await collect(nights, tmp_path / "once", API)
    assert rows(into) == rows(tmp_path / "once")


async def test_a_folder_that_cannot_be_written_is_an_error(nights: Nights, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ca.CircleCIError, match=r"into must be a folder that can be written: .*/file: this is a file"):
        await collect(nights, tmp_path / "file", API)


async def test_the_folder_is_checked_before_the_first_request(nights: Nights, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with FakeCircleCI(nights.world) as fake, fake.client() as circle:
        with pytest.raises(ca.LedgerError):
            await circle.insights.collect(API, tmp_path / "file" / "history")
    assert fake.requests == []


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("acme", "out"), {}, "project slug 'acme' is invalid"),
        ((API, "ftp://x"), {}, "into must be a folder"),
        ((API, 5), {}, "into must be a folder"),
        ((API, "out"), {"recheck": "soon"}, "recheck must be a length of time"),
        ((API, "out"), {"recheck": "2026-11-01"}, "recheck must be a length of time such as '3d', '2w' or '12h'"),
        ((API, "out"), {"concurrency": 0}, "concurrency must be a positive integer, got 0"),
    ],
)
async def test_invalid_arguments_are_named_before_any_request(
    nights: Nights, arguments: tuple[Any, Any], options: dict[str, Any], message: str
) -> None:
    async with FakeCircleCI(nights.world) as fake, fake.client() as circle:
        with pytest.raises(ca.InvalidArgument, match=message):
            await circle.insights.collect(*arguments, **options)
        assert fake.requests == []


@pytest.mark.parametrize(("library", "into", "extra"), [("polars", "out", "report"), ("obstore", "memory:x", "store")])
async def test_a_missing_extra_is_named_before_any_request(
    nights: Nights, monkeypatch: pytest.MonkeyPatch, library: str, into: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)  # as if it were not installed
    async with FakeCircleCI(nights.world) as fake, fake.client() as circle:
        with pytest.raises(ca.ConfigurationError, match=f"'circleci-async\\[{extra}\\]'"):
            await circle.insights.collect(API, into)
        with pytest.raises(ca.ConfigurationError, match=f"'circleci-async\\[{extra}\\]'"):
            await ca.report_from_history(into)
        assert fake.requests == []


async def test_a_cancelled_collection_leaves_nothing_and_is_repeated(
    nights: Nights, into: Path, tmp_path: Path
) -> None:
    async with FakeCircleCI(nights.world) as fake, fake.client() as circle:
        fake.fail(f"/api/v2/insights/time-series/{API}/workflows/nightly/jobs", delay=30)
        task = asyncio.create_task(circle.insights.collect(API, into))
        while not any("time-series" in each.path for each in fake.requests):
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await check_nothing_is_left(circle)

    await collect(nights, into, API)
    await collect(nights, tmp_path / "once", API)
    assert files(into) == files(tmp_path / "once")


async def test_a_refused_token_ends_the_collection(nights: Nights, into: Path) -> None:
    async with FakeCircleCI(nights.world) as fake, fake.client(retry=QUICK) as circle:
        fake.fail("*/workflows/nightly", status=401)
        with pytest.raises(ca.AuthenticationError):
            await circle.insights.collect(API, into)
    assert files(into) == {}
