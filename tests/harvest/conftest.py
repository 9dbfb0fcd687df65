"""Fixtures of all tests of harvests."""

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def no_asyncio_warnings(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Check that asyncio logs nothing, such as an exception that was never retrieved."""
    yield
    assert [record.getMessage() for record in caplog.get_records("call") if record.name == "asyncio"] == []


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """The destination."""
    return tmp_path / "out"
