"""Run the Makefile's targets on several Pythons and dependencies: `nox`, `nox -s tests-3.12`, `nox -s lowest`."""

from itertools import chain

import nox

nox.needs_version = ">=2025.5.1"
nox.options.error_on_missing_interpreters = False

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
PYTEST = ("python", "-m", "pytest", "--numprocesses", "auto", "--dist", "worksteal")


def install(session: nox.Session, group: str) -> None:
    """Install the package with its command line, and one dependency group."""
    session.install("--editable", ".[cli]", *nox.project.dependency_groups(PROJECT, group))


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests."""
    install(session, "test")
    session.run(*PYTEST, *session.posargs)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Run the tests with the oldest releases that pyproject.toml allows, on the oldest Python."""
    project = PROJECT["project"]
    bounds = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    # import-linter needs a newer rich than the package does; the layers do not depend on versions.
    group = [name for name in nox.project.dependency_groups(PROJECT, "test") if not name.startswith("import-linter")]
    session.install("--editable", ".[cli]", *(bound.replace(">=", "==") for bound in bounds), *group)
    session.run(*PYTEST, "--ignore", "tests/test_layers.py", *session.posargs)


@nox.session
@nox.parametrize("distribution", ["backoff>=2.2.1,<3", "python-backoff>=3"], ids=["original", "fork"])
def backoff(session: nox.Session, distribution: str) -> None:
    """Run the core's tests with backoff and with its maintained fork, which both provide the module `backoff`."""
    install(session, "test")
    # Two distributions that own the same files must not be installed together.
    session.run("python", "-m", "pip", "uninstall", "--quiet", "--yes", "backoff", "python-backoff")
    session.install("--no-deps", distribution)
    session.run(*PYTEST, *(session.posargs or ["tests/core"]))


@nox.session
def check(session: nox.Session) -> None:
    """Lint; check formatting, types, type completeness and layers."""
    install(session, "check")
    pyright = ("pyright", "--pythonpath", f"{session.bin}/python")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run(*pyright, env={"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"})
    session.run(
        *pyright, "--verifytypes", "circleci_async", "--ignoreexternal", env={"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    )
    session.run("lint-imports", "--no-logo")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    install(session, "docs")
    session.run("sphinx-build", "-W", "--keep-going", "--quiet", "--builder", "html", "docs", "docs/_build")
