"""DuckDB and polars read a history as it lies there."""

import asyncio
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

import circleci_async as ca
from circleci_async.models import InsightsRun
from circleci_async.reports.metrics import FAILED, percentile
from tests.reports.history.worlds import Nights, collect, rows

SLUGS = ("gh/acme/api", "circleci/8FmBWY9dyRzsB9UhR2pZvG/3cdvTTg2fxqTKTwvc1a2Ud")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history of two projects after two nights, which the tests only read."""
    history = tmp_path_factory.mktemp("two nights") / "history"
    nights = Nights(*SLUGS)
    for _ in range(2):
        asyncio.run(collect(nights, history, *SLUGS))
        nights.pass_days(1)
    return history


def query(history: Path, sql: str) -> list[Any]:
    relation = duckdb.sql(sql.replace("history/", f"{history}/"))
    assert relation is not None
    return relation.fetchall()


async def test_reliability_of_workflows(history: Path) -> None:
    found = query(
        history,
        """SELECT project, workflow, count(*), avg((status IN ('failed', 'error'))::INT), quantile_cont(duration, 0.95)
        FROM read_parquet('history/runs/*/*/*.parquet') GROUP BY ALL ORDER BY ALL""",
    )

    runs: defaultdict[tuple[str, str], list[InsightsRun]] = defaultdict(list)
    for each in rows(history)["runs"]:
        runs[each.project, each.workflow].append(each)
    assert found == [
        (
            *names,
            len(some),
            pytest.approx(sum(each.status in FAILED for each in some) / len(some)),
            pytest.approx(percentile([each.duration or 0 for each in some], 0.95)),
        )
        for names, some in sorted(runs.items())
    ]
    report = await ca.report_from_history(history)
    assert [row[:4] for row in found] == [
        (each.project, each.workflow, each.total_runs, each.failure_rate) for each in report.workflows
    ]


@pytest.mark.parametrize("options", ["", ", hive_partitioning = true", ", union_by_name = true, filename = true"])
def test_credits_by_month_and_project(history: Path, options: str) -> None:
    found = query(
        history,
        f"""SELECT project, month, sum(credits_used)::BIGINT
        FROM read_parquet('history/runs/*/*/*.parquet'{options}) GROUP BY ALL ORDER BY ALL""",
    )

    credits: Counter[tuple[str, str]] = Counter()
    for each in rows(history)["runs"]:
        credits[each.project, f"{each.created_at:%Y-%m}"] += each.credits_used
    assert {project for project, _, _ in found} == set(SLUGS)
    assert {row[:2]: row[2] for row in found} == credits


def test_time_of_jobs_by_branch(history: Path) -> None:
    found = query(
        history,
        """SELECT project, job, branch, sum(total_runs)::BIGINT, sum(total_duration), min(day)
        FROM 'history/jobs/*/*/*.parquet' GROUP BY ALL""",
    )

    runs: Counter[tuple[str, str, str]] = Counter()
    seconds: Counter[tuple[str, str, str]] = Counter()
    first: dict[tuple[str, str, str], date] = {}
    for each in rows(history)["jobs"]:
        names = (each.project, each.job, each.branch)
        runs[names] += each.total_runs
        seconds[names] += each.total_duration
        first[names] = min(first.get(names, each.day), each.day)
    assert {row[:3]: row[3:] for row in found} == {each: (runs[each], seconds[each], first[each]) for each in runs}


async def test_flakes_by_test(history: Path) -> None:
    found = query(
        history,
        """SELECT project, test_name, sum(times_flaked)::BIGINT, sum(time_wasted)::BIGINT
        FROM 'history/flaky_tests/*/*/*.parquet' GROUP BY ALL ORDER BY ALL""",
    )

    report = await ca.report_from_history(history)
    flaky = [(each.project, each.test_name, each.times_flaked, each.time_wasted) for each in report.flaky_tests]
    assert found == sorted(flaky)
    assert len(found) == 2


def test_polars_reads_the_partitions(history: Path) -> None:
    runs = pl.scan_parquet(history / "runs").collect()
    tests = pl.read_parquet(history / "tests" / "*" / "*" / "*.parquet", hive_partitioning=True)

    stored = rows(history)
    assert sorted(runs["id"]) == sorted(each.id for each in stored["runs"])
    assert set(runs["project"]) == set(tests["project"]) == set(SLUGS)
    assert set(runs["month"]) == {f"{each.created_at:%Y-%m}" for each in stored["runs"]}
    assert runs.schema["created_at"] == pl.Datetime("us", "UTC")
    assert tests.schema["is_flaky"] == pl.Boolean()
