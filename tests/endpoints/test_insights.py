"""Metrics of insights."""

from datetime import UTC, datetime
from typing import Any

import circleci_async as ca
from circleci_async import CircleCI
from circleci_async.testing import FakeCircleCI, World
from tests.models.spec import example
from tests.raw_server import answer, raw_server

PROJECT, BUILD = "gh/acme/api", "build and test"


async def test_flaky_tests_have_dates() -> None:
    body: dict[str, Any] = {"flaky_tests": [example("getFlakyTests")["flaky_tests"][0]], "total_flaky_tests": 1}
    body["flaky_tests"][0]["workflow_created_at"] = "2026-07-26T23:59:55.667Z"
    async with raw_server(answer(200, body)) as server, CircleCI("a-token", host=server.url) as circle:
        report = await circle.insights.flaky_tests(PROJECT)
    assert report.flaky_tests[0].workflow_created_at == datetime(2026, 7, 26, 23, 59, 55, 667000, tzinfo=UTC)
    [row] = ca.rows(report.flaky_tests, project=PROJECT)
    assert type(row["workflow_created_at"]) is datetime


async def test_relative_times_and_dates_are_sent_as_points_in_time() -> None:
    world = World()
    project = world.project(PROJECT)
    project.pipeline(branch="main").workflow("build", status="success").job("test", duration=60)
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        begin = datetime.now(UTC)
        await circle.insights.workflow_runs(PROJECT, "build", start_date="30d", end_date="12h").collect()
        await circle.insights.job_timeseries(PROJECT, "build", start_date=begin.date()).collect()
    runs, series = fake.requests[-2:]
    start, end = (datetime.fromisoformat(runs.query[name]) for name in ("start-date", "end-date"))
    assert (end - start).total_seconds() == (30 * 24 - 12) * 3600
    assert series.query["start-date"] == f"{begin:%Y-%m-%d}T00:00:00Z"
