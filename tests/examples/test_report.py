"""The report reads insights of an organization, and writes tables and a summary."""

import asyncio
import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from circleci_async.testing import FakeCircleCI, World, example_world
from docs.examples import report

from .processes import EXAMPLES, STOPS, TIMEOUT, ended, in_terminal, started

REPORT = str(EXAMPLES / "report.py")


def table(folder: Path, name: str) -> tuple[list[str], list[dict[str, str]]]:
    """Return the columns and the rows of a table."""
    with (folder / "report" / f"{name}.csv").open(newline="") as text:
        read = csv.DictReader(text)
        return list(read.fieldnames or ()), list(read)


async def test_it_writes_the_tables_and_the_summary_of_an_organization(tmp_path: Path) -> None:
    async with (
        FakeCircleCI(example_world()) as fake,
        started(REPORT, "gh/acme", env=dict(fake.environment), folder=tmp_path) as process,
    ):
        assert await ended(process) == (0, "", "")
    _, workflows = table(tmp_path, "workflows")
    assert {(row["project"], row["name"], row["total_runs"]) for row in workflows} == {
        ("gh/acme/api", "build", "23"),
        ("gh/acme/infra", "plan", "1"),
        ("gh/acme/web", "release", "2"),
    }
    _, runs = table(tmp_path, "runs")
    assert len(runs) == 26
    assert {row["workflow"] for row in runs} == {"build", "plan", "release"}
    _, credits = table(tmp_path, "credits")
    assert sum(int(row["credits"]) for row in credits) == sum(int(row["credits_used"]) for row in runs)
    assert [(row["project"], row["day"]) for row in credits] == sorted((row["project"], row["day"]) for row in credits)
    _, flaky = table(tmp_path, "flaky_tests")
    assert [(row["project"], row["test_name"], row["times_flaked"]) for row in flaky] == [
        ("gh/acme/api", "test_login", "3")
    ]
    summary = (tmp_path / "report" / "summary.md").read_text().splitlines()
    assert summary[0] == "3 projects, 26 runs, 723 credits"
    assert summary[4] == "| gh/acme/infra plan | 1 | 0% | 45 s | 10 |"  # the worst first
    assert summary[-1] == "| gh/acme/api test_login | test | 3 |"


async def test_an_organization_without_runs_has_tables_with_columns(
    use: Callable[[FakeCircleCI], None], tmp_path: Path
) -> None:
    world = World()
    world.project("gh/acme/api")
    async with FakeCircleCI(world) as fake:
        use(fake)
        assert await report.main("gh/acme", [], 30, tmp_path / "report") == []
    one_column = {"workflows": "success_rate", "runs": "duration", "flaky_tests": "file", "credits": "day"}
    for name, column in one_column.items():
        columns, rows = table(tmp_path, name)
        assert {"project", column} <= set(columns)
        assert rows == []


async def test_an_error_of_a_project_is_listed_and_does_not_stop_the_others(
    use: Callable[[FakeCircleCI], None], tmp_path: Path
) -> None:
    async with FakeCircleCI(example_world()) as fake:
        use(fake)
        fake.fail("*/insights/gh/acme/web/workflows/release", status=403)
        errors = await report.main("gh/acme", ["gh/acme/gone", "gh/acme/web"], 7, tmp_path / "report")
    assert sorted(error.partition(": 40")[0] for error in errors) == [
        "gh/acme/gone: no flaky tests",
        "gh/acme/gone: no insights",
        "gh/acme/web release: no runs",
    ]
    summary = (tmp_path / "report" / "summary.md").read_text()
    assert "| gh/acme/web release | 2 | 100% |" in summary
    assert all(f"- {error}\n" in summary for error in errors)


async def test_an_invalid_token_is_a_short_message(tmp_path: Path) -> None:
    async with (
        FakeCircleCI(token="t") as fake,
        started(REPORT, "gh/acme", env={**fake.environment, "CIRCLE_TOKEN": "wrong"}, folder=tmp_path) as process,
    ):
        code, out, err = await ended(process)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("error: 401 Unauthorized")


@pytest.mark.parametrize("how", STOPS)
async def test_a_report_that_is_stopped_writes_nothing(how: str, tmp_path: Path) -> None:
    async with FakeCircleCI(example_world()) as fake:
        waiting = fake.fail("*/flaky-tests", delay=600, times=3)
        async with in_terminal(REPORT, "gh/acme", env=dict(fake.environment), folder=tmp_path) as terminal:
            async with asyncio.timeout(TIMEOUT):
                while waiting.hits < 3:
                    await asyncio.sleep(0.01)
            terminal.stop(how)
            code, out = await terminal.ended()
    assert (code, out.removeprefix("^C")) == (130, "interrupted: no report is written\n")
    assert not (tmp_path / "report").exists()
