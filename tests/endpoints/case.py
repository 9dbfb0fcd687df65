"""A call, and what must arrive at the server when it is done; each module of `cases` lists those of one group."""

import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any
from uuid import UUID

import attrs

from circleci_async import CircleCI

P = "gh/acme/api"
ID = UUID("5034460f-c7c4-4c43-9457-de07e2029e7b")
ID_2 = UUID("503464fe-1c2d-4e3f-8a9b-c7c4a83d9919")


@attrs.frozen
class Case:
    """`do` does the call, whose name is `name`."""

    name: str
    do: Callable[[CircleCI], Any]
    target: str
    body: Any = None
    """What must arrive as JSON; None: no body at all."""
    odd: bool = False
    """Whether the specification would refuse it (an id that is no UUID, say), though it must be sent as it is."""


def every_case() -> Iterator[Case]:
    """Yield the cases of all groups."""
    from tests.endpoints import cases

    for module in pkgutil.iter_modules(cases.__path__):
        yield from import_module(f"{cases.__name__}.{module.name}").CASES
