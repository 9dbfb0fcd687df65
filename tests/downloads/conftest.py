"""What holds for every test about artifacts."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_complaints(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """See that asyncio has nothing to complain of, such as an exception that nobody retrieved."""
    yield
    assert [record.getMessage() for record in caplog.get_records("call") if record.name == "asyncio"] == []
