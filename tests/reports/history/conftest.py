"""Fixtures of all tests of histories."""

from pathlib import Path

import pytest

from tests.reports.history.worlds import Nights


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """The destination."""
    return tmp_path / "history"


@pytest.fixture
def nights() -> Nights:
    """A world with one project."""
    return Nights()
