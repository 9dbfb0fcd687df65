"""`usage export`: CSV for people and spreadsheets, JSON for programs."""

import csv
import io
import json
from pathlib import Path

import pytest

from circleci_async.testing import FakeCircleCI, Organization, World

from .conftest import Cli


@pytest.fixture
def acme(world: World, fake: FakeCircleCI) -> Organization:
    """An organization that ran three jobs; its exports take no time."""
    workflow = world.project("gh/acme/api").pipeline().workflow("build")
    for name in ("lint", "test", "say, hello"):
        workflow.job(name)
    organization = world.organization("gh/acme")
    organization.usage.export_time = 0.0
    organization.usage.rows_per_part = 2
    return organization


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_usage_is_written_as_csv_and_the_export_is_named(cli: Cli, acme: Organization) -> None:
    code, out, err = cli("usage", "export", acme.id)
    assert code == 0
    assert sorted(row["JOB_NAME"] for row in rows_of(out)) == ["lint", "say, hello", "test"]
    assert err.startswith("export ")


def test_an_organization_may_be_named_by_its_slug(cli: Cli, acme: Organization) -> None:
    code, out, _ = cli("usage", "export", "gh/acme", "--json")
    assert code == 0
    assert len(json.loads(out)) == 3


def test_a_file_appears_when_it_is_whole(cli: Cli, acme: Organization, tmp_path: Path) -> None:
    code, out, err = cli("usage", "export", acme.id, "--into", tmp_path / "usage.csv")
    assert (code, out) == (0, "")
    assert "3 rows in" in err
    assert len(rows_of((tmp_path / "usage.csv").read_text())) == 3


def test_what_fails_leaves_no_file_and_says_how_to_go_on(
    cli: Cli, fake: FakeCircleCI, acme: Organization, tmp_path: Path
) -> None:
    fake.fail("*/usage/*", origin="storage", times=1, after=1, status=404, body="gone")
    code, _, err = cli("usage", "export", acme.id, "--into", tmp_path / "usage.csv")
    assert code == 1
    assert [*tmp_path.glob("*usage*")] == []
    [hint] = [line for line in err.splitlines() if "--export-id" in line]
    export_id = hint.partition("--export-id ")[2].split(".")[0]

    code, out, _ = cli("usage", "export", acme.id, "--export-id", export_id)
    assert code == 0
    assert len(rows_of(out)) == 3


def test_no_usage_is_no_error(cli: Cli, world: World, fake: FakeCircleCI) -> None:
    organization = world.organization("gh/empty")
    organization.usage.export_time = 0.0
    assert cli("usage", "export", organization.id)[:2] == (0, "")
    assert cli("usage", "export", organization.id, "--json").data == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--start", "soon"], "--start 'soon': give a date"),
        (["--end", "2026-02-30"], "--end '2026-02-30': give a date"),
        (["--start", "2026-03-01", "--end", "2026-05-01"], "at most 31 days"),
    ],
    ids=["start", "end", "span"],
)
def test_dates_that_can_not_be_right_are_refused(cli: Cli, fake: FakeCircleCI, arguments: list[str], said: str) -> None:
    code, _, err = cli("usage", "export", "5034460f-c7c4-4c43-9457-de07e2029e7b", *arguments)
    assert code == 2
    assert said in err
    assert fake.requests == []


def test_a_failed_export_says_why(cli: Cli, acme: Organization) -> None:
    acme.fail_next_export("too much data")
    code, out, err = cli("usage", "export", acme.id)
    assert (code, out) == (1, "")
    assert "too much data" in err


def test_on_a_terminal_the_status_is_shown_on_stderr(cli_on_terminal: Cli, acme: Organization) -> None:
    code, out, _ = cli_on_terminal(80, "usage", "export", acme.id)
    assert code == 0
    assert len(rows_of(out)) == 3
