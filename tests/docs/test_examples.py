"""Every example in README.md and docs/ runs, against an embedded CircleCI, and prints what its page says."""

import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

import circleci_async as ca
from circleci_async.testing import FakeCircleCI

from .examples import Reader
from .pages import README, blocks, name, pages
from .world import build_world

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
COMMANDS = re.compile(r"(circleci-async|python -m circleci_async)(\s|$)|echo \$\?$")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a reader tries the examples, with the files that some of them read."""
    folder = tmp_path / "reader"
    (folder / "secrets").mkdir(parents=True)
    (folder / "secrets" / "circle-token").write_text("fake-token\n")
    (folder / "secrets" / "webhook").write_text("the-signing-secret\n")
    (folder / "generated.yml").write_text("version: 2.1\n")
    trustme.CA().cert_pem.write_to_path(folder / "company-ca.pem")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("COLUMNS", "100")
    return folder


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Leave the logger as it was: a page shows how to turn it on."""
    logger = logging.getLogger("circleci_async")
    level, handlers = logger.level, logger.handlers[:]
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers


@pytest.mark.parametrize("page", [page for page in pages() if blocks(page)], ids=name)
async def test_the_examples_of_a_page_run_and_print_what_it_says(
    page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeCircleCI(build_world(), run_time=1.5) as fake:  # a page shows what is still running
        for variable, value in fake.environment.items():
            monkeypatch.setenv(variable, value)
        [continuation_key] = fake.world.continuations
        monkeypatch.setenv("CIRCLE_CONTINUATION_KEY", str(continuation_key))
        async with ca.CircleCI() as circle:
            # The quickstart says that the guide's pages take these two names for granted; README does not.
            names = {} if page == README else {"ca": ca, "circle": circle}
            count = await Reader(folder, {"__name__": "example", **names}).follow(blocks(page))
    assert count == sum(block.language in {"python", "console"} for block in blocks(page))


def test_every_block_has_a_language_that_is_either_run_or_shown() -> None:
    unknown = [block.place for page in pages() for block in blocks(page) if block.language not in LANGUAGES]
    assert unknown == []


def test_no_block_hides_from_the_tests_by_being_indented() -> None:
    hidden = [
        name(page) for page in pages() if re.search(r"^[ \t]+(```|~~~)|^~~~", page.read_text("utf-8"), re.MULTILINE)
    ]
    assert hidden == []


def test_a_terminal_session_only_uses_commands_that_can_be_run_here() -> None:
    sessions = [block for page in pages() for block in blocks(page) if block.language == "console"]
    typed = [(block.place, line[2:]) for block in sessions for line in block.text.splitlines() if line[:2] == "$ "]
    assert typed
    assert [(place, command) for place, command in typed if not COMMANDS.match(command)] == []
