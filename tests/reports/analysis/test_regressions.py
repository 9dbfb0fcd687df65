"""Regressions are found near the day on which they begin, and noise is not one."""

from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median

import pytest

from circleci_async.models.insights_tables import InsightsRun
from circleci_async.reports.analysis.regressions import (
    Change,
    duration_changes,
    duration_sentences,
    failure_changes,
    failure_sentences,
)
from circleci_async.reports.analysis.waits import waits
from circleci_async.reports.metrics import by_workflow
from circleci_async.testing import World

from .reports import START, answer, at, history, run


def step(day: int, before: float, after: float) -> Callable[[int], float]:
    """Return a daily value that changes on a day."""
    return lambda each: before if each < day else after


def found_days(changes: list[list[Change]]) -> list[int]:
    """Return the days, counted from the start, of the changes that were found."""
    return [(each.day - START.date()).days for found in changes for each in found]


@pytest.mark.parametrize("per_day", [3, 12])
def test_noise_and_the_weekly_rhythm_are_not_regressions(per_day: int) -> None:
    histories = [history(seed, per_day) for seed in range(60)]
    assert sum(bool(failure_changes(runs)) for runs in histories) <= 3
    assert sum(bool(duration_changes(runs)) for runs in histories) <= 3


def test_failures_of_some_days_in_a_row_are_not_a_regression() -> None:
    outages = [history(seed, 10, rate=lambda day: 0.9 if day in {20, 21, 50, 70} else 0.05) for seed in range(30)]
    assert not any(failure_changes(runs) for runs in outages)


def test_bad_weeks_are_not_a_regression() -> None:
    def rate(day: int) -> float:
        return 0.5 if day // 5 in {9, 12, 15} else 0.05

    assert sum(bool(failure_changes(history(seed, 10, rate=rate))) for seed in range(30)) <= 5


def test_a_report_of_many_workflows_is_not_more_often_wrong() -> None:
    noise = [run for seed in range(120) for run in history(seed, 2, workflow=f"workflow-{seed}", rate=lambda day: 0.15)]
    assert failure_changes(noise) == []
    assert any(failure_changes(runs) for runs in by_workflow(noise).values())  # in a report of its own


def test_the_order_of_the_runs_does_not_matter() -> None:
    runs = history(3, rate=step(45, 0.08, 0.25), median=step(45, 300, 400))
    assert len(failure_changes(runs)) == len(duration_changes(runs)) == 1
    assert failure_changes(runs[::-1]) == failure_changes(runs)
    assert duration_changes(runs[::-1]) == duration_changes(runs)


@pytest.mark.parametrize("day", [20, 45, 74])
def test_a_planted_regression_is_found_within_some_days(day: int) -> None:
    seeds = range(10)
    failing = found_days([failure_changes(history(seed, rate=step(day, 0.08, 0.2))) for seed in seeds])
    slower = found_days([duration_changes(history(seed, 10, median=step(day, 300, 420))) for seed in seeds])
    for found, most in ((failing, 8), (slower, 3)):
        assert len(found) >= 8
        assert max(abs(each - day) for each in found) <= most
        assert abs(median(found) - day) <= 2


def test_a_change_needs_five_days_and_ten_runs_on_both_sides() -> None:
    def changes(days_before: int, days_after: int, per_day: int) -> list[Change]:
        return failure_changes(
            run(day + place / 100, "failed" if day >= days_before else "success")
            for day in range(days_before + days_after)
            for place in range(per_day)
        )

    assert [each.day for each in changes(5, 5, 2)] == [at(5).date()]
    assert changes(5, 4, 3) == []
    assert changes(4, 5, 3) == []
    assert changes(9, 9, 1) == []


def test_small_changes_are_not_reported_however_many_runs_there_are() -> None:
    assert failure_changes(history(1, 100, rate=step(45, 0.10, 0.13))) == []
    assert duration_changes(history(1, 100, median=step(45, 300, 325))) == []
    assert duration_changes(history(1, 100, median=step(45, 10, 15))) == []


def planted(workflow: str, before: int, after: int, per_day: int = 10) -> list[InsightsRun]:
    """Return runs of 28 days; of each ten runs of a day, some fail, and more or fewer in the second half."""
    return [
        run(
            day + place / 100,
            "failed" if place % 10 < (before if day < 14 else after) else "success",
            workflow=workflow,
        )
        for day in range(28)
        for place in range(per_day)
    ]


def test_the_sentence_names_the_workflow_both_rates_and_the_day() -> None:
    assert failure_sentences(failure_changes(planted("deploy", 1, 3))) == [
        "gh/acme/web deploy fails more often since 2026-09-14: 30 % of runs, 10 % before."
    ]
    assert failure_sentences(failure_changes(planted("deploy", 4, 1))) == [
        "gh/acme/web deploy fails less often since 2026-09-14: 10 % of runs, 40 % before."
    ]
    assert failure_sentences([]) == []


def test_regressions_come_before_improvements_and_two_are_named() -> None:
    runs = [
        *planted("better", 9, 0),
        *planted("worse", 1, 4),
        *planted("busy", 1, 4, per_day=20),
        *planted("same", 2, 2),
    ]
    named = [
        "gh/acme/web busy fails more often since 2026-09-14: 40 % of runs, 10 % before.",
        "gh/acme/web worse fails more often since 2026-09-14: 40 % of runs, 10 % before",
    ]
    assert failure_sentences(failure_changes(runs)) == [named[0], f"{named[1]}; 1 more workflow changed."]
    assert failure_sentences(failure_changes([*runs, *planted("sixth", 8, 0)]))[1] == (
        f"{named[1]}; 2 more workflows changed."
    )


def test_durations_that_never_varied_can_change() -> None:
    runs = [run(day + place / 10, duration=240 if day < 14 else 372) for day in range(28) for place in range(3)]
    assert duration_sentences(duration_changes(runs)) == [
        "gh/acme/web deploy takes longer since 2026-09-14: median 6 min 12 s, 4 min before."
    ]
    faster = [run(day + place / 10, duration=372 if day < 14 else 240) for day in range(28) for place in range(3)]
    assert duration_sentences(duration_changes(faster)) == [
        "gh/acme/web deploy takes less time since 2026-09-14: median 4 min, 6 min 12 s before."
    ]


def test_the_answers_name_the_regressions() -> None:
    runs = history(7, rate=step(60, 0.08, 0.2), median=step(50, 300, 420))
    failing, slower = failure_changes(runs), duration_changes(runs)
    assert len(failing) == len(slower) == 1
    assert failure_sentences(failing)[0] in answer("failures", runs, 90).text
    assert duration_sentences(slower)[0] in waits(runs, START, at(90)).text


@pytest.mark.parametrize("day", range(2, 9))
def test_the_regression_of_a_generated_history_is_found_on_each_day_of_the_week(day: int) -> None:
    now = datetime(2026, 12, day, 20, 5, tzinfo=UTC)
    world = World.history(projects=2, runs=700, now=now, clock=lambda: now)
    assert world.regression
    runs = [
        InsightsRun(
            project=pipeline.project.slug,
            workflow=workflow.name,
            id=workflow.id,
            status=workflow.status,
            duration=round((workflow.stopped_at - workflow.created_at).total_seconds()),
            created_at=workflow.created_at,
        )
        for pipeline in world.pipelines.all
        for workflow in pipeline.workflows
        if workflow.stopped_at
    ]
    failing = f"{world.regression.failing_project} {world.regression.failing_workflow} fails more often since "
    assert failing in failure_sentences(failure_changes(runs))[0]
    slower = f"{world.regression.slower_project} {world.regression.slower_workflow} takes longer since "
    assert slower in duration_sentences(duration_changes(runs))[0]
