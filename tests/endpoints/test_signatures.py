"""The methods have the names and signatures that are fixed, each is documented, and none is left untested."""

import ast
import inspect
from typing import Any

import pytest

from circleci_async import CircleCI
from tests.endpoints.case import every_case
from tests.endpoints.contract import OPERATIONS

CLIENT = CircleCI("")


def method(name: str) -> Any:
    """The method of that name."""
    group, _, verb = name.partition(".")
    return getattr(getattr(CLIENT, group), verb)


def fixed(name: str) -> list[tuple[str, Any, Any]]:
    """Name, kind and default of each parameter, as they are fixed."""
    function = ast.parse(f"def f({OPERATIONS[name].signature}): ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    arguments = function.args
    by_position = zip(reversed(arguments.args), [*reversed(arguments.defaults), *[None] * 9], strict=False)
    by_name = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    kinds = inspect.Parameter
    return [
        *reversed([(each.arg, kinds.POSITIONAL_OR_KEYWORD, value(default)) for each, default in by_position]),
        *[(each.arg, kinds.KEYWORD_ONLY, value(default)) for each, default in by_name],
        *[(each.arg, kinds.VAR_KEYWORD, kinds.empty) for each in [arguments.kwarg] if each],
    ]


def value(default: ast.expr | None) -> Any:
    return inspect.Parameter.empty if default is None else ast.literal_eval(default)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_method_has_the_signature_that_is_fixed(name: str) -> None:
    parameters = inspect.signature(method(name)).parameters.values()
    assert [(each.name, each.kind, each.default) for each in parameters] == fixed(name)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_method_says_in_its_docstring_what_it_asks(name: str) -> None:
    operation = OPERATIONS[name]
    assert f"`{operation.method} {operation.path}`" in (inspect.getdoc(method(name)) or "")


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_paged_list_is_iterated_and_all_else_is_awaited(name: str) -> None:
    assert inspect.iscoroutinefunction(method(name)) is (OPERATIONS[name].paged not in {"yes", "offset"})


def test_every_method_has_a_case() -> None:
    assert {case.name for case in every_case()} == set(OPERATIONS)
    assert len(OPERATIONS) == 114
