"""Every program explains itself, and those that are templates for one task stay short."""

import ast
from pathlib import Path

import pytest

from .processes import EXAMPLES, ended, started

SHORT = {"report.py": 70, "artifact_lake.py": 120, "release_bot.py": 120, "migrate.py": 123, "archive.py": 60}
"""The most lines of a template."""
WITH_OPTIONS = ("report.py", "artifact_lake.py", "migrate.py", "nightly.py", "archive.py")
PAGE = EXAMPLES.parent / "guide" / "examples.md"


@pytest.mark.parametrize(("name", "limit"), SHORT.items())
def test_a_template_is_short(name: str, limit: int) -> None:
    assert len((EXAMPLES / name).read_text("utf-8").splitlines()) <= limit


@pytest.mark.parametrize("name", WITH_OPTIONS)
async def test_the_help_shows_the_usage(name: str, tmp_path: Path) -> None:
    async with started(str(EXAMPLES / name), "--help", env={}, folder=tmp_path) as process:
        code, out, err = await ended(process)
    described = ast.get_docstring(ast.parse((EXAMPLES / name).read_text("utf-8")))
    assert described
    assert (code, err) == (0, "")
    assert described in out


def test_every_program_is_on_the_page() -> None:
    included = {line.split("/")[-1] for line in PAGE.read_text("utf-8").splitlines() if "{literalinclude}" in line}
    assert included == {file.name for file in EXAMPLES.glob("*.py")}
