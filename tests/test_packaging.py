"""The sdist and wheel build, are complete, and the wheel works without this repository."""

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from email import message_from_string
from email.message import Message
from importlib import metadata
from pathlib import Path

import pytest

import circleci_async
from circleci_async.core.user_agent import USER_AGENT

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command; with `check`, fail with its output unless it exits with 0."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an sdist of this repository and a wheel built from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    # --no-isolation: use the installed build backend instead of downloading one.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    """Return the wheel."""
    (found,) = dist.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def wheel_metadata(wheel: Path) -> Message:
    """Return the wheel's metadata."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_string(archive.read(name).decode())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the commands of an environment with the wheel and none of its dependencies."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    commands = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = (sys.executable, "-m", "pip", "--python", commands / "python")
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", wheel, cwd=folder.parent)
    return commands


@pytest.fixture
def dependencies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands import the dependencies of this environment, but not its editable install of the package."""
    # The .pth files, which make the editable install importable, are not read from folders on PYTHONPATH.
    folders = dict.fromkeys(sysconfig.get_path(scheme) for scheme in ("purelib", "platlib"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(folders))


def test_the_wheel_contains_only_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    dist_info = f"circleci_async-{circleci_async.__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"circleci_async", dist_info}
    assert "circleci_async/py.typed" in names
    assert f"{dist_info}/licenses/LICENSE" in names
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "circleci_async").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == sources


def test_the_sdist_contains_everything_needed_to_build_test_and_document(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "Makefile",
        "noxfile.py",
        "pyproject.toml",
        ".ci/run",
        "docs/conf.py",
    }
    wanted |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py")}
    assert wanted <= names
    assert not [name for name in names if name.startswith((".venv", ".git/", "dist/", "docs/_build"))]


def test_the_metadata_lists_the_requirements(wheel_metadata: Message) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    core = {re.split(r"\W", text)[0] for text in wheel_metadata.get_all("Requires-Dist", []) if "extra ==" not in text}
    assert core == {"aiohttp", "attrs", "backoff", "cattrs"}
    assert wheel_metadata["Name"] == "circleci-async"
    assert wheel_metadata["Requires-Python"] == project["requires-python"]
    assert wheel_metadata["License-Expression"] == "MIT"
    assert str(wheel_metadata.get_payload()).strip() == (ROOT / "README.md").read_text(encoding="utf-8").strip()


def test_the_version_is_the_same_everywhere(wheel_metadata: Message) -> None:
    changelog = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert changelog
    assert {
        wheel_metadata["Version"],
        metadata.version("circleci-async"),
        changelog[1],
        USER_AGENT.removeprefix("circleci-async/"),
    } == {circleci_async.__version__}


def test_the_package_imports_without_its_dependencies(installed: Path, tmp_path: Path) -> None:
    done = run(installed / "python", "-c", "import circleci_async as ca; print(ca.__file__, ca.NotFound)", cwd=tmp_path)
    assert str(installed.parent) in done.stdout
    assert "circleci_async.errors.NotFound" in done.stdout


def test_the_command_names_the_missing_extra_in_one_line(installed: Path, tmp_path: Path) -> None:
    done = run(installed / "circleci-async", "--help", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "circleci-async[cli]" in line


@pytest.mark.usefixtures("dependencies")
def test_the_installed_command_shows_its_help(installed: Path, tmp_path: Path) -> None:
    done = run(installed / "circleci-async", "--help", cwd=tmp_path)
    for command in ("demo", "artifacts", "pipelines", "insights"):
        assert command in done.stdout


@pytest.mark.usefixtures("dependencies")
def test_pytest_finds_the_fixtures_of_the_installed_package(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "test_bot.py").write_text(
        "import asyncio, circleci_async\n"
        "def test_me(fake_circleci, circle):\n"
        f"    assert circleci_async.__file__.startswith({str(installed.parent)!r})\n"
        "    assert asyncio.run(circle.users.me()).login == fake_circleci.world.me.login\n"
    )
    options = ("-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:anyio", "-p", "no:hypothesispytest")
    done = run(installed / "python", "-m", "pytest", *options, "-q", cwd=tmp_path)
    assert "1 passed" in done.stdout
