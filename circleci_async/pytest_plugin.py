"""pytest fixtures for tests of code that uses this package. pytest loads this plugin from its entry point.

pytest imports this module in every project where the package is installed, so the package is imported in the fixtures.
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
    """Register the mark."""
    config.addinivalue_line(
        "markers", f"{_MARK}(**options): options of the FakeCircleCI that the fixture fake_circleci starts"
    )


@pytest.fixture
def fake_circleci(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> "Iterator[FakeCircleCI]":
    """A running embedded CircleCI with an empty world. The environment variables configure clients for it.

    `@pytest.mark.fake_circleci(page_size=2)` sets options. `world` can be a function that returns a world.
    """
    from .testing.background import BackgroundCircleCI

    with BackgroundCircleCI(**_options(request)) as fake:
        for name, value in fake.environment.items():
            monkeypatch.setenv(name, value)
        _bypass_proxies(monkeypatch)
        yield fake


@pytest.fixture
def circle(fake_circleci: "FakeCircleCI") -> "Iterator[CircleCI]":
    """A client of the fixture `fake_circleci`, bound to the event loop of its first call."""
    from .testing.background import close_client

    client = fake_circleci.client()
    yield client
    close_client(client)


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the options of the marks; those of the test take precedence over those of its class and module."""
    options: dict[str, Any] = {}
    for mark in request.node.iter_markers(_MARK):
        if mark.args:
            raise pytest.UsageError(
                f"@pytest.mark.{_MARK} takes keyword arguments only: write page_size=2, for example"
            )
        options = {**mark.kwargs, **options}
    if callable(make_world := options.get("world")):
        options["world"] = make_world()
    return options


def _bypass_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exclude the server from the proxies that the environment configures."""
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, f"{known},127.0.0.1" if known else "127.0.0.1")
