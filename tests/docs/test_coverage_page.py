"""The table of all calls matches the code, is complete, and links to pages that show the calls."""

import re
from pathlib import Path

import pytest

from docs.coverage import PAGE, table
from tests.endpoints.contract import OPERATIONS

from .pages import README, name, pages

_ROW = re.compile(
    r"^\| \[`circle\.(?P<group>\w+)\.(?P<method>\w+)`\]\((?P<target>[^)]+)\) \| "
    r"(?P<does>.+?)(<br>`(?P<operation>.+?)`)? \| `(?P<returns>.+?)` \|$",
    re.MULTILINE,
)
_COUNT = re.compile(r"\b(\d+) operations")


def test_the_page_matches_the_code() -> None:
    assert PAGE.read_text("utf-8") == table(), "run `python docs/coverage.py` to regenerate the page"


def test_the_page_lists_every_operation_under_its_name() -> None:
    listed = {f"{row['group']}.{row['method']}": row["operation"] for row in _ROW.finditer(PAGE.read_text("utf-8"))}
    expected = {each.name: f"{each.method} {each.path}" for each in OPERATIONS.values()}
    assert expected.items() - listed.items() == set()


def test_the_page_says_what_a_call_does_and_returns() -> None:
    rows = {f"{row['group']}.{row['method']}": row for row in _ROW.finditer(PAGE.read_text("utf-8"))}
    shown = {name: (rows[name]["does"], rows[name]["returns"]) for name in ("pipelines.list", "artifacts.latest")}
    assert shown == {
        "pipelines.list": ("Iterate over the pipelines of a project, newest first.", "Paged[Pipeline]"),
        "artifacts.latest": (
            "Find the artifacts of the newest successful pipeline that has matching ones; None if there is none.",
            r"LatestArtifacts \| None",
        ),
    }
    assert {name for name, row in rows.items() if not row["does"].endswith(".")} == set()


@pytest.mark.parametrize("page", pages(), ids=name)
def test_a_page_states_the_number_of_operations_correctly(page: Path) -> None:
    counts = set(_COUNT.findall(page.read_text("utf-8")))
    assert counts <= {str(len(OPERATIONS))}
    assert counts or page not in {PAGE, README}


def test_every_link_targets_a_page_that_shows_the_call() -> None:
    rows = list(_ROW.finditer(PAGE.read_text("utf-8")))
    assert len(rows) >= len(OPERATIONS)
    wrong: list[str] = []
    for row in rows:
        page = PAGE.parent / row["target"]
        call = f"circle.{row['group']}.{row['method']}("
        if not page.exists() or call not in page.read_text("utf-8"):
            wrong.append(f"{call} on {row['target']}")
    assert wrong == []
