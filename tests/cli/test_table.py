"""Tables: what a terminal has room for, at any width and for every command; and complete tables in a pipe."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest
from rich.cells import cell_len

from circleci_async import cli as package
from circleci_async.cli.table import Column, fit, layout
from circleci_async.testing import FakeCircleCI, World

from .conftest import Cli

STYLE = re.compile(r"\x1b\[[0-9;]*m")
NOTE = re.compile(r"(\d+) columns? hidden: (.*) \(widen the terminal or use --json\)")
WIDTHS = (40, 60, 80, 100, 120, 200)


def tables() -> Iterator[tuple[Column[object], ...]]:
    """Iterate the tables of all commands."""
    for module in pkgutil.iter_modules(package.__path__):
        for value in vars(importlib.import_module(f"{package.__name__}.{module.name}")).values():
            if isinstance(value, tuple) and value and all(isinstance(each, Column) for each in value):
                yield value


@pytest.fixture
def commands(world: World, fake: FakeCircleCI) -> list[tuple[object, ...]]:
    """The commands that print a table, against projects with long names."""
    for slug in ("gh/acme/api", "gh/acme/a-service-with-quite-a-long-name", "gh/an-other-organization/api"):
        project = world.project(slug)
        for branch in ("main", "feature/JIRA-1234-make-the-search-faster-and-better"):
            pipeline = project.pipeline(branch=branch, subject="Make the search faster, and explain how " * 3)
            workflow = pipeline.workflow("build-and-test-everything", status="failed")
            job = workflow.job("integration-tests-of-the-api", status="failed", parallelism=2)
            job.step("Run the tests of all packages", exit_code=1)
            job.test("test_that_it_works_as_expected", result="failure", classname="tests.unit.test_api", message="no")
            job.artifact("coverage/html/index.html", b"x")
            job.artifact("coverage/xml/index.html", b"x")
    project = world.projects["gh/acme/api"]
    job = project.pipelines.all[0].workflows[0].jobs[0]
    return [
        ("projects", "gh/acme"),
        ("pipelines", "gh/acme/api"),
        ("workflows", "gh/acme/api", 1),
        ("jobs", job.workflow.id),
        ("jobs", "gh/acme/api", job.number),
        ("artifacts", "list", "gh/acme/api", job.number),
        ("insights", *world.projects, "--all-branches"),
        ("logs", "gh/acme/api", job.number, "--steps"),
    ]


def parsed(table: str) -> dict[str, list[str]]:
    """Return the cells of a table by the titles of its columns."""
    header, *lines = table.splitlines()
    titles = [title for each in tables() for title in (column.title for column in each)]
    names = "|".join(re.escape(each) for each in sorted(set(titles), key=len, reverse=True))
    # A cut title ends with an ellipsis.
    spans = [match.span() for match in re.finditer(rf"(?:(?<=  )|^ *)(?:{names}|\S*…)(?=  |$)", header)]
    assert spans, header
    cells: dict[str, list[str]] = {}
    for begin, end in spans:
        # Numbers are aligned on the right, so that a column begins where the one before ends.
        rows = [[span for span in words(line) if span[0] < end and begin < span[1]] for line in lines]
        cells[header[begin:end].strip()] = ["  ".join(text for _, _, text in row) for row in rows]
    return cells


def words(line: str) -> list[tuple[int, int, str]]:
    return [(*match.span(), match[0]) for match in re.finditer(r"\S+(?: \S+)*", line)]


@pytest.mark.parametrize("width", WIDTHS)
def test_every_table_fits_and_hides_nothing_silently(cli: Cli, commands: list[tuple[object, ...]], width: int) -> None:
    seen: set[str] = set()
    for arguments in commands:
        code, piped, err = cli(*arguments)
        assert (code, err) == (0, "")
        code, shown, err = cli.on_terminal(*arguments, columns=width)
        assert code == 0
        complete = parsed(piped.rpartition("\n\n")[2])
        shown, err = STYLE.sub("", shown).rpartition("\n\n")[2], STYLE.sub("", err)
        assert max(map(cell_len, (*shown.splitlines(), *err.splitlines()))) <= width
        cells = parsed(shown)
        hidden = NOTE.fullmatch(" ".join(err.split()))
        names = hidden[2].split(", ") if hidden else []
        assert sorted([*cells, *names]) == sorted(complete)
        assert int(hidden[1]) == len(names) if hidden else not err
        for title, exact in complete.items():
            for short, text in zip(cells.get(title, ()), exact, strict=False):
                if title in {"Number", "Id", "URL", "Node", "Runs", "Exit code", "State", "Status"}:
                    assert short == text
                elif title not in {"Created", "Started", "Last pipeline"}:
                    assert re.fullmatch(re.escape(short).replace("…", ".+"), text)
        assert next(iter(cells)) == next(iter(complete))  # the first column is always shown
        seen.add(" ".join(complete))
    assert seen == {" ".join(column.title for column in each) for each in tables()}


def test_a_pipe_receives_every_cell_in_full(
    cli: Cli, commands: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = [cli(*arguments) for arguments in commands]
    monkeypatch.setenv("COLUMNS", "40")
    assert [cli(*arguments) for arguments in commands] == wide
    assert all("…" not in ran.out and not ran.err for ran in wide)


@pytest.mark.parametrize(
    ("text", "width", "on_the_right", "on_the_left"),
    [
        ("gh/acme/api", 11, "gh/acme/api", "gh/acme/api"),
        ("gh/acme/api", 10, "gh/acme/a…", "…/acme/api"),
        ("gh/acme/api", 9, "gh/acme/…", "…/api"),
        ("gh/acme/api", 5, "gh/a…", "…/api"),
        ("gh/acme/api", 4, "gh/…", "…api"),
        ("gh/acme/api", 3, "gh…", "…pi"),
        ("gh/acme/api", 1, "…", "…"),
        ("main", 3, "ma…", "…in"),
        ("日本/語語", 6, "日本/…", "…/語語"),
        ("日本/語語", 5, "日本…", "…語語"),
    ],
)
def test_texts_are_cut_at_the_given_side(text: str, width: int, on_the_right: str, on_the_left: str) -> None:
    assert fit(text, width) == on_the_right
    assert fit(text, width, is_path=True) == on_the_left
    assert max(cell_len(on_the_right), cell_len(on_the_left)) <= width


@pytest.mark.parametrize(
    ("slugs", "width", "shown"),
    [
        (["gh/acme/api", "gh/acme/web"], 20, ["…/api", "…/web"]),
        (["gh/acme/api", "gh/other/api"], 20, ["gh/acme/api", "…/other/api"]),
        (["gh/acme/api", "gh/acme/api"], 20, ["…/api", "…/api"]),
        (["gh/acme/api", "api"], 40, ["gh/acme/api", "api"]),
    ],
    ids=["same organization", "same name", "same project", "enough room"],
)
def test_slugs_stay_distinct(slugs: list[str], width: int, shown: list[str]) -> None:
    columns: list[Column[str]] = [Column("P", str, is_path=True, min_width=1), Column("Runs", len, is_fixed=True)]
    rows = [[slug, "1" * (width - 13 if "other" in "".join(slugs) else 10)] for slug in slugs]

    widths, hidden = layout(columns, rows, width)

    assert [fit(slug, widths[0], is_path=True) for slug in slugs] == shown
    assert hidden == []


def test_columns_are_hidden_from_the_last_one_and_never_the_first_or_a_key_before() -> None:
    columns: list[Column[str]] = [
        Column("Name", str, min_width=6),
        Column("Status", str, is_fixed=True),
        Column("Note", str),
        Column("Id", str, is_fixed=True, is_key=True),
    ]
    row = ["name-of-it", "success", "a longer note", "12345678"]

    def at(width: int) -> tuple[list[int], list[str]]:
        widths, hidden = layout(columns, [row], width)
        return [*widths.values()], hidden

    assert at(44) == ([10, 7, 13, 8], [])
    assert at(39) == ([6, 7, 12, 8], [])
    assert at(38) == ([10, 7, 8], ["Note"])
    assert at(24) == ([10, 8], ["Status", "Note"])
    assert at(15) == ([6, 7], ["Note", "Id"])
    assert at(5) == ([5], ["Status", "Note", "Id"])
    assert layout(columns, [row], None) == ({0: 10, 1: 7, 2: 13, 3: 8}, [])
