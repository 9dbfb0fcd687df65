"""Reports from a history, without CircleCI."""

import csv
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

import circleci_async as ca
from circleci_async.models import InsightsRun, InsightsTest
from circleci_async.reports.history.read import jobs_of_days, joined_flaky_tests
from circleci_async.reports.history.tables import FLAKY_TESTS, RUNS, TESTS, HistoryTable, Partition, month_of
from circleci_async.reports.metrics import weighted_median, workflow_metrics
from circleci_async.testing import FakeCircleCI
from tests.reports.history.test_merge import flaky, job_day
from tests.reports.history.worlds import Nights, collect, rows

API = "gh/acme/api"
START = datetime(2024, 3, 1, tzinfo=UTC)
"""Long before the days that CircleCI keeps."""


def write(into: Path, table: HistoryTable[Any], project: str, month: str, some: list[Any]) -> None:
    path = into / Partition(table.name, project, month).name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(table.dump(some))


def months_of_runs(into: Path, project: str = API, *, count: int = 12) -> list[InsightsRun]:
    """Write a run a day for some months from `START` on."""
    made = [
        InsightsRun(
            project=project,
            workflow="build",
            id=f"{project} {day}",
            branch="main" if day % 2 else "fix",
            status="failed" if day % 5 == 0 else "success",
            duration=day,
            credits_used=10,
            created_at=START + timedelta(days=day),
            stopped_at=START + timedelta(days=day, minutes=5),
        )
        for day in range(count * 30)
    ]
    for month in {month_of(each.created_at) for each in made}:
        write(into, RUNS, project, month, [each for each in made if month_of(each.created_at) == month])
    return made


async def test_a_report_contains_the_rows_of_the_window(nights: Nights, into: Path) -> None:
    nights.pass_days(2)
    await collect(nights, into, API)

    report = await ca.report_from_history(into, API)

    stored = rows(into)
    assert list(report.runs) == sorted(stored["runs"], key=lambda row: (row.workflow, row.created_at, row.id))
    assert list(report.workflows) == [
        workflow_metrics(API, name, [each for each in stored["runs"] if each.workflow == name])
        for name in ("build", "nightly")
    ]
    counts: Counter[tuple[str, str]] = Counter()
    for day in stored["jobs"]:
        counts[day.workflow, day.job] += day.total_runs
    assert {(job.workflow, job.job): job.total_runs for job in report.jobs} == counts
    assert sum(job.credits_used for job in report.jobs) == sum(run.credits_used or 0 for run in report.runs)
    assert [each.times_flaked for each in report.flaky_tests] == [2]
    assert {(each.workflow, each.test_name) for each in report.tests} == {
        (workflow, name) for workflow in ("build", "nightly") for name in ("test_flaky", "test_slow")
    }
    assert (report.projects, report.requests, report.failures, report.has_usage) == ((API,), 0, (), False)
    assert any("weighted by runs" in note for note in report.notes)


async def test_a_report_from_a_history_equals_one_from_circleci(into: Path) -> None:
    nights = Nights(API, "gh/acme/web")
    nights.pass_days(3)
    async with FakeCircleCI(nights.world) as fake, fake.client() as circle:
        await circle.insights.collect("gh/acme", into)
        live = await circle.insights.report("gh/acme")

    report = await ca.report_from_history(into)

    for name in ("runs", "workflows", "tests", "flaky_tests"):
        assert getattr(report, name) == getattr(live, name)
        assert len(getattr(report, name)) > 0
    figures = [
        [(each.project, each.workflow, each.job, each.total_runs, each.failed_runs, each.credits_used) for each in jobs]
        for jobs in (report.jobs, live.jobs)
    ]
    assert figures[0] == figures[1]
    assert [answer.key for answer in report.answers] == [answer.key for answer in live.answers]


async def test_usage_is_read_from_the_rows_of_an_export(into: Path, tmp_path: Path) -> None:
    nights = Nights(API, "gh/acme/web")
    nights.pass_days(3)
    acme = nights.world.organization("gh/acme")
    acme.usage.export_time = 0.0
    async with FakeCircleCI(nights.world) as fake, fake.client() as circle:
        await circle.insights.collect("gh/acme", into)
        exported = [row async for row in circle.usage.export(acme.id, "30d", interval=(0.05, 0.05), raw=True)]
        live = await circle.insights.report("gh/acme", usage=exported)
    file = tmp_path / "usage.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, list(exported[0]))
        table.writeheader()
        table.writerows(exported)

    report = await ca.report_from_history(into, usage=file)
    of_web = await ca.report_from_history(into, "gh/acme/web", usage=exported)

    assert (report.has_usage, report.usage) == (True, live.usage)
    assert list(of_web.usage) == [row for row in live.usage if row.project == "gh/acme/web"] != []
    with pytest.raises(ca.InvalidArgument, match=r"^usage must be .* got 3$"):
        await ca.report_from_history(into, usage=3)  # type: ignore[arg-type]  # what is tested


async def test_windows_reach_beyond_the_days_that_circleci_keeps(into: Path) -> None:
    made = months_of_runs(into)
    start, end = START + timedelta(days=130, hours=1), START + timedelta(days=250)

    report = await ca.report_from_history(into, window=(start, end))

    assert list(report.runs) == [run for run in made if start <= run.created_at < end]
    before = [run for run in made if start - (end - start) <= run.created_at < start]
    assert list(report.previous) == [workflow_metrics(API, "build", before)]
    assert (report.start, report.end) == (start, end)


async def test_only_the_files_of_the_windows_and_projects_are_read(into: Path) -> None:
    months_of_runs(into)
    for name in ("gh/acme/web", API):
        for month in ("2024-03", "2024-04", "2024-12"):
            path = into / Partition("runs", name, month).name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"damaged")

    report = await ca.report_from_history(into, API, window=("2024-06-15", "2024-07-30"))

    assert len(report.runs) == 45
    assert report.previous[0].total_runs == 45
    with pytest.raises(ca.LedgerError, match=r"month=2024-04.runs\.parquet cannot be read"):
        await ca.report_from_history(into, API, window=("2024-06-01", "2024-07-15"))


@pytest.mark.parametrize(
    ("window", "limits"),
    [
        (("2024-05-01", "2024-06-01"), []),
        (
            ("2024-03-20", "2024-05-01"),
            ["the history contains no runs before 2024-03-01: the window before is not known"],
        ),
        (("2024-04-03", "2024-05-10"), []),  # the window before starts five days before the history
        (("2024-06-15", "2024-08-15"), ["the history contains no runs after 2024-06-28"]),
        (
            ("2024-03-01", "2024-08-01"),
            [
                "the history contains no runs before 2024-03-01: the window before is not known",
                "the history contains no runs after 2024-06-28",
            ],
        ),
        (("2025-03-01", "2025-04-01"), []),
    ],
)
async def test_the_notes_name_what_a_history_does_not_contain(
    into: Path, window: tuple[str, str], limits: list[str]
) -> None:
    months_of_runs(into, count=4)

    report = await ca.report_from_history(into, window=window)

    assert [note for note in report.notes if "contains no runs" in note] == limits
    is_known = not any("the window before is not known" in note for note in limits)
    assert bool(report.previous) == (is_known and window[0] < "2025")


async def test_a_branch_selects_runs_and_jobs(nights: Nights, into: Path) -> None:
    await collect(nights, into, API)

    report = await ca.report_from_history(into, branch="fix")

    assert {run.branch for run in report.runs} == {"fix"}
    assert {job.workflow for job in report.jobs} == {"nightly"}
    assert sum(job.total_runs for job in report.jobs) == 2 * len(report.runs)
    assert report.branch == "fix"
    assert report.notes[-1] == "tests and flaky tests cover all branches"


async def test_projects_are_slugs_urls_and_organizations_of_the_history(into: Path) -> None:
    for project in (API, "gh/acme/web", "circleci/8FmBWY9dyRzsB9UhR2pZvG/3cdvTTg2fxqTKTwvc1a2Ud"):
        months_of_runs(into, project, count=1)
    window = ("2024-03-01", "2024-04-01")

    async def found(projects: Any) -> tuple[str, ...]:
        report = await ca.report_from_history(into, projects, window)
        assert {run.project for run in report.runs} == set(report.projects)
        return report.projects

    assert await found(None) == ("circleci/8FmBWY9dyRzsB9UhR2pZvG/3cdvTTg2fxqTKTwvc1a2Ud", API, "gh/acme/web")
    assert await found("gh/acme") == await found(ca.OrgSlug.parse("gh/acme")) == (API, "gh/acme/web")
    assert await found(["gh/Acme/web", "https://github.com/acme/api", "gh/acme"]) == ("gh/acme/web", API)
    assert await found("circleci/8FmBWY9dyRzsB9UhR2pZvG") != ()
    for projects, message in (
        (["gh/acme/gone"], r"no 'gh/acme/gone': it contains circleci/8Fm.*, gh/acme/api and gh/acme/web"),
        ("gh/other", "no 'gh/other'"),
        ([], "projects must contain at least one project"),
        ("acme", "project slug 'acme' is invalid"),
        (7, "projects must be projects"),
    ):
        with pytest.raises(ca.InvalidArgument, match=message):
            await found(projects)


@pytest.mark.parametrize("exists", [True, False])
async def test_a_folder_without_a_history_is_an_error(into: Path, exists: bool) -> None:
    if exists:
        (into / "runs").mkdir(parents=True)
        (into / "runs" / "runs.parquet").write_bytes(b"")

    with pytest.raises(ca.LedgerError) as caught:
        await ca.report_from_history(into)

    assert str(caught.value).startswith(f"history {str(into)!r} contains no insights: collect them with")
    assert f"circleci-async insights collect gh/acme --into {into}" in str(caught.value)
    assert into.exists() == exists


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": "soon"}, "window must be"),
        ({"branch": ""}, "branch must be the name of a branch"),
        ({"history": 5}, "history must be a folder"),
        ({"history": "ftp://x"}, "history must be a folder"),
    ],
)
async def test_invalid_arguments_are_named(into: Path, options: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"history": into, **options}
    with pytest.raises(ca.InvalidArgument, match=message):
        await ca.report_from_history(**arguments)


async def test_a_window_without_rows_is_an_empty_report(into: Path) -> None:
    months_of_runs(into, count=1)

    report = await ca.report_from_history(into)

    assert {name: len(some) for name, some in report.rows().items()} == dict.fromkeys(report.rows(), 0)


async def test_tests_are_those_of_the_last_snapshot_in_the_window(into: Path) -> None:
    def tested(workflow: str, name: str) -> InsightsTest:
        return InsightsTest(
            project=API, workflow=workflow, job="test", test_name=name, total_runs=10, failed_runs=0, is_flaky=False
        )

    write(into, TESTS, API, "2024-03", [tested("build", "old"), tested("nightly", "rare")])
    write(into, TESTS, API, "2024-04", [tested("build", "new")])
    write(into, TESTS, API, "2024-05", [tested("build", "later")])

    report = await ca.report_from_history(into, window=("2024-03-15", "2024-05-01"))

    assert [(each.workflow, each.test_name) for each in report.tests] == [("build", "new"), ("nightly", "rare")]


async def test_the_rows_of_a_flaky_test_are_one_row_of_the_report(into: Path) -> None:
    old, new = flaky(3, -200, time_wasted=10), flaky(1, -100, time_wasted=None)
    write(into, FLAKY_TESTS, API, "2026-02", [old, flaky(2, -201, time_wasted=90)])  # counted by the other row
    write(into, FLAKY_TESTS, API, "2026-05", [new, flaky(2, -99, "test_b")])

    report = await ca.report_from_history(into, window=("2026-02-01", "2026-06-01"))

    assert list(report.flaky_tests) == [evolve(new, times_flaked=4, time_wasted=10), flaky(2, -99, "test_b")]
    assert joined_flaky_tests([]) == []


def test_jobs_sum_their_days_and_weigh_durations() -> None:
    days = [
        job_day(1, "1", median_duration=100.0, p95_duration=900.0, credits_used=5),
        job_day(7, "2", median_duration=10.0, p95_duration=20.0, credits_used=30, failed_runs=2),
        job_day(3, "3", median_duration=None, p95_duration=None),
        job_day(2, "4", job="lint"),
    ]

    jobs = {job.job: job for job in jobs_of_days(days)}

    test, lint = jobs["test"], jobs["lint"]
    assert (test.total_runs, test.failed_runs, test.credits_used) == (11, 2, 35)
    assert (test.median_duration, test.p95_duration) == (10.0, 20.0)
    assert (lint.total_runs, lint.median_duration) == (2, None)


@pytest.mark.parametrize(
    ("values", "median"),
    [
        ([], None),
        ([(5.0, 0)], None),
        ([(None, 9)], None),
        ([(5.0, 3)], 5.0),
        ([(9.0, 1), (1.0, 1), (5.0, 1)], 5.0),
        ([(9.0, 10), (1.0, 1), (5.0, 1)], 9.0),
        ([(1.0, 1), (2.0, 1)], 1.0),
    ],
)
def test_a_weighted_median(values: list[tuple[float | None, int]], median: float | None) -> None:
    assert weighted_median(values) == median
