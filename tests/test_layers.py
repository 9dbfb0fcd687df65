"""The layers of the package are what pyproject.toml says, and the linter that holds them would notice a breach."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package in `folder`, by the contracts in its pyproject.toml."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_every_module_imports_only_from_the_layers_below_it() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("errors.py", "from .core import session", "Each layer imports only from the layers below it"),
        (
            "core/paging.py",
            "def late(): from ..endpoints import jobs",
            "Each layer imports only from the layers below it",
        ),
        ("models/stray.py", "from ..endpoints import jobs", "Each layer imports only from the layers below it"),
        ("undeclared.py", "import re", "Each layer imports only from the layers below it"),
        ("slug.py", "from circleci_async import __version__", "The root is for users"),
        ("__init__.py", "from . import cli", "Only __main__ imports cli"),
        ("__main__.py", "from circleci_async.testing import World", "Only cli and the pytest plugin import testing"),
        ("core/session.py", "import aiohttp.web", "Only transport, testing and the webhook handler"),
        ("webhooks/receiver.py", "from aiohttp import web", "Only transport, testing and the webhook handler"),
        ("core/session.py", "import backoff", "Only retry imports backoff"),
        ("models/stray.py", "from cattrs.preconf.json import make_converter", "Only codec imports cattrs"),
        ("client.py", "from rich import print", "Only cli imports typer and rich"),
        ("slug.py", "import yaml", "Only settings imports PyYAML"),
    ],
    ids=lambda value: value.replace(" ", "-"),
)
def test_a_breach_is_caught(tmp_path: Path, module: str, line: str, broken: str) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "circleci_async", tmp_path / "circleci_async", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "circleci_async" / module).open("a") as file:
        file.write(f"\n{line}\n")

    done = lint(tmp_path)

    assert done.returncode == 1, done.stdout + done.stderr
    assert [text for text in done.stdout.splitlines() if text.startswith(broken) and "BROKEN" in text], done.stdout
