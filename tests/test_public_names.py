"""The public names: importable from the root, loaded on first use, and typed."""

import ast
import inspect
import json
import pkgutil
import subprocess
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import circleci_async
from circleci_async import endpoints, errors, models, resources
from circleci_async.core.lazy_exports import LazyExports

GROUPS = [module.name for module in pkgutil.iter_modules(endpoints.__path__) if module.name != "resource"]
NAMES = set(circleci_async._exports().homes())
MODELS = set(models._exports().homes())
MODEL_MODULES = [each.name for each in pkgutil.iter_modules(models.__path__)]


def own_classes(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__ and not name.startswith("_")
    ]


def star_imports_for_type_checkers(package: ModuleType) -> list[str]:
    """Return the modules that the `if TYPE_CHECKING:` block of a package imports every name of."""
    tree = ast.parse(Path(inspect.getfile(package)).read_text("utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"]
    return [node.module or "" for node in imports]


def loaded_after(code: str) -> set[str]:
    """Return the modules that a new interpreter has loaded after running `code`."""
    program = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_type_checkers_see_the_names_that_are_loaded_at_run_time() -> None:
    assert star_imports_for_type_checkers(circleci_async) == sorted(circleci_async._MODULES)
    assert {*star_imports_for_type_checkers(models)} == {
        home.rpartition(".")[2] for home in models._exports().homes().values()
    }


def test_the_root_has_few_names() -> None:
    assert len(NAMES) <= 110


def test_no_name_is_public_in_two_modules() -> None:
    modules = [*circleci_async._MODULES, *(f"models.{name}" for name in MODEL_MODULES)]
    names = [name for module in modules for name in import_module(f"circleci_async.{module}").__all__]
    assert len(names) == len(set(names))
    assert set(names) == NAMES | MODELS


def test_no_two_names_differ_only_in_case_or_in_a_final_s() -> None:
    names = sorted({*NAMES, "webhooks"})
    by_folded = Counter(name.casefold().removesuffix("s") for name in names if name != "webhooks")
    assert [name for name, count in by_folded.items() if count > 1] == []
    assert [name for name in names if f"{name}s" in names] == []


@pytest.mark.parametrize("module", MODEL_MODULES)
def test_every_model_and_enum_is_importable_from_models_only(module: str) -> None:
    home = import_module(f"circleci_async.models.{module}")
    assert {*own_classes(home)} <= {*home.__all__} or not home.__all__
    for name in home.__all__:
        assert getattr(models, name) is getattr(home, name)
        assert name not in NAMES


def test_every_error_is_importable_from_the_root() -> None:
    assert {*own_classes(errors)} == {name for name in errors.__all__ if inspect.isclass(getattr(errors, name))}
    assert {*errors.__all__} <= NAMES


def test_every_name_loads_and_is_listed() -> None:
    assert {"CircleCI", "RetryPolicy", "ProjectSlug", "Paged", "OnAttempt", "OnProgress", "to_dict", "to_json"} <= NAMES
    assert {*NAMES, "models", "webhooks"} <= set(dir(circleci_async))
    assert set(dir(models)) >= MODELS
    assert [name for name in NAMES if not hasattr(circleci_async, name)] == []


def test_names_are_found_without_the_source_files(tmp_path: Path) -> None:
    exports = LazyExports("circleci_async", str(tmp_path), ["errors", "slug"])
    assert exports.load("ProjectSlug") is circleci_async.ProjectSlug
    assert exports.homes()["NotFound"] == "circleci_async.errors"


def test_resource_classes_are_importable_from_resources_only() -> None:
    client = circleci_async.CircleCI("")
    classes = {type(getattr(client, group)) for group in GROUPS}
    assert {getattr(resources, name) for name in resources.__all__} == classes
    assert not set(resources.__all__) & NAMES
    with pytest.raises(AttributeError, match=r"'circleci_async\.resources' has no attribute 'Nonsense'"):
        _ = resources.Nonsense  # type: ignore[attr-defined]  # the attribute must not exist


def test_the_webhooks_module_loads_on_first_use_without_an_http_library() -> None:
    loaded = loaded_after("import circleci_async as ca; ca.webhooks.verify; ca.webhooks.Receiver")
    assert "circleci_async.webhooks" in loaded
    assert not loaded & {"aiohttp", "starlette", "fastapi"}
    assert "webhooks" in dir(circleci_async)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'circleci_async' has no attribute 'Nonsense'"):
        _ = circleci_async.Nonsense  # type: ignore[attr-defined]  # the attribute must not exist
    with pytest.raises(AttributeError, match=r"'circleci_async\.models' has no attribute 'Nonsense'"):
        _ = models.Nonsense  # type: ignore[attr-defined]  # the attribute must not exist
    with pytest.raises(ImportError):
        exec("from circleci_async import Nonsense")


def test_importing_the_package_loads_no_dependency() -> None:
    loaded = loaded_after("import circleci_async")
    assert not loaded & {"aiohttp", "attrs", "attr", "cattrs", "backoff", "yarl", "asyncio", "yaml", "typer", "rich"}
    assert {name for name in loaded if name.startswith("circleci_async")} == {"circleci_async"}


def test_importing_the_client_loads_no_models_and_no_command_line() -> None:
    loaded = loaded_after("from circleci_async import CircleCI")
    assert "aiohttp" in loaded
    assert not loaded & {"backoff", "cattrs", "typer", "rich", "yaml"}
    ours = {name.removeprefix("circleci_async.") for name in loaded if name.startswith("circleci_async.")}
    assert not {name for name in ours if name.split(".")[0] in {"endpoints", "artifacts", "insights", "testing", "cli"}}
    assert {name for name in ours if name.startswith("models.")} <= {"models.open_enum"}
    assert not ours & {"slug", "core.attempt", "core.captured_response", "core.codec", "core.rate_limit_status"}


def test_a_harvest_into_a_folder_loads_no_library_of_buckets_and_clusters() -> None:
    loaded = loaded_after("""
import pkgutil, circleci_async.harvest
for module in pkgutil.walk_packages(circleci_async.harvest.__path__, "circleci_async.harvest."):
    __import__(module.name)
from circleci_async.harvest.destination.place import resolve
resolve("out")
""")
    assert "circleci_async.harvest.destination.bucket" in loaded
    assert not loaded & {"obstore", "distributed", "dask"}


# Models that a group shares with others, in addition to confirmations.
SHARED_MODELS = {
    "insights": {"summaries"},
    "jobs": {"steps"},
    "pipeline_definitions": {"repositories"},
    "pipelines": {"jobs", "trigger_parameters", "workflows"},
    "schedules": {"attribution", "users"},
    "triggers": {"attribution", "repositories"},
    "workflows": {"jobs"},
}


@pytest.fixture(scope="module")
def loaded_by_group() -> dict[str, set[str]]:
    """Return what a new interpreter loads for each group; all but the client is unloaded between groups."""
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
def test_a_group_loads_only_its_own_models(group: str, loaded_by_group: dict[str, set[str]]) -> None:
    prefix = "circleci_async.models."
    models = {name.removeprefix(prefix) for name in loaded_by_group[group] if name.startswith(prefix)}
    assert models - {"messages", "open_enum"} == {group} | SHARED_MODELS.get(group, set())


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_loads_no_other_endpoints(group: str, loaded_by_group: dict[str, set[str]]) -> None:
    prefix = "circleci_async.endpoints."
    endpoints = {name.removeprefix(prefix) for name in loaded_by_group[group] if name.startswith(prefix)}
    assert endpoints == {group, "resource"}


def test_each_endpoint_module_is_a_group_of_the_client() -> None:
    client = circleci_async.CircleCI("")
    assert [group for group in GROUPS if not hasattr(client, group)] == []
