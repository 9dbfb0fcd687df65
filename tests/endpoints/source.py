"""What the methods send, read from the source of their modules: nothing is imported, and nothing is run.

A method has one call of its session. What that is given is followed through local variables, and through the functions
of the module that write paths and bodies.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias, TypeVar

from attrs import field, frozen

import circleci_async

ENDPOINTS = Path(circleci_async.__file__).parent / "endpoints"
Node = TypeVar("Node", bound=ast.AST)

PLACEHOLDERS = {"segment", "project_path", "org_path", "org_segment"}
LISTS = {"paged": ("page-token",), "paged_by_offset": ("offset",), "listed": ()}

Fields: TypeAlias = dict[str, set[str]]
"""Names on the wire, each with the method's arguments that its value comes from."""


@frozen
class Route:
    """What a method sends."""

    name: str
    method: str
    path: str
    """With the function that fills each placeholder: `/workflow/{segment}`."""
    query: Fields
    body: Fields | None
    arguments: Mapping[str, bool]
    """Those of the method, and whether each may be left out."""


@frozen
class Scope:
    """What names stand for: an expression, with the names in that. The arguments of the method stand for nothing."""

    functions: Mapping[str, ast.FunctionDef]
    names: "Mapping[str, tuple[ast.expr, Scope]]" = field(factory=dict)

    def with_assignments(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> "Scope":
        """The names at the end of a function."""
        scope = self
        for node in sorted(_all(ast.Assign, function), key=lambda node: node.lineno):
            (target,) = node.targets
            names = [name.id for name in _all(ast.Name, target)]
            scope = Scope(self.functions, {**scope.names, **dict.fromkeys(names, (node.value, scope))})
        return scope

    def inside(self, call: ast.Call) -> "Iterator[tuple[ast.expr, Scope]]":
        """What a function of the module gives back for these arguments: an expression for each `return`."""
        function = self.functions[_name(call)]
        names = [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]
        given = dict(zip(names, call.args, strict=False))
        named = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        given |= {name: value for name, value in named.items() if name in names}
        if function.args.kwarg:
            given[function.args.kwarg.arg] = ast.Dict([ast.Constant(name) for name in named], [*named.values()])
        scope = Scope(self.functions, {name: (value, self) for name, value in given.items()}).with_assignments(function)
        for node in _all(ast.Return, function):
            assert node.value
            yield node.value, scope


def routes() -> Iterator[Route]:
    """Yield what each method of each group sends."""
    for file in sorted(ENDPOINTS.glob("*.py")):
        tree = ast.parse(file.read_text("utf-8"), file.name)
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        for group in tree.body:
            if isinstance(group, ast.ClassDef) and [ast.unparse(base) for base in group.bases] == ["Resource"]:
                for node in group.body:
                    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                        yield _route(f"{file.stem}.{node.name}", node, Scope(functions))


def _route(name: str, method: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> Route:
    scope = scope.with_assignments(method)
    calls = [call for call in _all(ast.Call, method) if ast.unparse(call.func).startswith("self._session.")]
    assert len(calls) == 1, f"{name} has {len(calls)} calls of its session, and should have one"
    how, (_, *positional) = _name(calls[0]), calls[0].args
    options = {keyword.arg: keyword.value for keyword in calls[0].keywords}
    verb = "GET"
    if how not in LISTS:
        assert how == "request", f"{name} calls {how} of its session"
        verb = ast.literal_eval(positional.pop(0))
    (path,) = positional
    arguments = _arguments(method.args)

    def sent(option: str) -> Fields:
        found = _fields(options[option], scope) if option in options else {}
        return {field: origin & arguments.keys() for field, origin in found.items()}

    query: Fields = {key: set() for key in LISTS.get(how, ())} | sent("query")
    return Route(name, verb, _path(path, scope), query, sent("json") if "json" in options else None, arguments)


def _arguments(arguments: ast.arguments) -> dict[str, bool]:
    positional = [argument.arg for argument in arguments.args]
    optional = len(positional) - len(arguments.defaults)
    found = {name: index >= optional for index, name in enumerate(positional)}
    found |= {
        argument.arg: default is not None
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    }
    if arguments.kwarg:
        found[arguments.kwarg.arg] = True
    return found


def _path(node: ast.expr, scope: Scope) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_path(part, scope) for part in parts)
        case ast.FormattedValue(value=inner):
            return _path(inner, scope)
        case ast.Call(func=ast.Name(id=name)) if name in PLACEHOLDERS:
            return f"{{{name}}}"
        case ast.Call():
            ((inner, names),) = scope.inside(node)
            return _path(inner, names)
        case ast.Name(id=name) if name in scope.names:
            return _path(*scope.names[name])
    raise AssertionError(f"this is not quoted for a path: {ast.unparse(node)}")


def _fields(node: ast.expr, scope: Scope) -> Fields:
    found: Fields = {}
    match node:
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                found |= _fields(value, scope) if key is None else {ast.literal_eval(key): _origin(value, scope)}
        case ast.Call(func=ast.Name(id="omit_none"), keywords=keywords):
            for keyword in keywords:
                one = {keyword.arg: _origin(keyword.value, scope)} if keyword.arg else _fields(keyword.value, scope)
                found |= one
        case ast.Call():
            for inner, names in scope.inside(node):
                for name, origin in _fields(inner, names).items():
                    found[name] = found.get(name, set()) | origin
        case ast.Name(id=name) if name in scope.names:
            return _fields(*scope.names[name])
        case ast.DictComp(key=key, generators=[ast.comprehension(target=target, iter=ast.Call(func=items))]):
            # {... key ...: value for key, value in fields.items()}
            assert isinstance(items, ast.Attribute), ast.unparse(node)
            assert items.attr == "items", ast.unparse(node)
            assert isinstance(target, ast.Tuple), ast.unparse(node)
            for name, origin in _fields(items.value, scope).items():
                found[_written(key, ast.unparse(target.elts[0]), name)] = origin
        case _:
            raise AssertionError(f"can't tell what this holds: {ast.unparse(node)}")
    return found


def _written(node: ast.expr, variable: str, value: str) -> str:
    """Evaluate the text that is made of a variable."""
    match node:
        case ast.Name(id=name) if name == variable:
            return value
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_written(part, variable, value) for part in parts)
        case ast.FormattedValue(value=inner):
            return _written(inner, variable, value)
        case ast.Call(func=ast.Attribute(value=inner, attr="replace"), args=[old, new]):
            return _written(inner, variable, value).replace(ast.literal_eval(old), ast.literal_eval(new))
    raise AssertionError(f"no text: {ast.unparse(node)}")


def _origin(node: ast.expr, scope: Scope) -> set[str]:
    """The names that a value comes from in the end, arguments of the method among them."""
    found: set[str] = set()
    for name in _all(ast.Name, node):
        found |= _origin(*scope.names[name.id]) if name.id in scope.names else {name.id}
    return found


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)


def _all(kind: type[Node], tree: ast.AST) -> Iterator[Node]:
    return (node for node in ast.walk(tree) if isinstance(node, kind))
