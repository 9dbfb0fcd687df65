"""`usage export`: CSV for people and spreadsheets, JSON for programs."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

from circleci_async.testing import FakeCircleCI, Organization, World

from .conftest import Cli, Terminal, signal_when

FAST = ("--interval", "0.05")
"""Seconds between polls; one second by default."""


@pytest.fixture
def acme(world: World, fake: FakeCircleCI) -> Organization:
    """An organization with three jobs, whose exports complete at once."""
    workflow = world.project("gh/acme/api").pipeline().workflow("build")
    for name in ("lint", "test", "say, hello"):
        workflow.job(name)
    organization = world.organization("gh/acme")
    organization.usage.export_time = 0.0
    organization.usage.rows_per_part = 2
    return organization


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_usage_is_printed_as_csv_and_the_export_id_on_stderr(cli: Cli, acme: Organization) -> None:
    code, out, err = cli("usage", "export", *FAST, acme.id)
    assert code == 0
    assert sorted(row["JOB_NAME"] for row in rows_of(out)) == ["lint", "say, hello", "test"]
    assert err.startswith("export ")


def test_an_organization_is_given_by_its_slug(cli: Cli, acme: Organization) -> None:
    code, out, _ = cli("usage", "export", *FAST, "gh/acme", "--json")
    assert code == 0
    assert len(json.loads(out)) == 3


@pytest.mark.parametrize("organization", ["acme", "gh/acme/api", "", "https://example.com/acme"])
def test_what_is_not_an_organization_is_bad_usage_and_sends_nothing(
    cli: Cli, fake: FakeCircleCI, organization: str
) -> None:
    code, out, err = cli("usage", "export", *FAST, organization)

    assert (code, out) == (2, "")
    assert re.fullmatch(f"error: .*{re.escape(repr(organization))}.*gh/.*\n", err)
    assert fake.requests == []


def test_a_file_that_cannot_be_written_is_an_error_before_the_export(
    cli: Cli, acme: Organization, fake: FakeCircleCI, tmp_path: Path
) -> None:
    folder = tmp_path / "absent"

    code, out, err = cli("usage", "export", *FAST, acme.id, "--into", folder / "usage.csv")

    assert (code, out) == (1, "")
    assert err == f"error: --into {folder / 'usage.csv'} cannot be written: {folder}: no such file or directory\n"
    assert fake.requests == []


def test_into_writes_a_file(cli: Cli, acme: Organization, tmp_path: Path) -> None:
    code, out, err = cli("usage", "export", *FAST, acme.id, "--into", tmp_path / "usage.csv")
    assert (code, out) == (0, "")
    assert "3 rows in" in err
    assert len(rows_of((tmp_path / "usage.csv").read_text())) == 3


def test_a_failed_export_leaves_no_file_and_can_be_resumed(
    cli: Cli, fake: FakeCircleCI, acme: Organization, tmp_path: Path
) -> None:
    fake.fail("*/usage/*", origin="storage", times=1, after=1, status=404, body="gone")
    code, _, err = cli("usage", "export", *FAST, acme.id, "--into", tmp_path / "usage.csv")
    assert code == 1
    assert [*tmp_path.glob("*usage*")] == []
    [hint] = [line for line in err.splitlines() if "--export-id" in line]
    export_id = hint.partition("--export-id ")[2].rstrip("]")

    code, out, _ = cli("usage", "export", *FAST, acme.id, "--export-id", export_id)
    assert code == 0
    assert len(rows_of(out)) == 3


def test_ctrl_c_prints_how_to_resume_the_export(
    cli: Cli, acme: Organization, fake: FakeCircleCI, tmp_path: Path
) -> None:
    acme.usage.export_time = 60.0

    with signal_when(lambda: any(request.method == "GET" for request in fake.requests)):
        code, out, err = cli("usage", "export", *FAST, acme.id, "--into", tmp_path / "usage.csv", "--interval", "0.05")

    assert (code, out) == (130, "")
    export, resume = err.splitlines()
    assert resume == f"the export continues; resume with --export-id {export.removeprefix('export ')}"
    assert [*tmp_path.glob("*usage*")] == []


def test_empty_usage_succeeds(cli: Cli, world: World, fake: FakeCircleCI) -> None:
    organization = world.organization("gh/empty")
    organization.usage.export_time = 0.0
    assert cli("usage", "export", *FAST, organization.id)[:2] == (0, "")
    assert cli("usage", "export", *FAST, organization.id, "--json").data == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--start", "soon"], "--start must be a time such as 7d, 12h, 2026-11-24 or 2026-11-24T10:00:00Z, got 'soon'"),
        (["--end", "2026-02-30"], "--end must be a time such as 7d"),
        (
            ["--start", "2026-03-01", "--end", "2026-05-01"],
            "end must be at most 31 days after start=2026-03-01 ",
        ),
        (["--interval", "5,1"], "--interval must be seconds"),
    ],
    ids=["start", "end", "span", "interval"],
)
def test_invalid_arguments_are_bad_usage_and_send_nothing(
    cli: Cli, fake: FakeCircleCI, arguments: list[str], message: str
) -> None:
    code, _, err = cli("usage", "export", *FAST, "5034460f-c7c4-4c43-9457-de07e2029e7b", *arguments)
    assert code == 2
    assert message in err
    assert fake.requests == []


def test_a_failed_export_prints_its_reason(cli: Cli, acme: Organization) -> None:
    acme.fail_next_export("too much data")
    code, out, err = cli("usage", "export", *FAST, acme.id)
    assert (code, out) == (1, "")
    assert "too much data" in err


@pytest.mark.parametrize("stdout", [io.StringIO, Terminal])
@pytest.mark.parametrize("options", [(), ("--json",), ("--into",)], ids=["csv", "json", "into"])
def test_the_status_on_a_terminal_does_not_mix_with_the_rows(
    cli: Cli, acme: Organization, tmp_path: Path, stdout: type[io.StringIO], options: tuple[str, ...]
) -> None:
    if "--into" in options:
        options += (str(tmp_path / "usage.csv"),)
    code, out, err = cli("usage", "export", *FAST, acme.id, *options, stdout=stdout(), stderr=Terminal())
    assert code == 0
    assert ("requesting an export" in err) == ("--json" not in options)
    assert "say, hello" not in err
    rows = json.loads(out) if "--json" in options else rows_of((tmp_path / "usage.csv").read_text() if options else out)
    assert len(rows) == 3


def test_json_has_types_and_csv_the_text_of_circleci(cli: Cli, acme: Organization) -> None:
    data = cli("usage", "export", *FAST, acme.id, "--start", "30d", "--json").data
    assert {type(row["TOTAL_CREDITS"]) for row in data} == {float}
    assert {type(row["PIPELINE_NUMBER"]) for row in data} == {int}
    started_at = data[0]["JOB_RUN_STARTED_AT"]
    text = rows_of(cli("usage", "export", *FAST, acme.id, "--start", "30d").out)
    assert text[0]["JOB_RUN_STARTED_AT"] == started_at.replace("T", " ").removesuffix("Z")
    assert [float(row["TOTAL_CREDITS"]) for row in text] == [row["TOTAL_CREDITS"] for row in data]
    assert all("." not in row["TOTAL_CREDITS"] for row in text)
