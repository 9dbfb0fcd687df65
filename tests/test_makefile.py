"""The targets of the Makefile say what they do."""

import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def make(*arguments: str, folder: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    """Run make in a folder, with variables of the environment."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PIP_"))}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder,
        env={**inherited, "PIP_CONFIG_FILE": os.devnull, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a folder with what a target needs to install the package, and an environment that has only pip."""
    for file in ("Makefile", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, tmp_path)
    (tmp_path / "circleci_async").mkdir()
    shutil.copy(ROOT / "circleci_async" / "__init__.py", tmp_path / "circleci_async")
    venv = tmp_path / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True, timeout=60)
    (venv / "bin" / "pip").write_text(f"#!{venv}/bin/python\n")
    [packages] = venv.glob("lib/python*/site-packages")
    (packages / "pip").symlink_to(Path(sysconfig.get_path("purelib")) / "pip")
    return tmp_path


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize("arguments", [(), ("help",)])
def test_the_first_command_lists_the_targets(arguments: tuple[str, ...]) -> None:
    done = make(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    targets = dict(re.findall(r"^  make (\S+) +(.+)$", done.stdout, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert phony
    assert set(targets) == set(phony[1].split())
    assert targets["test"] == "run all tests in parallel, in about 4 minutes on two cores"
    assert "package index" in done.stdout.splitlines()[-1]


def test_without_a_package_index_the_message_says_what_to_do(clone: Path, closed_port: int) -> None:
    index = f"127.0.0.1:{closed_port}/simple"
    done = make("demo", folder=clone, PIP_INDEX_URL=f"http://user:s3cret@{index}", PIP_RETRIES="0")
    assert done.returncode == 2
    assert done.stdout.splitlines()[0] == (
        f"Installing circleci-async and its dependencies from http://{index} into .venv ..."
    )
    lines = done.stderr.splitlines()
    at = lines.index(f"not installed, see above: pip needs a package index, and tried http://{index}")
    assert lines[at + 1] == (
        "without access to it, name a mirror (PIP_INDEX_URL=https://...) or a folder of wheels"
        " (PIP_NO_INDEX=1 PIP_FIND_LINKS=...)"
    )
    assert "s3cret" not in done.stdout + done.stderr
    assert not (clone / ".venv" / ".package").exists()


def test_the_documentation_ends_with_the_path_of_its_front_page() -> None:
    done = make("--dry-run", "docs")
    assert done.stdout.splitlines()[-1] == f'echo "The front page: {ROOT}/docs/_build/index.html"'
