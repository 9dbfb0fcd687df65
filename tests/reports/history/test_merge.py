"""Observations become rows: repeated, in any order, and split over nights, they give the same history."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from circleci_async.models.insights_tables import InsightsFlakyTest, InsightsJobDay, InsightsRun, InsightsTest
from circleci_async.reports.history.tables import (
    merge_flaky_tests,
    merge_job_days,
    merge_runs,
    merge_tests,
    month_of,
    without_counted,
)

START = datetime(2026, 9, 1, tzinfo=UTC)


def run(id: str = "1", stopped: bool = True, **changes: Any) -> InsightsRun:
    stopped_at = START + timedelta(minutes=5) if stopped else None
    made = InsightsRun(project="gh/acme/api", workflow="build", id=id, created_at=START, stopped_at=stopped_at)
    return evolve(made, **changes)


def job_day(runs: int, id: str = "1", **changes: Any) -> InsightsJobDay:
    made = InsightsJobDay(
        project="gh/acme/api",
        workflow="build",
        branch="main",
        job="test",
        day=date(2026, 9, 1),
        id=id,
        total_runs=runs,
        successful_runs=runs,
        failed_runs=0,
    )
    return evolve(made, **changes)


def flaky(times: int, days: float, name: str = "test_a", **changes: Any) -> InsightsFlakyTest:
    made = InsightsFlakyTest(
        project="gh/acme/api",
        workflow="build",
        job="test",
        test_name=name,
        times_flaked=times,
        job_number=1,
        pipeline_number=1,
        workflow_id="1",
        workflow_created_at=START + timedelta(days=days),
    )
    return evolve(made, **changes)


def test_a_run_replaces_the_one_with_its_id() -> None:
    running, stopped, other = run(stopped=False), run(status="success"), run("2")

    assert merge_runs([running, other], [stopped]) == [stopped, other]
    assert merge_runs([stopped], [running]) == [stopped]
    assert merge_runs([running], [evolve(running, credits_used=5)]) == [evolve(running, credits_used=5)]
    assert merge_runs([stopped], [evolve(stopped, status="failed")]) == [evolve(stopped, status="failed")]


def test_a_day_of_a_job_is_replaced_unless_the_new_row_counts_fewer_runs() -> None:
    assert merge_job_days([job_day(3)], [job_day(4)]) == [job_day(4)]
    assert merge_job_days([job_day(3)], [job_day(2), job_day(2, "2")]) == [job_day(3), job_day(2, "2")]
    assert merge_job_days([job_day(3)], [job_day(3, credits_used=9)]) == [job_day(3, credits_used=9)]


def test_a_snapshot_of_tests_replaces_those_of_its_workflows() -> None:
    def tested(name: str, workflow: str = "build") -> InsightsTest:
        return InsightsTest(
            project="gh/acme/api",
            workflow=workflow,
            job="test",
            test_name=name,
            total_runs=10,
            failed_runs=0,
            is_flaky=False,
        )

    stored = [tested("test_a"), tested("test_b", "nightly")]

    assert merge_tests(stored, [tested("test_c")], {"build"}) == [tested("test_b", "nightly"), tested("test_c")]
    assert merge_tests(stored, [], {"build", "docs"}) == [tested("test_b", "nightly")]


def test_a_flaky_test_replaces_the_rows_whose_flakes_it_counts() -> None:
    old = flaky(3, 0)

    assert merge_flaky_tests([old], [flaky(3, 1)], "2026-09") == [flaky(3, 1)]
    assert merge_flaky_tests([old], [flaky(9, 1)], "2026-09") == [flaky(9, 1)]
    assert merge_flaky_tests([old], [flaky(2, 1)], "2026-09") == [old, flaky(2, 1)]  # the window of the API moved on
    assert merge_flaky_tests([old], [flaky(2, 0)], "2026-09") == [old]  # the same flakes, without the oldest
    assert merge_flaky_tests([old], [flaky(4, 0)], "2026-09") == [flaky(4, 0)]
    assert merge_flaky_tests([old], [flaky(9, 91)], "2026-09") == [old]  # no flake in common
    assert merge_flaky_tests([old], [flaky(9, 1, classname="tests")], "2026-09") == [
        old,
        flaky(9, 1, classname="tests"),
    ]


def test_a_flaky_test_of_another_month_removes_the_row_of_this_one() -> None:
    old, new, other = flaky(3, 0), flaky(4, 40), flaky(1, 0, "test_b")

    assert merge_flaky_tests([old, other], [new], "2026-09") == [other]
    assert merge_flaky_tests([], [new], "2026-10") == [new]
    assert without_counted([old, other], [new]) == [other]


runs = st.lists(
    st.builds(run, st.sampled_from("abc"), st.booleans(), credits_used=st.integers(0, 2), status=st.sampled_from("xy")),
    max_size=6,
)
observations = st.lists(
    st.builds(flaky, st.integers(1, 4), st.integers(0, 80), st.sampled_from(["a", "b"]), time_wasted=st.integers(0, 1)),
    max_size=6,
)


@given(runs, runs)
def test_two_nights_of_runs_equal_one_over_both(first: list[InsightsRun], second: list[InsightsRun]) -> None:
    once = merge_runs([], [*first, *second])

    assert len({each.id for each in once}) == len(once)
    assert merge_runs(merge_runs([], first), second) == merge_runs(merge_runs(first, second), second) == once


@given(st.lists(st.builds(job_day, st.integers(1, 9), st.sampled_from("abc")), max_size=6), st.randoms())
def test_days_of_jobs_can_come_in_any_order(days: list[InsightsJobDay], random: Any) -> None:
    shuffled = random.sample(days, len(days))

    assert set(merge_job_days([], days)) == set(merge_job_days(merge_job_days([], shuffled[:3]), shuffled[3:]))


@given(observations, st.randoms())
def test_flaky_tests_can_come_in_any_order(observed: list[InsightsFlakyTest], random: Any) -> None:
    """Within the days that the API counts. `stored` is what two collections write, month by month."""
    months = sorted({month_of(each.workflow_created_at) for each in observed})
    shuffled = random.sample(observed, len(observed))
    stored: dict[str, list[InsightsFlakyTest]] = {month: [] for month in months}
    for some in (shuffled[:3], shuffled[3:], shuffled[3:]):
        known = [row for rows in stored.values() for row in rows]
        new = without_counted(some, [*known, *some])
        stored = {month: merge_flaky_tests(rows, new, month) for month, rows in stored.items()}

    assert {row for rows in stored.values() for row in rows} == set(without_counted(observed, observed))
