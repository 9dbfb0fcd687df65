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
from circleci_async import endpoints, models

GROUPS = [module.name for module in pkgutil.iter_modules(endpoints.__path__) if module.name != "resource"]
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
    given_out = {module: set(names) for module, names in circleci_async._HOMES.items()}
    assert given_out | {"": set(circleci_async._MODULES)} == declared_for_type_checkers()


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


def test_the_webhooks_module_is_loaded_like_a_name_and_loads_no_http_library() -> None:
    loaded = loaded_after("import circleci_async as ca; ca.webhooks.verify; ca.webhooks.Receiver")
    assert "circleci_async.webhooks" in loaded
    assert not loaded & {"aiohttp", "starlette", "fastapi"}
    assert "webhooks" in dir(circleci_async)


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


# What the answers of a group truly share with those of another; all groups share confirmations.
SHARED_MODELS = {
    "insights": {"summaries"},
    "jobs": {"steps"},
    "pipeline_definitions": {"repositories"},
    "pipelines": {"jobs", "workflows"},
    "schedules": {"attribution", "users"},
    "triggers": {"attribution", "repositories"},
    "workflows": {"jobs"},
}


@pytest.fixture(scope="module")
def loaded_by_group() -> dict[str, set[str]]:
    """What a new interpreter loads of the package for each group; it forgets all in between, but for the client."""
    program = """
import json, sys
from circleci_async import CircleCI
client = set(sys.modules)
loaded = {}
for group in sys.argv[1:]:
    getattr(CircleCI(""), group)
    loaded[group] = [name for name in sys.modules.keys() - client if name.startswith("circleci_async.")]
    for name in loaded[group]:
        del sys.modules[name]
print(json.dumps(loaded))
"""
    done = subprocess.run([sys.executable, "-c", program, *GROUPS], capture_output=True, text=True, check=True)
    return {group: set(names) for group, names in json.loads(done.stdout).items()}


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_loads_its_own_models_and_no_others(group: str, loaded_by_group: dict[str, set[str]]) -> None:
    prefix = "circleci_async.models."
    models = {name.removeprefix(prefix) for name in loaded_by_group[group] if name.startswith(prefix)}
    assert models - {"messages", "open_enum"} == {group} | SHARED_MODELS.get(group, set())


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_loads_no_other_group(group: str, loaded_by_group: dict[str, set[str]]) -> None:
    prefix = "circleci_async.endpoints."
    endpoints = {name.removeprefix(prefix) for name in loaded_by_group[group] if name.startswith(prefix)}
    assert endpoints == {group, "resource"}


def test_groups_take_no_more_than_a_module_each() -> None:
    client = circleci_async.CircleCI("")
    assert [group for group in GROUPS if not hasattr(client, group)] == []
