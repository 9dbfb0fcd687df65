"""The public names: all can be imported from the top, each is loaded when it is first used, and none too early."""

import ast
import inspect
import json
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import circleci_async
from circleci_async import models

PUBLIC_MODULES = ["errors", *(f"models.{module.name}" for module in pkgutil.iter_modules(models.__path__))]


def own_classes(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__ and not name.startswith("_")
    ]


def declared_for_type_checkers() -> dict[str, set[str]]:
    """Names by module, as the `if TYPE_CHECKING:` block of the package gives them out."""
    tree = ast.parse(Path(inspect.getfile(circleci_async)).read_text("utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    names: dict[str, set[str]] = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom), ast.unparse(node)
        assert node.level == 1
        for alias in node.names:
            assert alias.asname == alias.name, f"{alias.name} is not given out without `as {alias.name}`"
            names.setdefault(node.module or "", set()).add(alias.name)
    return names


def loaded_after(code: str) -> set[str]:
    """The modules that a new interpreter has loaded when it has run this."""
    program = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_the_interpreter_and_type_checkers_are_told_the_same_names() -> None:
    assert {module: set(names) for module, names in circleci_async._HOMES.items()} == declared_for_type_checkers()


def test_no_name_has_two_homes() -> None:
    names = [name for names in circleci_async._HOMES.values() for name in names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_every_model_enum_and_error_can_be_imported_from_the_top(module: str) -> None:
    home = import_module(f"circleci_async.{module}")
    for name in own_classes(home):
        assert getattr(circleci_async, name, None) is getattr(home, name), f"{name} of {module} is not public"


def test_every_name_can_be_loaded_and_is_listed() -> None:
    names = {name for names in circleci_async._HOMES.values() for name in names}
    assert {"CircleCI", "RetryPolicy", "ProjectSlug", "Paged", "to_dict", "to_json"} <= names
    assert names <= set(dir(circleci_async))
    for name in names:
        assert getattr(circleci_async, name).__name__ == name


def test_a_name_that_does_not_exist_is_an_attribute_error_as_anywhere() -> None:
    with pytest.raises(AttributeError, match="'circleci_async' has no attribute 'Nonsense'"):
        _ = circleci_async.Nonsense  # type: ignore[attr-defined]  # this is the point
    with pytest.raises(ImportError):
        exec("from circleci_async import Nonsense")


def test_importing_the_package_loads_nothing_that_is_heavy() -> None:
    loaded = loaded_after("import circleci_async")
    assert not loaded & {"aiohttp", "attrs", "attr", "cattrs", "backoff", "yarl", "asyncio", "yaml", "typer", "rich"}
    assert {name for name in loaded if name.startswith("circleci_async")} == {"circleci_async"}


def test_importing_the_client_loads_no_models_and_no_command_line() -> None:
    loaded = loaded_after("from circleci_async import CircleCI")
    assert "aiohttp" in loaded
    assert not loaded & {"typer", "rich", "yaml"}
    ours = {name.removeprefix("circleci_async.") for name in loaded if name.startswith("circleci_async.")}
    assert not {name for name in ours if name.split(".")[0] in {"endpoints", "artifacts", "insights", "testing", "cli"}}
    assert {name for name in ours if name.startswith("models.")} <= {"models.open_enum"}


@pytest.mark.parametrize(
    ("group", "models"),
    [
        ("users", {"users"}),
        ("projects", {"projects"}),
        ("artifacts", {"artifacts"}),
        ("jobs", {"jobs", "messages"}),
        ("workflows", {"workflows", "messages", "jobs"}),
        ("pipelines", {"pipelines", "workflows", "messages", "jobs"}),
        ("insights", {"insights", "summaries"}),
    ],
)
def test_a_group_loads_its_own_models_and_no_others(group: str, models: set[str]) -> None:
    loaded = loaded_after(f"from circleci_async import CircleCI\nCircleCI('').{group}")
    prefix = "circleci_async.models."
    found = {name.removeprefix(prefix) for name in loaded if name.startswith(prefix)}
    assert found - {"open_enum"} <= models
    assert group in {name.split(".")[2] for name in loaded if name.startswith("circleci_async.endpoints.")}


def test_groups_take_no_more_than_a_module_each() -> None:
    endpoints = import_module("circleci_async.endpoints")
    names = {module.name for module in pkgutil.iter_modules(endpoints.__path__)} - {"group"}
    client = circleci_async.CircleCI("")
    assert {name for name in names if not hasattr(client, name)} == set()
