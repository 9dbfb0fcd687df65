"""Harvests on Dask workers: the same tree and report as in one process."""

import asyncio
import hashlib
import os
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from distributed import Client, LocalCluster

import circleci_async as ca
from circleci_async.downloads.directory import Directory
from circleci_async.harvest.destination.parts import PARTS_NAME, PartialFiles
from circleci_async.harvest.ledger.records import QueuedArtifact
from circleci_async.harvest.sources.sources import SourceOptions
from circleci_async.harvest.workers.cluster import Cluster as ClusterClient
from circleci_async.harvest.workers.messages import Batch, ClientSpec, Target
from circleci_async.harvest.workers.shared_parts import SharedPartialFiles, adopt
from circleci_async.harvest.workers.task import _process
from circleci_async.testing import FakeCircleCI, World
from tests.harvest.harvests import all_artifacts, fill, harvest, parts, small_world, tree, usual_tree
from tests.harvest.killer import Killer, killer

from .clusters import Cluster
from .conftest import connected


async def test_the_tree_and_the_report_are_the_same_as_without_workers(client: Any, tmp_path: Path) -> None:
    world = small_world()
    reports = []
    for name, workers in (("alone", None), ("workers", client)):
        async with FakeCircleCI(world) as fake:
            into = tmp_path / name
            events: list[ca.HarvestEvent] = []
            report = await harvest(fake, into, workers=workers, on_progress=events.append)
            assert tree(into) == usual_tree(all_artifacts(world))
            assert parts(into) == []
            assert len(fake.requests) == report.requests
            assert [e.size for e in events if isinstance(e, ca.FileDone)] == [3000] * 24
            assert {e.received for e in events if isinstance(e, ca.FileAdvanced)} == {3000}
            last = events[-1]
            assert isinstance(last, ca.HarvestProgress)
            assert (last.done, last.bytes, last.file_bytes) == (24, 72_000, 72_000)
            again = await harvest(fake, into, workers=workers)
            assert (len(again.files), len(again.skipped), again.is_complete) == (0, 24, True)
            reports.append((len(report.files), report.bytes, report.requests, report.is_complete, again.requests))
            hosts = await client.run(hosts_of_clients)
            assert [each.count(fake.url) for each in hosts.values()] == ([0, 0] if workers is None else [1, 1])
    assert reports[0] == reports[1]


def hosts_of_clients() -> list[str]:
    """Return the hosts of the clients of a worker's process, which has two threads."""
    return [spec.settings.host for spec in _process()._fetchers]


async def test_a_synchronous_client(shared_cluster: Cluster, into: Path) -> None:
    world = small_world(pipelines=1)
    connect: Any = Client
    workers = await asyncio.to_thread(connect, shared_cluster.address, set_as_default=False)
    try:
        async with FakeCircleCI(world) as fake:
            report = await harvest(fake, into, workers=workers)
    finally:
        await asyncio.to_thread(workers.close)
    assert report.is_complete
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_a_local_cluster(into: Path) -> None:
    world = small_world(pipelines=1)
    cluster: Any = LocalCluster
    options: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    async with (
        FakeCircleCI(world) as fake,
        cluster(asynchronous=True, env={"CIRCLE_TOKEN": fake.token}, **options) as started,
        connected(started.scheduler_address) as workers,
    ):
        report = await harvest(fake, into, workers=workers)
        assert (len(report.files), report.error) == (8, None)
        assert tree(into) == usual_tree(all_artifacts(world))


@pytest.mark.parametrize("size", [300_000, 3_000_000])
async def test_a_cut_download_resumes_on_the_worker(size: int, client: Any, into: Path) -> None:
    world = World()
    job = world.project("gh/acme/api").pipeline().workflow("build").job("test")
    fill(job, 2, size)
    async with FakeCircleCI(world) as fake:
        fake.fail("*/0.txt", origin="storage", cut=size // 2)
        report = await harvest(fake, into, workers=client)
        ranges = [each.headers["Range"] for each in fake.requests if "Range" in each.headers]
    assert report.is_complete
    assert set(ranges) == {f"bytes={size // 2}-"}
    assert tree(into) == usual_tree(job.artifacts)
    assert parts(into) == []


async def test_failures_are_retried_and_reported_as_without_workers(client: Any, tmp_path: Path) -> None:
    world = small_world(pipelines=1, jobs=1, artifacts=4)
    reports = []
    for name, workers in (("alone", None), ("workers", client)):
        async with FakeCircleCI(world) as fake:
            fake.fail("*/0.txt", origin="storage", status=503, times=5)
            fake.fail("*/1.txt", origin="storage", status=404, times=None)
            fake.fail("*/2.txt", origin="storage", expired=True, times=1)
            report = await harvest(fake, tmp_path / name, workers=workers)
            reports.append([(each.name, _without_ports(each.error)) for each in report.failed])
            assert len(report.files) == 3
    assert reports[0] == reports[1]
    assert [path for path, _ in reports[0]] == ["logs/1.txt"]


def _without_ports(text: str) -> str:
    return re.sub(r":\d{4,5}", "", re.sub(r"\(.*\)", "", text))


@pytest.mark.parametrize(
    ("bounds", "files", "stopped"),
    [
        ({"max_files": 5}, 5, "max_files=5 is reached"),
        ({"max_bytes": 10_000}, 3, "max_bytes=10000 is reached"),
        ({"max_bytes": 2_999}, 0, "max_bytes=2999 is reached"),
        ({"min_free": 10**18}, 0, f"the disk is almost full: less than {10**18:,} bytes would stay free"),
    ],
)
async def test_bounds(bounds: dict[str, int], files: int, stopped: str, client: Any, into: Path) -> None:
    async with FakeCircleCI(small_world()) as fake:
        report = await harvest(fake, into, workers=client, **bounds)
        assert (len(report.files), report.error) == (files, None)
        assert (report.stopped or "").startswith(stopped)
        rest = await harvest(fake, into, workers=client)
        assert (len(rest.files), rest.is_complete) == (24 - files, True)


@pytest.fixture
def killing() -> Iterator[Killer]:
    with killer() as started:
        yield started


async def test_files_that_an_earlier_run_began_are_finished_by_the_caller(
    client: Any, into: Path, killing: Killer
) -> None:
    world = World()
    job = world.project("gh/acme/api").pipeline().workflow("build").job("test")
    fill(job, 1, 3_000_000)
    async with FakeCircleCI(world) as fake:
        await killing.kill(fake, into, written=1_000_000)
        fake.requests.clear()
        report = await harvest(fake, into, workers=client)
        assert [each.headers["Range"] for each in fake.requests if "Range" in each.headers] != []
    assert report.is_complete
    assert tree(into) == usual_tree(job.artifacts)


async def test_one_batch_that_two_workers_run(client: Any, into: Path) -> None:
    world = World()
    job = world.project("gh/acme/api").pipeline().workflow("build").job("test")
    fill(job, 3, 400_000)
    into.mkdir()
    shared = PartialFiles(into)
    shared.create()
    shared.mark("marker")
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        listed = await circle.artifacts.list("gh/acme/api", job.number or 0).collect()
        files = tuple(
            QueuedArtifact(number, number, 0, "gh/acme/api", 1, 0, each.path, each.url, each.path, None, None)
            for number, each in enumerate(listed)
        )
        session = circle._session
        spec = ClientSpec(session.state.settings, 5.0, None, ca.RetryPolicy(), 8, is_anonymous=False)
        batch = pickle.dumps(Batch(spec, SourceOptions(), Target(None, str(into), "marker", False, 0), files, None))
        results = await asyncio.gather(*(ClusterClient(client).fetch(batch) for _ in range(4)))
    expected = [(id, 400_000, hashlib.sha256(each.data).hexdigest()) for id, each in enumerate(job.artifacts)]
    assert [[(each.id, each.size, each.sha256) for each in result.files] for result in results] == [expected] * 4
    names = [f".{id}.{result.nonce}.tmp" for result in results for id, *_ in expected]
    assert (parts(into), len(set(names))) == (sorted(["marker", *names]), 12)
    for id, _, sha256 in expected:
        adopt(shared, id, sha256, results[id].nonce)
    shared.remove_others()  # those of workers that were given up
    assert parts(into) == sorted(f".{id}.{sha256}.part" for id, _, sha256 in expected)
    for part in shared.all():
        assert shared.checksum(part) == (400_000, part.sha256)
    shared.close()


async def test_nothing_is_stored_once_the_caller_has_ended(client: Any, into: Path) -> None:
    shared = PartialFiles(into)
    into.mkdir()
    shared.create()
    for marker in ("marker", "other"):
        shared.mark(marker)
    worker = SharedPartialFiles(str(into), "marker", "tcp://w:1")
    worker.create()
    shared.remove_others()  # as the next harvest does first: it deletes the markers
    with pytest.raises(ca.DownloadError, match=r"^the harvest has ended$"):
        worker.write(1, b"late")
    worker.close()
    assert parts(into) == []
    with pytest.raises(ca.ConfigurationError, match=f"^the Dask worker tcp://w:1 does not have the folder {into} of"):
        SharedPartialFiles(str(into), "marker", "tcp://w:1").create()
    with pytest.raises(ca.ConfigurationError, match="mount it there under the same path, or harvest into a bucket"):
        SharedPartialFiles(str(into / "missing"), "marker", "tcp://w:1").create()
    shared.close()


async def test_a_worker_of_a_killed_run_deletes_a_file_while_the_next_run_recovers(
    into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    into.mkdir()
    shared = PartialFiles(into)
    shared.create()
    shared.mark(".1.other.tmp")
    lstat = Directory.lstat

    def delete(directory: Directory, name: str) -> os.stat_result | None:
        (into / PARTS_NAME / name).unlink()
        return lstat(directory, name)

    monkeypatch.setattr(Directory, "lstat", delete)
    assert list(shared.all()) == []
    shared.close()


async def test_all_kinds_are_the_same_as_without_workers(client: Any, tmp_path: Path) -> None:
    world = small_world(pipelines=1)
    for job in world.jobs.values():
        job.step("Run tests", output=f"\x1b[1mtoken ghp_{'a' * 36}\x1b[0m\n")
        job.test("works", classname="a.B")
    trees, scrubbed = [], []
    for name, workers in (("alone", None), ("workers", client)):
        async with FakeCircleCI(world) as fake, fake.client() as circle:
            what: tuple[Literal["artifacts", "logs", "tests", "builds"], ...] = ("artifacts", "logs", "tests", "builds")
            report = await circle.harvest("gh/acme/api", tmp_path / name, what=what, workers=workers)
            assert report.is_complete
            trees.append(tree(tmp_path / name))
            scrubbed.append(report.scrubbed)
    assert trees[0].keys() == trees[1].keys()
    assert len(trees[0]) > 8
    assert trees[0] == trees[1]
    assert scrubbed[0] == scrubbed[1] != {}
