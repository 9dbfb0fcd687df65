"""The numbers of the answers equal those that DuckDB computes from the raw rows."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import duckdb
import pytest

from circleci_async.models.insights_tables import InsightsFlakyTest, InsightsJob, InsightsRun, InsightsUsage
from circleci_async.reports.report import InsightsReport

from .reports import at, flaky, job, report, run, used

DAYS = 61.4
TYPES: dict[Any, str] = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN", datetime: "TIMESTAMP"}
TYPES |= {kind | None: name for kind, name in TYPES.items()}
STATUSES = ["success"] * 12 + ["failed"] * 3 + ["error", "canceled", "unauthorized", "something-new", None]
PROJECTS = ["gh/acme/api", "gh/acme/web", "gh/acme/docs"]


def sample() -> InsightsReport:
    """Return a report with all kinds of runs, also such without a duration, credits, branch or status."""
    pick = random.Random(15)
    runs = [
        run(
            pick.uniform(0, DAYS - 0.01),
            pick.choice(STATUSES),
            pick.choice([None, *(round(pick.lognormvariate(5, 1)) for _ in range(9))]),
            project=(project := pick.choice(PROJECTS)),
            workflow=pick.choice(["build", "deploy"]),
            branch=pick.choice(["main", "fix", None]),
            is_default_branch=None if project == "gh/acme/docs" else pick.random() < 0.3,
            credits_used=pick.choice([None, pick.randrange(5_000), pick.randrange(500)]),
        )
        for _ in range(1_500)
    ]
    usage = [
        used(
            project=pick.choice(PROJECTS),
            workflow="build",
            job=pick.choice(["lint", "test", "e2e"]),
            status=pick.choice(["success", "failed"]),
            resource_class=pick.choice(["small", "medium", "large", None]),
            queued_at=pick.choice([at(pick.uniform(0, DAYS)), None]),
            started_at=at(pick.uniform(0, DAYS)),
            queue_duration=pick.choice([None, pick.expovariate(1 / 50), pick.expovariate(1 / 50)]),
            credits_used=pick.choice([None, pick.uniform(0, 900)]),
            median_cpu=pick.choice([None, pick.uniform(0, 30)]),
            max_cpu=pick.choice([None, pick.uniform(0, 52)]),
            median_ram=pick.choice([None, pick.uniform(0, 30)]),
            max_ram=pick.choice([None, pick.uniform(0, 51)]),
        )
        for _ in range(900)
    ]
    jobs = [
        job(f"job-{number}", pick.randrange(500), pick.choice([None, pick.uniform(1, 900)]), pick.randrange(9_000))
        for number in range(40)
    ]
    tests = [
        flaky(f"test_{number}", pick.randrange(1, 9), pick.choice([None, pick.randrange(5_000)]))
        for number in range(50)
    ]
    return report(runs, DAYS, jobs=jobs, flaky_tests=tests, usage=usage)


REPORT = sample()
ROWS: dict[str, list[dict[str, Any]]] = {each.key: list(each.rows) for each in REPORT.answers}


@pytest.fixture(scope="module")
def sql() -> Iterator[duckdb.DuckDBPyConnection]:
    """Return a database with the tables of the report."""
    with duckdb.connect() as connection:
        for name, kind in (
            ("runs", InsightsRun),
            ("usage", InsightsUsage),
            ("jobs", InsightsJob),
            ("flaky_tests", InsightsFlakyTest),
        ):
            fields = attrs.fields(kind)
            types = [TYPES[each.type] for each in fields]
            columns = [f"{each.name} {type_}" for each, type_ in zip(fields, types, strict=True)]
            connection.execute(f"create table {name} ({', '.join(columns)})")
            rows = [[plain(row[each.name]) for row in REPORT.rows()[name]] for each in fields]
            values = ", ".join(f"unnest(?::{type_}[])" for type_ in types)
            connection.execute(f"insert into {name} select {values}", rows)
        yield connection


def plain(value: Any) -> Any:
    """Return times in UTC without a zone."""
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


def queried(sql: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    """Return the rows of a query as dicts."""
    done = sql.execute(query)
    names = [each[0] for each in done.description or ()]
    return [dict(zip(names, row, strict=True)) for row in done.fetchall()]


def assert_equal(rows: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Assert that rows are equal, numbers but for their rounding."""
    assert [list(row) for row in rows] == [list(row) for row in expected]
    for row, other in zip(rows, expected, strict=True):
        for name, value in row.items():
            assert value == (pytest.approx(float(other[name])) if isinstance(value, float) else other[name]), (
                name,
                row,
            )


FAILED = "count(*) filter (status in ('failed', 'error'))"


def test_failures_by_day(sql: duckdb.DuckDBPyConnection) -> None:
    expected = queried(
        sql,
        f"""
        with days as (
            select unnest(generate_series(date '2026-08-31', date '2026-10-31', interval 1 day))::date as day
        ),
        counts as (
            select day, count(id) as runs, {FAILED} as failed
            from days left join runs on created_at::date = day group by day
        ),
        series as (
            select *, status in ('failed', 'error') as is_failure,
                count(*) filter (status = 'success') over (
                    partition by project, workflow, branch order by coalesce(stopped_at, created_at)
                    rows between unbounded preceding and 1 preceding
                ) as successes
            from runs where status in ('failed', 'error', 'success')
        ),
        recovered as (
            select max(coalesce(stopped_at, created_at)) filter (not is_failure) as ended_at,
                epoch(ended_at - min(coalesce(stopped_at, created_at)) filter (is_failure)) as seconds
            from series group by project, workflow, branch, successes
            having seconds is not null
        )
        select day, runs, failed, if(runs = 0, null, failed / runs) as failure_rate,
            sum(failed) over week / nullif(sum(runs) over week, 0) as mean_7d,
            (select avg(seconds) from recovered where ended_at::date = day) as recovery
        from counts window week as (order by day rows between 6 preceding and current row) order by day
        """,
    )
    assert_equal(ROWS["failures"], expected)
    assert len(expected) == 62
    assert sum(row["recovery"] is not None for row in expected) > 30


def test_durations_by_week_and_branch(sql: duckdb.DuckDBPyConnection) -> None:
    expected = queried(
        sql,
        """
        with grouped as (
            select *, date_trunc('week', created_at)::date as week,
                case is_default_branch when true then 'default' when false then 'other' else 'all' end as place
            from runs
        )
        select week, place as branch, count(*) as runs,
            quantile_cont(duration, 0.5) as p50, quantile_cont(duration, 0.95) as p95
        from grouped group by week, place order by week, list_position(['default', 'other', 'all'], place)
        """,
    )
    assert_equal(ROWS["waits"], expected)
    assert len(expected) == 27


def test_jobs_by_time(sql: duckdb.DuckDBPyConnection) -> None:
    expected = queried(
        sql,
        """
        with totals as (
            select *, total_runs * coalesce(median_duration, 0) as total,
                row_number() over (order by total desc, substr(job, 5)::int) as position
            from jobs
        )
        select case when position <= 20 then project else '' end as project,
            case when position <= 20 then workflow else '' end as workflow,
            case when position <= 20 then job else 'others' end as job,
            sum(total_runs)::bigint as runs, case when min(position) <= 20 then min(median_duration) end as median,
            sum(total) as total, sum(total) / (select sum(total) from totals) as share,
            sum(sum(total)) over (order by min(position)) / (select sum(total) from totals) as cumulative_share
        from totals group by least(position, 21), 1, 2, 3 order by min(position)
        """,
    )
    assert_equal(ROWS["jobs"], expected)
    assert len(expected) == 21


def test_flaky_tests_by_time_wasted(sql: duckdb.DuckDBPyConnection) -> None:
    expected = queried(
        sql,
        """
        select project, workflow, job, test_name as test, times_flaked, time_wasted from flaky_tests
        order by time_wasted desc nulls last, times_flaked desc
        """,
    )
    assert [row["time_wasted"] for row in ROWS["flaky_tests"]] == [row["time_wasted"] for row in expected]
    key = "test"
    assert sorted(ROWS["flaky_tests"], key=lambda row: row[key]) == sorted(expected, key=lambda row: row[key])


def test_credits_by_project_workflow_job_and_class(sql: duckdb.DuckDBPyConnection) -> None:
    failed = "coalesce(sum(credits_used) filter (status in ('failed', 'error')), 0)"
    expected: list[dict[str, Any]] = []
    for by, name, table in (
        ("project", "project", "runs"),
        ("workflow", "project || ' ' || workflow", "runs"),
        ("resource class", "coalesce(resource_class, 'unknown')", "usage"),
    ):
        query = f"""
            select '{by}' as by, {name} as name, sum(credits_used)::double as credits,
                {failed}::double as failed_credits,
                sum(credits_used) / (select sum(credits_used) from {table}) as share
            from {table} group by 2 order by credits desc
        """
        expected += queried(sql, query)
    rows = [row for row in ROWS["credits"] if row["by"] != "job"]
    assert_equal([row | {name: float(row[name]) for name in ("credits", "failed_credits")} for row in rows], expected)

    by_job = [row for row in ROWS["credits"] if row["by"] == "job"]
    (total,) = sql.execute("select sum(credits_used) from jobs").fetchone() or ()
    assert len(by_job) == 16
    assert sum(row["credits"] for row in by_job) == total
    assert by_job[-1]["name"] == "others"


def test_queue_times_by_hour_and_class(sql: duckdb.DuckDBPyConnection) -> None:
    expected = queried(
        sql,
        """
        select hour(coalesce(queued_at, started_at)) as hour, coalesce(resource_class, 'unknown') as resource_class,
            count(*) as jobs, quantile_cont(queue_duration, 0.5) as p50, quantile_cont(queue_duration, 0.95) as p95
        from usage where queue_duration is not null group by 1, 2 order by 1, 2
        """,
    )
    assert_equal(ROWS["queue"], expected)


def test_use_of_resource_classes(sql: duckdb.DuckDBPyConnection) -> None:
    expected = queried(
        sql,
        """
        select project, workflow, job, coalesce(resource_class, 'unknown') as resource_class, count(*) as jobs,
            quantile_cont(median_cpu, 0.5) as median_cpu, max(max_cpu) as max_cpu,
            quantile_cont(median_ram, 0.5) as median_ram, max(max_ram) as max_ram,
            coalesce(sum(credits_used), 0) as credits,
            count(*) filter (max_cpu is not null and max_ram is not null) >= 5 and max(max_cpu) < 50
                and max(max_ram) < 50 and resource_class is distinct from 'small' as is_candidate
        from usage where max_cpu is not null or max_ram is not null
        group by project, workflow, job, usage.resource_class order by credits desc
        """,
    )
    assert_equal(ROWS["sizing"], expected)
    assert {row["is_candidate"] for row in expected} == {True, False}


def test_changes_against_the_first_half(sql: duckdb.DuckDBPyConnection) -> None:
    middle = at(DAYS) - timedelta(days=DAYS / 2)
    halves = [[each for each in REPORT.runs if (each.created_at >= middle) == late] for late in (False, True)]
    compared = report(halves[1], previous=report(halves[0]).workflows)
    rows = next(each.rows for each in compared.answers if each.key == "changes")
    half = f"created_at >= '{plain(middle)}'"
    columns: list[str] = []
    for name, metric, change in (
        ("runs", "count(*) {}", "{0} / {0}_before - 1"),
        (
            "failure_rate",
            "count(*) filter (status in ('failed', 'error') and {0}) / count(*) filter ({0})",
            "{0} - {0}_before",
        ),
        ("p50", "quantile_cont(duration, 0.5) {}", "{0} / {0}_before - 1"),
        ("p95", "quantile_cont(duration, 0.95) {}", "{0} / {0}_before - 1"),
        ("credits", "sum(credits_used) {}", "{0} / {0}_before - 1"),
    ):
        for title, side in ((name, half), (f"{name}_before", f"not {half}")):
            columns.append(f"{metric.format(side if name == 'failure_rate' else f'filter ({side})')} as {title}")
        columns.append(f"{change.format(name)} as {name}_change")
    expected = queried(
        sql, f"select project, workflow, {', '.join(columns)} from runs as raw group by all order by credits desc"
    )
    total = queried(sql, f"select '' as project, 'all workflows' as workflow, {', '.join(columns)} from runs as raw")
    for percentiles in ("p50", "p95"):
        total[0] |= dict.fromkeys((percentiles, f"{percentiles}_before", f"{percentiles}_change"))
    assert_equal(list(rows), [*total, *expected])
