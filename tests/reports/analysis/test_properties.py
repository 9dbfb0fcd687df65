"""Answers of any tables: no exception, the declared columns, and shares whose sum is 1."""

import json
from math import isclose
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from .reports import at, flaky, job, report, run, used, workflow

CHANGES = [
    f"{metric}{suffix}"
    for metric in ("runs", "failure_rate", "p50", "p95", "credits")
    for suffix in ("", "_before", "_change")
]
COLUMNS = {
    "failures": ["day", "runs", "failed", "failure_rate", "mean_7d", "recovery"],
    "waits": ["week", "branch", "runs", "p50", "p95"],
    "jobs": ["project", "workflow", "job", "runs", "median", "total", "share", "cumulative_share"],
    "flaky_tests": ["project", "workflow", "job", "test", "times_flaked", "time_wasted"],
    "credits": ["by", "name", "credits", "failed_credits", "share"],
    "queue": ["hour", "resource_class", "jobs", "p50", "p95"],
    "sizing": [
        *("project", "workflow", "job", "resource_class", "jobs"),
        *("median_cpu", "max_cpu", "median_ram", "max_ram", "credits", "is_candidate"),
    ],
    "changes": ["project", "workflow", *CHANGES],
}

names = st.sampled_from(["gh/acme/web", "", "\x1b[2J\n", "\ud800", "others", "é" * 200])
numbers = st.none() | st.integers(0, 10**7)
amounts = st.none() | st.floats(0, 10**7)
times = st.floats(0, 40).map(at)


def rows_of(make: Any, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Return lists of rows of a table."""
    return st.lists(st.fixed_dictionaries(fields).map(lambda values: make(**values)), max_size=20)


runs = rows_of(
    run,
    day=st.floats(0, 40),
    status=st.sampled_from(["success", "failed", "error", "canceled", "new", None]),
    duration=numbers,
    project=names,
    workflow=names,
    branch=st.none() | names,
    is_default_branch=st.none() | st.booleans(),
    credits_used=numbers,
)
jobs = rows_of(
    job, name=names, runs=st.integers(0, 10**6), median=amounts, credits=st.integers(0, 10**9), project=names
)
tests = rows_of(flaky, name=names, times=st.integers(0, 999), wasted=numbers, project=names, job=names)
usage = rows_of(
    used,
    project=names,
    job=names,
    status=st.sampled_from(["success", "failed", "new", None]),
    resource_class=st.none() | names,
    queued_at=st.none() | times,
    started_at=st.none() | times,
    queue_duration=amounts,
    credits_used=amounts,
    median_cpu=amounts,
    max_cpu=amounts,
    median_ram=amounts,
    max_ram=amounts,
)
workflows = rows_of(
    workflow,
    name=names,
    runs=st.integers(0, 10**6),
    failed=st.integers(0, 10),
    credits=numbers,
    median_duration=amounts,
    p95_duration=amounts,
)


@given(runs, st.sampled_from([0.0, 0.5, 1.0, 7.0, 40.0, 3_650.0]), jobs, tests, usage, workflows)
@settings(max_examples=40, deadline=None)
def test_any_tables_have_answers(
    runs: list[Any], days: float, jobs: list[Any], tests: list[Any], usage: list[Any], previous: list[Any]
) -> None:
    computed = report(runs, days, jobs=jobs, flaky_tests=tests, usage=usage, previous=previous)
    assert [each.key for each in computed.answers] == list(COLUMNS)
    for each in computed.answers:
        assert all(list(row) == COLUMNS[each.key] for row in each.rows)
        assert each.text.endswith(".")
        each.text.encode()
        assert len(each.rows) <= 600
        assert "NaN" not in json.dumps(each.rows, default=str)
    rows = {each.key: each.rows for each in computed.answers}
    if rows["jobs"]:
        assert isclose(sum(row["share"] for row in rows["jobs"]), 1)
        assert isclose(rows["jobs"][-1]["cumulative_share"], 1)
    for by in {row["by"] for row in rows["credits"]}:
        assert isclose(sum(row["share"] for row in rows["credits"] if row["by"] == by), 1)
    if rows["waits"]:
        assert sum(row["runs"] for row in rows["waits"]) == len(runs)
    if days >= 40 and runs:
        inside = sum(each.created_at < at(days) for each in runs)
        assert sum(row["runs"] for row in rows["failures"]) >= inside
