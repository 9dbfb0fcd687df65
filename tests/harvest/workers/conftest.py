"""Fixtures of the tests with Dask workers."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from distributed import Client

from .clusters import Cluster, Forks, forks

NewCluster = Callable[..., Cluster]


@pytest.fixture(scope="session")
def started_forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with forks(tmp_path_factory.mktemp("dask")) as started:
        yield started


@pytest.fixture(scope="session")
def shared_cluster(started_forks: Forks) -> Cluster:
    """A cluster of two workers, for tests that leave it as it is."""
    return Cluster(started_forks)


@pytest.fixture
def new_cluster(started_forks: Forks) -> Iterator[NewCluster]:
    """Starts clusters, for tests that kill some of it."""
    clusters: list[Cluster] = []

    def start(**options: Any) -> Cluster:
        clusters.append(Cluster(started_forks, **options))
        return clusters[-1]

    yield start
    for cluster in clusters:
        cluster.close()


@pytest.fixture
async def client(shared_cluster: Cluster) -> AsyncIterator[Any]:
    """An asynchronous client of the shared cluster."""
    async with connected(shared_cluster.address) as found:
        yield found


def connected(address: str) -> Any:
    """Return a client, for `async with`."""
    connecting: Any = Client
    return connecting(address, asynchronous=True, set_as_default=False)
