"""CONTRIBUTING.md shows the code of this tree."""

import re
from pathlib import Path

import pytest

from .pages import ROOT

_DIFF = re.compile(r"^````diff\n(.*?)^````$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^--- a/(?P<old>\S+)\n\+\+\+ b/(?P<new>\S+)\n(?P<lines>(?:^\+.*\n)+)", re.MULTILINE)

[DIFF] = _DIFF.findall((ROOT / "CONTRIBUTING.md").read_text("utf-8"))
ADDED = {found["new"]: re.sub(r"^\+", "", found["lines"], flags=re.MULTILINE) for found in _FILE.finditer(DIFF)}


def test_the_diff_that_adds_an_endpoint_touches_four_places() -> None:
    folders = {Path(file).parent.as_posix() for file in ADDED}
    assert folders == {
        "circleci_async/endpoints",
        "circleci_async/models",
        "circleci_async/testing/handlers",
        "docs/groups",
    }


@pytest.mark.parametrize("file", ADDED)
def test_the_diff_that_adds_an_endpoint_matches_the_tree(file: str) -> None:
    assert ADDED[file] in (ROOT / file).read_text("utf-8")
