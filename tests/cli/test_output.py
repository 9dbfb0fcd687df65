"""Formatting: output fits the terminal, and untrusted text contains no control characters."""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import pytest
from rich.cells import cell_len

from circleci_async.cli.formatting import Cell, age, duration, shown
from circleci_async.cli.output import Output
from circleci_async.reports.wording import counted
from circleci_async.testing import FakeCircleCI, World
from circleci_async.untrusted_text import printable

from .conftest import Cli
from .process import run_on_terminal

STYLE = re.compile(r"\x1b\[[0-9;]*m")
HOSTILE = "[red]x[/red]\x1b]0;owned\x07\x1b[2J\u202egnp.exe\x9b31m\r\nok:smile:"
ESCAPED = r"[red]x[/red]\x1b]0;owned\x07\x1b[2J\u202egnp.exe\x9b31m  ok:smile:"


def without_styles(text: str) -> str:
    return STYLE.sub("", text)


@pytest.fixture
def hostile(world: World, fake: FakeCircleCI) -> World:
    """A world in which every name that the author of a build chooses is hostile."""
    project = world.project("gh/acme/api")
    workflow = project.pipeline(branch=HOSTILE, subject=HOSTILE).workflow(HOSTILE, status="failed")
    workflow.job(HOSTILE).artifact(HOSTILE, b"x")
    workflow.job("tests", status="failed").test(HOSTILE, result="failure", message=HOSTILE)
    return world


@pytest.mark.parametrize("width", [400, 80])
def test_hostile_text_is_escaped_on_a_terminal(cli: Cli, hostile: World, width: int) -> None:
    (workflow,) = hostile.workflows.values()
    for arguments in (
        ("pipelines", "gh/acme/api"),
        ("workflows", "gh/acme/api", 1),
        ("jobs", workflow.id),
        ("jobs", "gh/acme/api", 2),
        ("artifacts", "list", "gh/acme/api", 1),
        ("insights", "gh/acme/api", "--all-branches"),
    ):
        code, shown, err = cli.on_terminal(*arguments, columns=width)
        plain = without_styles(shown)
        assert code == 0
        assert err == ""
        assert plain.replace("\n", "").isprintable(), plain
        assert ESCAPED in plain or width == 80


def test_hostile_text_is_escaped_in_a_pipe_and_in_json(cli: Cli, hostile: World) -> None:
    piped = cli("pipelines", "gh/acme/api")
    assert ESCAPED in piped.out
    assert piped.out.replace("\n", "").isprintable()

    data = cli("pipelines", "gh/acme/api", "--json")
    assert data.data[0]["vcs"]["branch"] == HOSTILE
    assert data.out.isascii()
    assert data.out.replace("\n", "").isprintable()


def test_a_hostile_error_message_is_escaped_on_one_line(cli: Cli, fake: FakeCircleCI) -> None:
    fake.fail("*", status=400, body={"message": HOSTILE})

    code, out, err = cli("me")

    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert err.startswith("error: 400 Bad Request: [red]x[/red]\\x1b]0;owned")
    assert err.rstrip("\n").isprintable()


@pytest.mark.parametrize(
    ("message", "hint", "line"),
    [
        ("Not found", None, "error: Not found"),
        ("Not found", "", "error: Not found"),
        ("Not found", "Check the name", "error: Not found [hint: Check the name]"),
        ("No. (GET /x)", "Look (again).", "error: No. (GET /x) [hint: Look (again).]"),
        ("a\nb\u2028c\n", "d\ne.", "error: a b c [hint: d e.]"),
        ("[red]\x1b[2J", "[b]\x9b31m", r"error: [red]\x1b[2J [hint: [b]\x9b31m]"),
        ("long " * 100 + "end", "long " * 100 + "end", f"error: {'long ' * 100}end [hint: {'long ' * 100}end]"),
    ],
    ids=["no hint", "empty hint", "plain", "full stops and parentheses", "line breaks", "hostile", "long"],
)
def test_an_error_and_its_hint_are_one_escaped_line(
    capsys: pytest.CaptureFixture[str], message: str, hint: str | None, line: str
) -> None:
    Output().error(message, hint)

    assert capsys.readouterr() == ("", f"{line}\n")


def test_the_log_contains_no_text_of_the_server(cli: Cli, fake: FakeCircleCI) -> None:
    fake.fail("*", status=500, body={"message": HOSTILE})

    code, _, err = cli("-v", "me")

    assert code == 0
    assert "attempt 1 failed (status 500)" in err
    assert "owned" not in err
    assert err.replace("\n", "").isprintable()


def test_tables_fit_a_terminal_of_usual_width_and_show_every_cell(cli: Cli, world: World, fake: FakeCircleCI) -> None:
    pipeline = world.project("gh/acme/api").pipeline(branch="a-long-name-" * 9, subject="What it is about, 短い " * 9)

    for columns in (60, 119):
        code, shown, err = cli.on_terminal("pipelines", "gh/acme/api", columns=columns)
        lines = without_styles(shown).splitlines()
        assert (code, err) == (0, "")
        assert max(map(cell_len, lines)) <= max(columns, 110)
        assert pipeline.id in shown
        assert any(line.split()[:2] == ["1", "created"] for line in lines)
        assert shown.count("about") == 9


def test_terminals_show_ages_and_colours(cli: Cli, world: World, fake: FakeCircleCI) -> None:
    world.project("gh/acme/api").pipeline(created_at=world.clock() - timedelta(hours=3, minutes=2))

    shown = run_on_terminal("pipelines", "gh/acme/api", columns=140).out

    assert "3h ago" in shown
    assert "\x1b[32mcreated" in shown


def test_a_record_on_a_terminal_has_ages_and_coloured_statuses(cli: Cli, world: World, fake: FakeCircleCI) -> None:
    world.project("gh/acme/api").pipeline().workflow("build").job("test", status="failed")

    _, shown, _ = cli.on_terminal("jobs", "gh/acme/api", 1)

    assert "\x1b[31mfailed" in shown
    assert "Started:       1h ago" in without_styles(shown)


def test_a_pipe_receives_complete_lines_without_styles(
    cli: Cli, world: World, fake: FakeCircleCI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    subject = "What it is all about, at length " * 20
    world.project("gh/acme/api").pipeline(subject=subject)

    out = cli("pipelines", "gh/acme/api").out

    assert subject in out
    assert "\x1b" not in out
    assert len(out.splitlines()) == 2


def test_columns_with_wide_characters_are_aligned(cli: Cli, world: World, fake: FakeCircleCI) -> None:
    project = world.project("gh/acme/api")
    for subject in ("日本語", "ascii"):
        project.pipeline(subject=subject)

    _, ascii_only, wide = cli("pipelines", "gh/acme/api").out.splitlines()

    # Each of the three characters takes two columns, so the id begins three characters earlier.
    assert wide.index(project.pipelines.all[0].id) == ascii_only.index(project.pipelines.all[1].id) - 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain, größe, 日本", "plain, größe, 日本"),
        ("a\tb\nc\r\nd\x85e\u2028f\xa0g", "a b c  d e f g"),
        ("\x00\x1b\x7f\x9b", r"\x00\x1b\x7f\x9b"),
        ("\u202e\u2066\ufeff", r"\u202e\u2066\ufeff"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
        ("👩\u200d💻", "👩\u200d💻"),
    ],
)
def test_untrusted_text_becomes_printable(text: str, expected: str) -> None:
    assert printable(text) == expected


NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("past", "expected"),
    [
        (timedelta(seconds=-5), "now"),
        (timedelta(seconds=0.5), "now"),
        (timedelta(seconds=59), "59s ago"),
        (timedelta(minutes=59, seconds=59), "59m ago"),
        (timedelta(hours=23, minutes=59), "23h ago"),
        (timedelta(days=60), "60d ago"),
        (timedelta(days=61), "2026-03-04"),
    ],
)
def test_ages_have_one_unit(past: timedelta, expected: str) -> None:
    assert age(NOW - past, NOW) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.0s"),
        (9.96, "10.0s"),
        (10, "10s"),
        (59.7, "1m 00s"),
        (125, "2m 05s"),
        (3599.6, "1h 00m"),
        (90_060, "25h 01m"),
    ],
)
def test_durations_have_at_most_two_units(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


class Word(StrEnum):
    GOOD = "good"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (None, "-"),
        ("", "-"),
        (0, "0"),
        (Word.GOOD, "good"),
        (timedelta(seconds=61), "1m 01s"),
        (NOW, "2026-05-04T12:00:00Z"),
    ],
)
def test_cells_are_formatted_by_type(cell: Cell, expected: str) -> None:
    assert shown(cell, exact=True) == expected


def test_counted_uses_singular_and_plural() -> None:
    assert [counted(1, "file"), counted(1200, "file"), counted(2, "retry", "retries")] == [
        "1 file",
        "1,200 files",
        "2 retries",
    ]


def test_a_quiet_command_prints_no_notes(cli: Cli, world: World, fake: FakeCircleCI) -> None:
    assert cli("pipelines", "gh/acme/nope", "--json", "--quiet", "--limit", "1").err.startswith("error: 404")
    world.project("gh/acme/api")
    assert cli("pipelines", "gh/acme/api").err == "no pipelines of gh/acme/api\n"
    assert cli("pipelines", "gh/acme/api", "--quiet") == (0, "", "")
