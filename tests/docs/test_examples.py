"""Every example in README.md and docs/ runs against an embedded CircleCI and prints the output that its page shows."""

import asyncio
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

import circleci_async as ca
from circleci_async.testing import FakeCircleCI
from tests.fastclock import FastClockLoop

from .examples import FAST, REAL, Reader, Ticker
from .pages import README, blocks, examples, name, pages
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
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder in which the examples of a page run, with the files that some of them read."""
    folder = tmp_path / "reader"
    (folder / "secrets").mkdir(parents=True)
    (folder / "secrets" / "circle-token").write_text("fake-token\n")
    (folder / "secrets" / "webhook").write_text("the-signing-secret\n")
    (folder / "generated.yml").write_text("version: 2.1\n")
    trustme.CA().cert_pem.write_to_path(folder / "company-ca.pem")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("COLUMNS", "100")
    modules = set(sys.modules)
    yield folder
    for module in set(sys.modules) - modules:  # an example imports the file of another
        if (folder / f"{module}.py").exists():
            del sys.modules[module]


@pytest.fixture(autouse=True)
def isolated_logging() -> Iterator[None]:
    """Restore the logger: a page shows how to enable it."""
    logger = logging.getLogger("circleci_async")
    level, handlers = logger.level, logger.handlers[:]
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers


@pytest.mark.parametrize("page", [page for page in pages() if examples(page)], ids=name)
def test_the_examples_of_a_page_run_and_print_the_shown_output(
    page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The clock of another world is real, and the threads of a harvest are invisible to the fast clock.
    needs_real_time = any("World(" in each.text or ".harvest(" in each.text for each in examples(page) if not each.file)
    with asyncio.Runner(loop_factory=FastClockLoop) as runner:
        loop = runner.get_loop()
        ticker = Ticker(loop, REAL if needs_real_time else FAST)
        ticker.tick()
        fake = FakeCircleCI(build_world(loop.time), run_time=1.5)  # long enough to show a running build
        runner.run(fake.start())
        for variable, value in fake.environment.items():
            monkeypatch.setenv(variable, value)
        [continuation_key] = fake.world.continuations
        monkeypatch.setenv("CIRCLE_CONTINUATION_KEY", str(continuation_key))
        circle = ca.CircleCI()
        # The quickstart introduces these two names for all pages of the guide; README does not.
        names = {} if page == README else {"ca": ca, "circle": circle}
        try:
            count = Reader(folder, runner, ticker, {"__name__": "example", **names}).follow(blocks(page))
        finally:
            runner.run(circle.aclose())
            runner.run(fake.close())
            ticker.stop()
    assert count == len(examples(page))


def test_every_block_has_a_known_language() -> None:
    unknown = [block.place for page in pages() for block in blocks(page) if block.language not in LANGUAGES]
    assert unknown == []


def test_no_block_is_indented_which_would_hide_it_from_the_tests() -> None:
    indented = [
        name(page) for page in pages() if re.search(r"^[ \t]+(```|~~~)|^~~~", page.read_text("utf-8"), re.MULTILINE)
    ]
    assert indented == []


def test_terminal_sessions_use_only_commands_that_can_run_here() -> None:
    sessions = [block for page in pages() for block in blocks(page) if block.language == "console"]
    commands = [(block.place, line[2:]) for block in sessions for line in block.text.splitlines() if line[:2] == "$ "]
    assert commands
    assert [(place, command) for place, command in commands if not COMMANDS.match(command)] == []
