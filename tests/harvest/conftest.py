"""Fixtures of all tests of harvests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

TORNADO_TIMEOUT = "exception=TimeoutError('Timeout')"
"""Of a client of Dask that is closed while it waits to send: it leaves the future of Tornado's `Event.wait` behind."""


@pytest.fixture(autouse=True)
def no_asyncio_warnings(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Check that asyncio logs nothing, such as an exception that was never retrieved."""
    yield
    messages = [record.getMessage() for record in caplog.get_records("call") if record.name == "asyncio"]
    assert [message for message in messages if TORNADO_TIMEOUT not in message] == []


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """The destination."""
    return tmp_path / "out"
