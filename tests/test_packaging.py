"""What is published is whole: sdist and wheel build, and the wheel works where nothing else of this project is."""

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
from circleci_async.core.transport import USER_AGENT

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; with `check`, fail with what it printed unless it exits with 0."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an sdist of this tree, and a wheel built from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    # Without isolation the build backend is the one installed here: nothing is downloaded.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    """Return the wheel."""
    (found,) = dist.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def described(wheel: Path) -> Message:
    """Return the wheel's metadata."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_string(archive.read(name).decode())


def install(wheel: Path, folder: Path) -> Path:
    """Install the wheel alone into a new virtual environment; return the folder of its commands."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    commands = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = (
        sys.executable,
        "-m",
        "pip",
        "--python",
        commands / "python",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
    )
    run(*pip, wheel, cwd=folder.parent)
    return commands


@pytest.fixture(scope="module")
def alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the commands of an environment with the wheel and none of its dependencies."""
    return install(wheel, tmp_path_factory.mktemp("alone") / "venv")


@pytest.fixture(scope="module")
def complete(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the commands of an environment with the wheel, which borrows the dependencies of the one running here."""
    commands = install(wheel, tmp_path_factory.mktemp("complete") / "venv")
    (site,) = commands.parent.rglob("site-packages")
    borrowed = dict.fromkeys(sysconfig.get_path(scheme) for scheme in ("purelib", "platlib"))
    # A .pth adds folders after the environment's own, and runs none of the .pth files in them: this tree stays unseen.
    (site / "borrowed.pth").write_text("".join(f"{path}\n" for path in borrowed), encoding="utf-8")
    return commands


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    dist_info = f"circleci_async-{circleci_async.__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"circleci_async", dist_info}
    assert "circleci_async/py.typed" in names
    assert f"{dist_info}/licenses/LICENSE" in names
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "circleci_async").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == sources


def test_the_sdist_holds_what_building_testing_and_documenting_need(dist: Path) -> None:
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


def test_the_metadata_name_what_is_needed(described: Message) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    core = {re.split(r"\W", text)[0] for text in described.get_all("Requires-Dist", []) if "extra ==" not in text}
    assert core == {"aiohttp", "attrs", "backoff", "cattrs"}
    assert described["Name"] == "circleci-async"
    assert described["Requires-Python"] == project["requires-python"]
    assert described["License-Expression"] == "MIT"
    assert str(described.get_payload()).strip() == (ROOT / "README.md").read_text(encoding="utf-8").strip()


def test_every_place_names_the_same_version(described: Message) -> None:
    changelog = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert changelog
    assert {
        described["Version"],
        metadata.version("circleci-async"),
        changelog[1],
        USER_AGENT.removeprefix("circleci-async/"),
    } == {circleci_async.__version__}


def test_the_package_imports_where_only_the_standard_library_is(alone: Path, tmp_path: Path) -> None:
    done = run(alone / "python", "-c", "import circleci_async as ca; print(ca.__file__, ca.NotFound)", cwd=tmp_path)
    assert str(alone.parent) in done.stdout
    assert "circleci_async.errors.NotFound" in done.stdout


def test_the_command_names_the_extra_that_it_lacks_in_one_line(alone: Path, tmp_path: Path) -> None:
    done = run(alone / "circleci-async", "--help", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "circleci-async[cli]" in line


def test_the_installed_command_shows_its_help(complete: Path, tmp_path: Path) -> None:
    where = run(complete / "python", "-c", "import circleci_async; print(circleci_async.__file__)", cwd=tmp_path)
    assert str(complete.parent) in where.stdout

    done = run(complete / "circleci-async", "--help", cwd=tmp_path)
    for command in ("demo", "artifacts", "pipelines", "insights"):
        assert command in done.stdout


def test_pytest_finds_the_fixtures_of_the_installed_package(complete: Path, tmp_path: Path) -> None:
    (tmp_path / "test_bot.py").write_text(
        "import asyncio\n"
        "def test_me(fake_circleci, circle):\n"
        "    assert asyncio.run(circle.users.me()).login == fake_circleci.world.me.login\n"
    )
    done = run(complete / "python", "-m", "pytest", "-p", "no:cacheprovider", "-q", cwd=tmp_path)
    assert "1 passed" in done.stdout


def test_the_installed_command_runs_its_demo(complete: Path, tmp_path: Path) -> None:
    done = run(complete / "circleci-async", "demo", cwd=tmp_path)
    assert "What happened" in done.stdout
