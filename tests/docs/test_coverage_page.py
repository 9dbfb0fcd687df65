"""The table of all calls is what the code says, leaves nothing out, and leads to pages that show the calls."""

import re
from pathlib import Path

import pytest

from docs.coverage import PAGE, table
from tests.endpoints.contract import OPERATIONS

from .pages import DOCS, README, name

_ROW = re.compile(
    r"^\| \[`circle\.(?P<group>\w+)\.(?P<method>\w+)`\]\((?P<target>[^)]+)\) \| `?(?P<says>.+?)`? \|$", re.MULTILINE
)
_COUNT = re.compile(r"\b(\d+) operations")


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text("utf-8") == table(), "run `python docs/coverage.py` to regenerate the page"


def test_the_page_lists_every_operation_under_its_name() -> None:
    listed = {f"{row['group']}.{row['method']}": row["says"] for row in _ROW.finditer(PAGE.read_text("utf-8"))}
    expected = {each.name: f"{each.method} {each.path}" for each in OPERATIONS.values()}
    assert expected.items() - listed.items() == set()


@pytest.mark.parametrize("page", [PAGE, README, DOCS / "index.md", DOCS / "guide" / "testing.md"], ids=name)
def test_a_page_that_counts_the_operations_counts_right(page: Path) -> None:
    assert set(_COUNT.findall(page.read_text("utf-8"))) == {str(len(OPERATIONS))}


def test_every_link_leads_to_a_page_that_shows_the_call() -> None:
    rows = list(_ROW.finditer(PAGE.read_text("utf-8")))
    assert len(rows) >= len(OPERATIONS)
    wrong: list[str] = []
    for row in rows:
        page = PAGE.parent / row["target"]
        call = f"circle.{row['group']}.{row['method']}("
        if not page.exists() or call not in page.read_text("utf-8"):
            wrong.append(f"{call} on {row['target']}")
    assert wrong == []
