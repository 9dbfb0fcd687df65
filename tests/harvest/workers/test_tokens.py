"""Which token the workers use, and what passes through the scheduler."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import circleci_async as ca
from circleci_async.testing import FakeCircleCI
from tests.harvest.harvests import QUICK, harvest, small_world

from .clusters import Cluster
from .conftest import NewCluster, connected

SECRET = "cci_secret_0123456789abcdef"


@asynccontextmanager
async def relay(address: str, passed: bytearray) -> AsyncIterator[str]:
    """Forward connections to an address, and keep what passes in both directions."""
    host, port = address.removeprefix("tcp://").split(":")
    tasks: set[asyncio.Task[None]] = set()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            while data := await reader.read(65536):
                passed.extend(data)
                writer.write(data)

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            upstream_reader, upstream = await asyncio.open_connection(host, int(port))
            with closing(upstream):
                await asyncio.gather(forward(reader, upstream), forward(upstream_reader, writer))

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(connect(reader, writer)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_token_does_not_pass_through_the_scheduler(shared_cluster: Cluster, into: Path) -> None:
    passed = bytearray()
    async with (
        FakeCircleCI(small_world(pipelines=1), token=SECRET) as fake,
        relay(shared_cluster.address, passed) as address,
        connected(address) as workers,
    ):
        report = await harvest(fake, into, workers=workers)
        assert isinstance(report.error, ca.AuthenticationError)  # the workers have another token
        assert report.error.hint is not None
        assert report.error.hint.startswith("Check CIRCLE_TOKEN in the environment of the Dask worker tcp://127.0.0.1:")
        assert b"/logs/0.txt" in passed
        assert SECRET.encode() not in passed
        report = await harvest(fake, into, workers=workers, send_token=True)
        assert report.is_complete
        assert SECRET.encode() in passed  # so the test above would have seen it


async def test_a_worker_without_a_token(new_cluster: NewCluster, into: Path) -> None:
    cluster = new_cluster(workers=0)
    _, address = cluster.add_worker(without=("CIRCLE_TOKEN",))
    async with FakeCircleCI(small_world()) as fake, connected(cluster.address) as workers:
        report = await harvest(fake, into, workers=workers)
        assert isinstance(report.error, ca.ConfigurationError)
        text = str(report.error)
        assert text.startswith(f"the Dask worker {address} has no token for {fake.url} (")
        assert text.endswith("): set CIRCLE_TOKEN in its environment, or pass send_token=True")
        assert report.stopped == text
        assert (len(report.files), list(report.failed)) == (0, [])
        report = await harvest(fake, into, workers=workers, send_token=True)
        assert report.is_complete


async def test_a_token_function_is_called_for_each_batch(new_cluster: NewCluster, into: Path) -> None:
    cluster = new_cluster(workers=1, without=("CIRCLE_TOKEN",))
    async with FakeCircleCI(small_world(), token=SECRET) as fake, connected(cluster.address) as workers:
        hosts = [fake.artifact_host]
        async with ca.CircleCI(lambda: SECRET, host=fake.url, artifact_hosts=hosts, retry=QUICK) as circle:
            report = await circle.harvest("gh/acme/api", into, workers=workers, send_token=True)
    assert report.is_complete
