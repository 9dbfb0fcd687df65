"""The tables of reports: rows, data frames, and how notebooks show them."""

from datetime import UTC, datetime
from typing import Any

import attrs
import polars as pl
import pytest

import circleci_async as ca
from circleci_async.models import InsightsRun, InsightsTest
from circleci_async.reports.report import TABLES
from circleci_async.reports.table import InsightsTable, column_types

AT = datetime(2026, 11, 1, tzinfo=UTC)
RUN = InsightsRun(project="gh/acme/api", workflow="build", id="1", created_at=AT)
POLARS: dict[type, Any] = {
    str: pl.String(),
    int: pl.Int64(),
    float: pl.Float64(),
    bool: pl.Boolean(),
    datetime: pl.Datetime("us", "UTC"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_frame_has_the_types_of_its_rows_also_without_rows(name: str) -> None:
    report = ca.InsightsReport(projects=(), start=AT, end=AT)
    table = getattr(report, name)
    types = {each.name: str(each.type) for each in attrs.fields(table.kind)}
    assert list(types) == table.columns
    assert dict(report.frames()[name].schema) == {each: POLARS[kind] for each, kind in column_types(table.kind).items()}
    assert report.rows()[name] == []


def test_a_frame_has_the_values_of_its_rows() -> None:
    test = InsightsTest(
        project="p", workflow="w", job="j", test_name="t", total_runs=2, failed_runs=1, is_flaky=True, p95_duration=1.5
    )
    tests = InsightsTable(InsightsTest, [test, attrs.evolve(test, p95_duration=None, is_flaky=False)])
    frame = tests.frame()
    assert frame.rows(named=True) == tests.rows()
    assert (frame["is_flaky"].dtype, frame["p95_duration"].dtype) == (pl.Boolean(), pl.Float64())


def test_a_row_of_none_keeps_the_types() -> None:
    frame = InsightsTable(InsightsRun, [RUN]).frame()
    assert (frame["duration"].dtype, frame["stopped_at"].dtype) == (pl.Int64(), pl.Datetime("us", "UTC"))
    assert frame["created_at"].to_list() == [AT]


def test_a_frame_contains_what_polars_refuses() -> None:
    runs = [
        attrs.evolve(RUN, branch="\ud800", credits_used=2**63),
        attrs.evolve(RUN, branch="\x00é", credits_used=2**63 - 1),
    ]
    table = InsightsTable(InsightsRun, runs)
    assert table.frame()["branch"].to_list() == ["\\ud800", "\x00é"]
    assert table.frame()["credits_used"].to_list() == [2**63 - 1, 2**63 - 1]
    assert table.rows()[0]["credits_used"] == 2**63
