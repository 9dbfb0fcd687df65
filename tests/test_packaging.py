"""The sdist and wheel build, are complete, and the wheel works without this repository."""

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from configparser import ConfigParser
from email import message_from_string
from email.message import Message
from importlib import metadata
from pathlib import Path

import pytest

import circleci_async
from circleci_async.core.user_agent import USER_AGENT

ROOT = Path(__file__).parents[1]
HOME = "https://github.com/circleci-async/circleci-async"
RAW = "https://raw.githubusercontent.com/circleci-async/circleci-async/main/"
MAX_WHEEL = 1_000_000

_LINK = re.compile(
    r"""\]\(\s*<?(?P<inline>[^)\s>]+)"""  # [text](target), ![text](target "title")
    r"""|^\ {0,3}\[[^\]]+\]:\s*<?(?P<reference>[^\s>]+)"""  # [label]: target
    r"""|\b(?:href|src|srcset)\s*=\s*["'](?P<html>[^"'\s]+)""",
    re.MULTILINE,
)
_LABEL = re.compile(r"(?<![\w\]!`'])\[(?P<text>[^\]\n]+)\](?:\[(?P<label>[^\]\n]+)\])?(?![\[(:])")
_CODE = re.compile(r"^(```+).*?^\1$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


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


def install(distribution: Path, folder: Path, *options: str) -> Path:
    """Install a distribution into a new environment without its dependencies, and return the folder of its commands."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    commands = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = (sys.executable, "-m", "pip", "--python", commands / "python")
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", *options, distribution, cwd=folder.parent)
    return commands


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the commands of an environment with the wheel and none of its dependencies."""
    return install(wheel, tmp_path_factory.mktemp("installed") / "venv")


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
    assert {"circleci_async/py.typed", "circleci_async/reports/page.css"} <= set(names)
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


def test_the_metadata_names_the_addresses_of_the_project(wheel_metadata: Message) -> None:
    urls = dict(entry.split(", ") for entry in wheel_metadata.get_all("Project-URL", []))
    assert urls.keys() == {"Homepage", "Documentation", "Source", "Changelog", "Issues"}
    assert {url for url in urls.values() if not url.startswith(HOME)} == set()
    assert {url for url in urls.values() if not exists(url)} == set()


def test_the_classifiers_and_keywords_describe_the_package(wheel_metadata: Message) -> None:
    classifiers = set(wheel_metadata.get_all("Classifier", []))  # the build backend accepts only valid ones
    versions = {f"3.{minor}" for minor in range(11, 15)}
    assert {each.rpartition(" ")[2] for each in classifiers if re.search(r":: 3\.\d+$", each)} == versions
    assert {
        "Typing :: Typed",
        "Framework :: AsyncIO",
        "Framework :: Pytest",
        "Framework :: aiohttp",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Operating System :: OS Independent",
    } <= classifiers
    assert {"circleci", "asyncio", "artifacts", "webhooks", "bot"} <= set(wheel_metadata["Keywords"].split(","))


def exists(url: str) -> bool:
    """Return whether an address of the repository names a file or folder of this tree, or a page of GitHub."""
    place = url.partition("#")[0]
    for prefix in (f"{HOME}/blob/main/", f"{HOME}/tree/main/", RAW):
        if place.startswith(prefix):
            return (ROOT / place.removeprefix(prefix)).exists()
    return place in {HOME, f"{HOME}/issues"}


def test_the_links_of_the_readme_work_on_the_package_index(wheel_metadata: Message) -> None:
    text = _CODE.sub("", str(wheel_metadata.get_payload()))
    links = [link[str(link.lastgroup)] for link in _LINK.finditer(text)]
    own = [link for link in links if link.startswith((HOME, RAW))]
    assert len(own) >= 20
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    assert [link for link in own if not exists(link)] == []
    defined = {label.lower() for label in re.findall(r"^\[([^\]]+)\]: ", text, re.MULTILINE)}
    used = {(found["label"] or found["text"]).lower() for found in _LABEL.finditer(text)}
    assert used == defined


def test_the_wheel_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < MAX_WHEEL


def test_the_wheel_has_a_command_and_a_pytest_plugin(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [name] = (name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt"))
        found = ConfigParser()
        found.read_string(archive.read(name).decode())
    assert {section: dict(found[section]) for section in found.sections()} == {
        "console_scripts": {"circleci-async": "circleci_async.__main__:main"},
        "pytest11": {"circleci_async": "circleci_async.pytest_plugin"},
    }


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
def test_the_sdist_installs_a_working_command(dist: Path, tmp_path: Path) -> None:
    [sdist] = dist.glob("*.tar.gz")
    commands = install(sdist, tmp_path / "venv", "--no-build-isolation")  # the build backend is a dependency, too
    done = run(commands / "circleci-async", "--version", cwd=tmp_path)
    assert done.stdout == f"circleci-async {circleci_async.__version__}\n"
    where = run(commands / "python", "-c", "import circleci_async; print(circleci_async.__file__)", cwd=tmp_path)
    package = Path(where.stdout.strip()).parent
    assert package.is_relative_to(tmp_path)
    assert (package / "py.typed").is_file()


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
