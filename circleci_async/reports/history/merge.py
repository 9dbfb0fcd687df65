"""How observations become rows of a history. Pure: two collections in any order, or repeated, give the same rows."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import timedelta
from typing import TypeVar

from ...models.insights_tables import InsightsFlakyTest, InsightsJobDay, InsightsRun, InsightsTest
from ..window import KEPT
from .layout import month_of
from .tables import FLAKY_TESTS

T = TypeVar("T", bound=InsightsRun | InsightsJobDay)


def merge_runs(stored: Iterable[InsightsRun], observed: Iterable[InsightsRun]) -> list[InsightsRun]:
    """Add runs, and replace those with the same id. A run that has stopped is not replaced by one that has not."""

    def is_newer(old: InsightsRun, new: InsightsRun) -> bool:
        return new.stopped_at is not None or old.stopped_at is None

    return _by_id(stored, observed, is_newer)


def merge_job_days(stored: Iterable[InsightsJobDay], observed: Iterable[InsightsJobDay]) -> list[InsightsJobDay]:
    """Add days, and replace those with the same id, unless the new row counts fewer runs."""
    return _by_id(stored, observed, lambda old, new: new.total_runs >= old.total_runs)


def merge_tests(
    stored: Iterable[InsightsTest], observed: Iterable[InsightsTest], workflows: Collection[str]
) -> list[InsightsTest]:
    """Replace the tests of workflows by those of their new snapshots."""
    return [*(test for test in stored if test.workflow not in workflows), *observed]


def merge_flaky_tests(
    stored: Iterable[InsightsFlakyTest], observed: Sequence[InsightsFlakyTest], month: str
) -> list[InsightsFlakyTest]:
    """Add the tests that flaked last in a month, and remove its rows whose flakes an observation counts, too."""
    rows = [*stored, *(each for each in observed if month_of(each.workflow_created_at) == month)]
    return without_counted(dict.fromkeys(rows), [*rows, *observed])


def without_counted(rows: Iterable[InsightsFlakyTest], others: Iterable[InsightsFlakyTest]) -> list[InsightsFlakyTest]:
    """Return the rows whose flakes none of the others counts: not fewer flakes of the same test, and up to a later one.

    CircleCI counts those of 90 days. Rows that are further apart have no flake in common.
    """
    by_test: dict[object, set[InsightsFlakyTest]] = {}
    for each in others:
        by_test.setdefault(FLAKY_TESTS.identity(each), set()).add(each)
    return [row for row in rows if not any(_counts(other, row) for other in by_test.get(FLAKY_TESTS.identity(row), ()))]


def _counts(other: InsightsFlakyTest, row: InsightsFlakyTest) -> bool:
    later = other.workflow_created_at - row.workflow_created_at
    if not timedelta(0) <= later <= KEPT or other.times_flaked < row.times_flaked or other == row:
        return False
    return later > timedelta(0) or other.times_flaked > row.times_flaked or repr(other) > repr(row)


def _by_id(stored: Iterable[T], observed: Iterable[T], is_newer: Callable[[T, T], bool]) -> list[T]:
    rows: dict[str, T] = {}
    for row in (*stored, *observed):
        old = rows.get(row.id)
        if old is None or is_newer(old, row):
            rows[row.id] = row
    return list(rows.values())
