"""The import contracts hold, catch violations, and match the diagram in docs/design.md."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
CONFIG: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
CONTRACTS: dict[str, dict[str, Any]] = {contract["id"]: contract for contract in CONFIG["contracts"]}

IMPORTERS = {
    "altair": {"reports.charts"},
    "aiohttp": {"core.transport", "testing", "webhooks.aiohttp_handler"},
    "backoff": {"core.retry"},
    "cattrs": {"core.codec"},
    "distributed": {"harvest.workers"},
    "keyring": {"config.os_keyring"},
    "obstore": {"harvest.destination"},
    "polars": {"harvest.parquet"},
    "rich": {"cli"},
    "typer": {"cli"},
    "vl_convert": {"reports.charts"},
    "yaml": {"config.settings"},
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package in `folder` with the contracts in its pyproject.toml."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_the_contracts_are_kept() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Return a folder with a copy of the package and its contracts."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "circleci_async", tmp_path / "circleci_async", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def broken(folder: Path) -> list[str]:
    """Return the names of the contracts that are broken."""
    done = lint(folder)
    assert done.returncode == 1, done.stdout + done.stderr
    return re.findall(r"^(.+) BROKEN\b", done.stdout, re.MULTILINE)


def test_upward_imports_and_undeclared_modules_break_the_layers(copied: Path) -> None:
    package = copied / "circleci_async"
    with (package / "errors.py").open("a") as file:
        file.write("\ndef late(): from .core import session\n")
    assert broken(copied) == [CONTRACTS["layers"]["name"]]

    shutil.copy(ROOT / "circleci_async" / "errors.py", package)
    (package / "undeclared.py").touch()
    assert broken(copied) == [CONTRACTS["layers"]["name"]]


def test_each_import_of_a_protected_module_breaks_its_contract(copied: Path) -> None:
    package = copied / "circleci_async"
    forbidden = "\n".join(["from circleci_async import __version__", *(f"import {name}" for name in IMPORTERS)])
    with (package / "slug.py").open("a") as file:
        file.write(f"\n{forbidden}\n")
    with (package / "__init__.py").open("a") as file:
        file.write("\nfrom . import cli, testing\n")
    protected = [contract["name"] for contract in CONTRACTS.values() if contract["type"] == "protected"]
    assert broken(copied) == protected


def test_each_third_party_library_has_one_importer() -> None:
    importers: dict[str, set[str]] = {}
    for contract in CONTRACTS.values():
        if contract["type"] == "protected":
            allowed = {module.removeprefix("circleci_async.") for module in contract["allowed_importers"]}
            importers |= dict.fromkeys(contract["protected_modules"], allowed)
    assert {name: importers[name] for name in IMPORTERS} == IMPORTERS


def test_the_layers_match_the_diagram_in_the_design() -> None:
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    diagram = re.search(r"^## Layers\n.*?^```text\n(.*?)^```", design, re.MULTILINE | re.DOTALL)
    assert diagram, "docs/design.md has no ```text block after the heading 'Layers'"
    shown = [re.split(r" {2,}", line)[0] for line in diagram[1].splitlines()]
    assert shown == CONTRACTS["layers"]["layers"]
