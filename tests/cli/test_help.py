"""`--help` of every command."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from circleci_async.cli.app import _command
from circleci_async.testing import FakeCircleCI, World

from .conftest import Cli


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, (*path, name))


@pytest.mark.parametrize("path", [*commands(_command())], ids=lambda path: " ".join(path) or "circleci-async")
def test_the_help_names_what_users_type(cli: Cli, path: tuple[str, ...]) -> None:
    code, out, err = cli(*path, "--help")

    assert (code, err) == (0, "")
    types = r"<(str|int|float|path|bool|\w+ range)>|list\[|<class|\bNone\b|\b(TEXT|INTEGER|FLOAT|RANGE)\b"
    assert not re.search(types, out)
    options = re.findall(r"^  (?:-\w, )?--[\w-]+(.*?)(?:  |$)", out, re.MULTILINE)
    assert all(re.fullmatch(r"| (-\w|--[\w-]+)|[, \w|=/-]+", each) for each in options)


@pytest.mark.parametrize("arguments", [("gh/acme/api",), ("--branch", "main", "gh/acme/api"), ("show", "gh/acme/api")])
def test_insights_shows_metrics_if_no_other_command_is_named(
    cli: Cli, world: World, fake: FakeCircleCI, arguments: tuple[str, ...]
) -> None:
    world.project("gh/acme/api").pipeline(branch="main").workflow("build").job("test")
    code, out, _ = cli("insights", *arguments)
    assert (code, "gh/acme/api" in out) == (0, True)
