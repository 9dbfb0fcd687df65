"""The page for users of pycircleci names each of its calls, and only calls that exist here."""

import inspect
import re
from functools import cached_property
from importlib import import_module

import circleci_async as ca
from circleci_async.resources.api_groups import ApiGroups

from .pages import DOCS

Api = import_module("pycircleci.api").Api  # has no types
TEXT = (DOCS / "guide" / "coming-from.md").read_text("utf-8")
GROUPS = [attribute for attribute, value in vars(ApiGroups).items() if isinstance(value, cached_property)]
INTERNAL = {"owner_slug", "project_slug", "split_project_slug", "ppr", "validate_api_version"}
"""Public methods of pycircleci that send no request."""


def test_the_page_names_every_call_of_pycircleci() -> None:
    calls = {name for name, _ in inspect.getmembers(Api, inspect.isfunction) if not name.startswith("_")} - INTERNAL
    assert len(calls) > 60
    assert {name for name in calls if not re.search(rf"`{name}\b", TEXT)} == set()


def test_the_page_names_only_calls_that_exist() -> None:
    circle = ca.CircleCI("", host="https://ci.example.com")
    named = set(re.findall(rf"\b({'|'.join(GROUPS)})\.(\w+)\(", TEXT))
    assert len(named) > 40
    assert {(group, method) for group, method in named if not hasattr(getattr(circle, group), method)} == set()
