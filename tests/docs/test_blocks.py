"""The blocks of the pages have the form that lets them run."""

import ast
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

from .pages import Block, blocks, fake_options, installs, name, pages
from .reader import matches

LANGUAGES = {
    "python",
    "console",
    "sh",
    "text",
    "json",
    "yaml",
    "toml",
    "ini",
    "{toctree}",
    "{eval-rst}",
    "{include}",
    "{literalinclude}",
}


OWN = {"circleci_async", "aiohttp", "attrs", "cattrs", "bot"}
"""Modules that need no installation: the package, what it depends on, and the files of the page "Testing your code"."""

DISTRIBUTIONS = packages_distributions()
COMMANDS = ("circleci-async ", "python -m circleci_async ", "pytest ")
OPERATORS = set(";|&<>")


def _spelled(distribution: str) -> str:
    """Return the name of a distribution as pages spell it."""
    return distribution.lower().replace("_", "-")


def _imports(page: Path) -> Iterator[str]:
    """Iterate the modules that the blocks of a page import."""
    for block in blocks(page):
        for node in ast.walk(ast.parse(block.text)) if block.language == "python" else ():
            match node:
                case ast.Import(names):
                    yield from (each.name for each in names)
                case ast.ImportFrom(module=str(module)):
                    yield module


@pytest.mark.parametrize("page", [page for page in pages() if any(_imports(page))], ids=name)
def test_a_page_says_what_to_install(page: Path) -> None:
    modules = {module.partition(".")[0] for module in _imports(page)} - sys.stdlib_module_names - OWN
    missing = {module for module in modules if not {_spelled(each) for each in DISTRIBUTIONS[module]} & installs(page)}
    assert missing == set()


def test_terminal_sessions_are_commands_that_need_no_shell() -> None:
    sessions = [block for page in pages() for block in blocks(page) if block.language == "console"]
    commands = [(block.place, line[2:]) for block in sessions for line in block.text.splitlines() if line[:2] == "$ "]
    assert commands
    odd = [each for each in commands if not each[1].startswith(COMMANDS) or OPERATORS & set(each[1])]
    assert odd == []


def test_every_block_has_a_known_language() -> None:
    unknown = [block.place for page in pages() for block in blocks(page) if block.language not in LANGUAGES]
    assert unknown == []


@pytest.mark.parametrize(
    ("language", "parse"), [("json", json.loads), ("yaml", yaml.safe_load), ("toml", tomllib.loads)]
)
def test_every_block_of_data_is_valid(language: str, parse: Callable[[str], Any]) -> None:
    found = [block for page in pages() for block in blocks(page) if block.language == language]
    assert found
    for block in found:
        assert parse(block.text), block.place


def test_no_block_is_indented_which_would_hide_it_from_the_check() -> None:
    indented = [
        name(page) for page in pages() if re.search(r"^[ \t]+(```|~~~)|^~~~", page.read_text("utf-8"), re.MULTILINE)
    ]
    assert indented == []


def test_cells_are_in_notebooks_only_which_the_build_executes() -> None:
    with_cells = {name(page) for page in pages() if any(block.is_cell for block in blocks(page))}
    notebooks = {name(page) for page in pages() if page.read_text("utf-8").startswith("---\nfile_format: mystnb\n")}
    assert with_cells == notebooks == {"docs/guide/insights-notebook.md"}


def test_a_cell_is_python_without_the_options_of_its_directive(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```{code-cell}\n:tags: [remove-cell]\n\n1 + 1\n```\n\n```{code-cell}\n2 + 2\n```\n", "utf-8")
    assert blocks(page) == [
        Block(page, 4, "python", "1 + 1\n", is_cell=True),
        Block(page, 8, "python", "2 + 2\n", is_cell=True),
    ]


def test_a_comment_selects_the_world_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- circleci-async fake --history --seed 3 -->\n\n# A page\n", "utf-8")
    assert fake_options(page) == ["--history", "--seed", "3"]
    page.write_text("# A page\n", "utf-8")
    assert fake_options(page) == []


@pytest.mark.parametrize(
    ("expected", "output", "is_equal"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\n", "a\nb\n", False),
        ("", "", True),
        ("", "a\n", False),
        ("a ... c\n", "a b c\n", True),
        ("a ... c\n", "a b\nc\n", False),
        ("a\n...\n", "a\nb\nc\n", True),
        ("a\n...\n", "a\n", True),
        ("a\n...\nc\n", "a\nb\nc\n", True),
        ("a\n...\nc\n", "a\nb\nb\nc\n", False),
        ("a.c\n", "abc\n", False),
        ("...\n", "a\nb\n", True),
    ],
)
def test_dots_match_within_a_line_or_the_rest(expected: str, output: str, is_equal: bool) -> None:
    assert matches(expected, output) is is_equal
