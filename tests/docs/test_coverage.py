"""The documentation covers every public name and shows no name that does not exist."""

import re
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

import circleci_async as ca
from circleci_async import testing
from circleci_async.cli.app import app
from circleci_async.resources.api_groups import ApiGroups
from docs.coverage import page_of

from .pages import DOCS, README, ROOT, blocks, name, pages

NAMES = ca._exports().homes()
MODELS = ca.models._exports().homes()
GROUPS = [attribute for attribute, value in vars(ApiGroups).items() if isinstance(value, cached_property)]

MAX_WORDS = 1200
UNLIMITED = {DOCS / "reference" / "coverage.md", DOCS / "reference" / "cli.md", DOCS / "changelog.md"}
"""Generated and included pages."""

_CALL = re.compile(r"\bcircle\.(?P<group>[a-z_]+)\.(?P<method>[a-z_]+)")
_NAME = re.compile(r"(?<![\w-])ca\.(?P<name>[A-Za-z_]+)")
_OPTION = re.compile(r"(?<=[ `])--[a-z-]+")
_DOCUMENTED = re.compile(
    r"^\.\. (?:auto(?:class|data|exception|function)|py:type):: circleci_async\.(?P<name>[\w.]+)", re.MULTILINE
)
_LINK = re.compile(r"\]\((?P<target>[^)#:]+)(?:#[^)]*)?\)")


@pytest.fixture(scope="module")
def guide() -> str:
    """The text of all pages but the reference."""
    return "\n".join(page.read_text("utf-8") for page in pages() if page.parent != DOCS / "reference")


@pytest.fixture(scope="module")
def reference() -> list[str]:
    folders = (DOCS / "reference", DOCS / "groups")
    text = "\n".join(page.read_text("utf-8") for folder in folders for page in folder.glob("*.md"))
    return [entry["name"] for entry in _DOCUMENTED.finditer(text)]


def _class_of(group: str) -> type:
    return type(getattr(ca.CircleCI("", host="https://ci.example.com"), group))


def _methods(group: str) -> set[str]:
    kind = _class_of(group)
    return {each for each in dir(kind) if not each.startswith("_") and callable(getattr(kind, each))}


def _page_of(group: str) -> Path:
    return DOCS / "groups" / page_of(group)


@pytest.mark.parametrize("group", GROUPS)
def test_the_examples_of_a_group_page_make_every_call_of_the_group(group: str) -> None:
    examples = "\n".join(block.text for block in blocks(_page_of(group)) if block.language == "python")
    made = {call["method"] for call in _CALL.finditer(examples) if call["group"] == group}
    assert _methods(group) - made == set()


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_page_documents_its_resource_class_and_models(group: str) -> None:
    documented = {entry["name"] for entry in _DOCUMENTED.finditer(_page_of(group).read_text("utf-8"))}
    expected = {f"models.{each}" for each, home in MODELS.items() if home == f"circleci_async.models.{group}"} | {
        f"resources.{_class_of(group).__name__}"
    }
    assert expected - documented == set()


def test_every_call_that_the_guide_shows_exists(guide: str) -> None:
    shown = {(call["group"], call["method"]) for call in _CALL.finditer(guide) if call["group"] in GROUPS}
    assert {(group, method) for group, method in shown if method not in _methods(group)} == set()


def test_every_public_name_that_the_guide_uses_exists(guide: str) -> None:
    used = {found["name"] for found in _NAME.finditer(guide)}
    assert "CircleCI" in used
    assert {each for each in used if not hasattr(ca, each)} == set()


def test_the_page_about_errors_lists_every_error() -> None:
    page = (DOCS / "guide" / "errors.md").read_text("utf-8")
    errors = {each for each, home in NAMES.items() if home == "circleci_async.errors"}
    assert {each for each in errors if not re.search(rf"\b{each}\b", page)} == set()


def test_the_reference_documents_every_public_name_once(reference: list[str]) -> None:
    own = [entry for entry in reference if not entry.startswith("testing.")]
    of_modules = [
        f"{module}.{each}"
        for module in ("webhooks", "resources")
        for each in import_module(f"circleci_async.{module}").__all__
    ]
    assert sorted(own) == sorted([*NAMES, *(f"models.{each}" for each in MODELS), *of_modules])


def test_the_reference_documents_every_public_name_of_testing(reference: list[str]) -> None:
    assert {f"testing.{each}" for each in testing.__all__} <= set(reference)


def _options_of_commands(command: Any, line: str = "circleci-async") -> Iterator[tuple[str, set[str]]]:
    if isinstance(command, TyperGroup):
        for word, inner in command.commands.items():
            yield from _options_of_commands(inner, f"{line} {word}")
    else:
        yield line, {option for parameter in command.params for option in parameter.opts}


def test_the_pages_on_the_command_line_show_every_command_and_no_unknown_option() -> None:
    page = "\n".join(each.read_text("utf-8") for each in (DOCS / "guide").glob("cli*.md"))
    options_of = dict(_options_of_commands(get_command(app)))
    assert {line for line in options_of if not re.search(rf"^(\$ )?{line}\b", page, re.MULTILINE)} == set()
    known = {option for options in options_of.values() for option in options}
    assert set(_OPTION.findall(page)) - known <= {"--help", "--install-completion", "--show-completion"}


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")), ids=name)
def test_the_links_of_a_page_at_the_root_exist(page: Path) -> None:
    targets = {link["target"] for link in _LINK.finditer(page.read_text("utf-8"))}
    assert {target for target in targets if not (ROOT / target).exists()} == set()


@pytest.mark.parametrize("page", [page for page in pages() if page not in UNLIMITED], ids=name)
def test_a_page_has_at_most_1200_words(page: Path) -> None:
    assert len(page.read_text("utf-8").split()) <= MAX_WORDS


def test_every_page_is_listed() -> None:
    index = (DOCS / "index.md").read_text("utf-8")
    listed = {f"docs/{line}.md" for line in index.splitlines()}
    assert {name(page) for page in pages() if page not in {README, DOCS / "index.md"}} - listed == set()
