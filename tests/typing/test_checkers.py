"""Both type checkers accept correct code and report mistakes, with strict settings."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ACCEPTED = ("accepted.py", "natural.py")
MARKER = re.compile(r"  # type: ignore\[[^]]+\]")
REPORTED = re.compile(r"refused\.py:(\d+): error: ", re.MULTILINE)


def mypy(folder: Path) -> tuple[set[int], str]:
    """Return the lines of `refused.py` that mypy reports, and its output."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-pretty", "--show-absolute-path", *map(str, folder.glob("*.py"))],
        capture_output=True,
        text=True,
        cwd=ROOT,  # with the project's own settings, which share its cache
        env={**os.environ, "MYPYPATH": str(folder)},
        check=False,
    )
    return {int(line) for line in REPORTED.findall(done.stdout)}, done.stdout + done.stderr


def pyright(folder: Path) -> tuple[set[int], str]:
    """Return the lines of `refused.py` that pyright reports, and its output."""
    settings = {"typeCheckingMode": "strict", "include": ["."], "extraPaths": [str(ROOT)]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "-p", "."],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    findings = json.loads(done.stdout)["generalDiagnostics"]
    lines = {
        finding["range"]["start"]["line"] + 1
        for finding in findings
        if finding["file"].endswith("refused.py") and finding["severity"] == "error"
    }
    return lines, done.stdout


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_only_mistakes_are_reported(checker: Callable[[Path], tuple[set[int], str]], tmp_path: Path) -> None:
    if find_spec(checker.__name__) is None:
        pytest.skip(f"{checker.__name__} is not installed: `make check` installs it")
    for name in ACCEPTED:
        (tmp_path / name).write_text((HERE / name).read_text("utf-8"), "utf-8")
    marked = (HERE / "refused.py").read_text("utf-8")
    (tmp_path / "refused.py").write_text(MARKER.sub("", marked), "utf-8")
    mistakes = {number for number, line in enumerate(marked.splitlines(), 1) if MARKER.search(line)}
    assert len(mistakes) > 60
    reported, said = checker(tmp_path)
    assert reported == mistakes, said
    assert not [name for name in ACCEPTED if name in said]
