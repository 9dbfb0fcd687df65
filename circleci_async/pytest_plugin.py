"""Fixtures for the tests of those who use this package; pytest finds them by itself.

This module is loaded whenever pytest starts, in whatever project, so it imports nothing before a test asks for it.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .client import CircleCI
    from .testing import FakeCircleCI

_MARK = "fake_circleci"


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark."""
    config.addinivalue_line("markers", f"{_MARK}(**options): options of the FakeCircleCI that the fixture starts")


@pytest.fixture
def fake_circleci(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> "Iterator[FakeCircleCI]":
    """A running embedded CircleCI with an empty world, which the environment leads to.

    Options are set with `@pytest.mark.fake_circleci(page_size=2)`. `world` may be a function that makes one.
    """
    from .testing.background import BackgroundCircleCI

    with BackgroundCircleCI(**_options(request)) as fake:
        for name, value in fake.environment.items():
            monkeypatch.setenv(name, value)
        _bypass_proxies(monkeypatch)
        yield fake


@pytest.fixture
def circle(fake_circleci: "FakeCircleCI") -> "Iterator[CircleCI]":
    """A client of the fixture `fake_circleci`, for the event loop in which it is first used."""
    from .testing.background import close_client

    client = fake_circleci.client()
    yield client
    close_client(client)


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return what the marks say; that of the test wins over those of its class and module."""
    options: dict[str, Any] = {}
    for mark in request.node.iter_markers(_MARK):
        if mark.args:
            raise pytest.UsageError(f"@pytest.mark.{_MARK}: give options by name, such as page_size=2")
        options = {**mark.kwargs, **options}
    if callable(make_world := options.get("world")):
        options["world"] = make_world()
    return options


def _bypass_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """See that no proxy of this machine stands between the server and a client that heeds the environment."""
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, f"{known},127.0.0.1" if known else "127.0.0.1")
