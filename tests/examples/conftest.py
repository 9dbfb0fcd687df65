"""Fixtures for the tests of the examples."""

from collections.abc import Callable

import pytest

from circleci_async.testing import FakeCircleCI


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeCircleCI], None]:
    """Return a function that sets the environment of this process, so that its clients use an embedded CircleCI."""

    def set_environment(fake: FakeCircleCI) -> None:
        for name, value in fake.environment.items():
            monkeypatch.setenv(name, value)

    return set_environment
