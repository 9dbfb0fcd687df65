"""The fixtures `s3` and `s3_proxy`. moto and boto3 are imported for the first test that needs them."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from .proxy import FaultProxy, fault_proxy
from .server import S3Server, TestBucket, environment, s3_server


@pytest.fixture(scope="session")
def s3_of_session() -> Iterator[S3Server]:
    """Return the server that all tests of this process share."""
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(s3_of_session: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestBucket]:
    """Return a new bucket, with the environment that obstore needs to use it."""
    bucket = TestBucket(s3_of_session, f"tests-{uuid4().hex}")
    for name, value in bucket.env.items():
        monkeypatch.setenv(name, value)
    yield bucket
    bucket.remove()


@pytest.fixture
def s3_proxy(s3: TestBucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """Return a proxy that obstore uses to reach the bucket; `s3` itself inspects the bucket without it."""
    with fault_proxy(s3.server.url) as proxy:
        s3.env = environment(proxy.url)
        for name, value in s3.env.items():
            monkeypatch.setenv(name, value)
        yield proxy
