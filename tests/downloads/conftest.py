"""Checks for every test of downloads."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_asyncio_messages(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Check that asyncio logs nothing, such as an exception that was never retrieved."""
    yield
    assert [record.getMessage() for record in caplog.get_records("call") if record.name == "asyncio"] == []
