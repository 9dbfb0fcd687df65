"""The modules of the embedded CircleCI form layers without import circles."""

import graphlib

import grimp
import pytest

PACKAGE = "circleci_async.testing"
LAYERS = ("__main__", "background", "fake", "handlers", "server", "state")


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """All imports of the package, also those for type checkers only and those in functions."""
    return grimp.build_graph("circleci_async", exclude_type_checking_imports=False, cache_dir=None)


def imports(graph: grimp.ImportGraph, module: str) -> set[str]:
    return {name for name in graph.find_modules_directly_imported_by(module) if name.startswith(f"{PACKAGE}.")}


def test_there_is_no_import_circle(graph: grimp.ImportGraph) -> None:
    modules = {PACKAGE, *graph.find_descendants(PACKAGE)}
    order = list(graphlib.TopologicalSorter({name: imports(graph, name) for name in modules}).static_order())

    assert len(order) == len(modules) > 30


def test_each_layer_imports_only_itself_and_lower_layers(graph: grimp.ImportGraph) -> None:
    def layer(module: str) -> int:
        return LAYERS.index(module.removeprefix(f"{PACKAGE}.").partition(".")[0])

    modules = graph.find_descendants(PACKAGE)

    assert {LAYERS[layer(module)] for module in modules} == set(LAYERS)
    upward = [(module, each) for module in modules for each in imports(graph, module) if layer(each) < layer(module)]
    assert upward == []
