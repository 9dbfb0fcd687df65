"""The tests that the page of promises names exist."""

import re

import pytest

from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "promises.md"
_NAME = re.compile(r"`(?P<file>[a-z_/]+\.py)?::(?P<test>test_\w+)`")


def named_tests() -> list[tuple[str, str]]:
    """Return file and name of each test; one without a file is in the file named before it."""
    tests: list[tuple[str, str]] = []
    for name in _NAME.finditer(PAGE.read_text("utf-8")):
        tests.append((name["file"] or tests[-1][0], name["test"]))
    return tests


@pytest.mark.parametrize(("file", "test"), named_tests())
def test_a_named_test_exists(file: str, test: str) -> None:
    assert re.search(rf"^(async )?def {test}\(", (ROOT / "tests" / file).read_text("utf-8"), re.MULTILINE)


def test_every_promise_names_a_test() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    promises = [row for row in rows if row != "| promise | bound | test |"]
    assert len(promises) > 30
    assert [row for row in promises if not _NAME.search(row)] == []
