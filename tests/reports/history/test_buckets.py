"""Histories in buckets: the same files as in a folder, and nothing is lost to another collection."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import circleci_async as ca
from circleci_async.harvest.destination.bucket import Bucket
from circleci_async.harvest.destination.stores import open_bucket
from circleci_async.testing import FakeCircleCI
from tests.reports.history.worlds import QUICK, Nights, collect, files
from tests.s3.proxy import Fault, FaultProxy
from tests.s3.server import TestBucket

API = "gh/acme/api"


def objects(bucket: Bucket) -> dict[str, bytes]:
    """Return the objects of a bucket."""
    found = {each.key: bucket.read(each.key, max_bytes=10**6) for each in bucket.list()}
    return {name: content[0] for name, content in sorted(found.items()) if content}


@pytest.fixture
def url() -> str:
    """The URL of a bucket in memory."""
    return f"memory:{uuid4()}"


async def test_a_bucket_contains_the_files_of_a_folder(nights: Nights, into: Path, url: str) -> None:
    for destination in (into, url, url):
        collection = await collect(nights, destination, API)

    assert objects(open_bucket("into", url)) == files(into)
    assert collection.location == url
    assert collection.runs == ca.InsightsChanges()
    of_folder, of_bucket = await ca.report_from_history(into), await ca.report_from_history(url)
    assert of_bucket.rows() == of_folder.rows()
    assert len(of_bucket.runs) > 0


async def test_a_store_of_obstore_is_a_history(nights: Nights, into: Path) -> None:
    from obstore.store import LocalStore, MemoryStore

    memory = MemoryStore()
    await collect(nights, memory, API)
    await collect(nights, LocalStore(into, mkdir=True), API)

    assert objects(Bucket(memory, "memory:")) == files(into)
    assert len((await ca.report_from_history(memory)).runs) == len((await ca.report_from_history(into)).runs) > 0


async def test_a_conflict_merges_both_collections(
    nights: Nights, into: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another collection writes every file between the reading and the writing of this one. Each lacks a workflow."""
    bucket, other = open_bucket("into", url), f"{url}/other"
    for destination in (url, other, into):
        await collect(nights, destination, API)
    nights.pass_days(1)
    await collect(nights, into, API)
    await collect_without(nights, other, "build")
    theirs = objects(open_bucket("into", other))
    replace, create = Bucket.replace, Bucket.create
    conflicts: list[str] = []

    def write_before(self: Bucket, key: str, *args: Any) -> str | None:
        if key not in conflicts and key in theirs:
            conflicts.append(key)
            bucket.put(key, theirs[key])
        return (replace if len(args) == 2 else create)(self, key, *args)

    monkeypatch.setattr(Bucket, "replace", write_before)
    monkeypatch.setattr(Bucket, "create", write_before)
    await collect_without(nights, url, "nightly")

    assert {name.partition("/")[0] for name in conflicts} == {"runs", "jobs", "tests", "flaky_tests"}
    assert objects(bucket) == files(into)


async def collect_without(nights: Nights, url: str, workflow: str) -> None:
    async with FakeCircleCI(nights.world) as fake, fake.client(retry=QUICK) as circle:
        fake.fail(f"/api/v2/insights/{API}/workflows/{workflow}", status=500)
        assert len((await circle.insights.collect(API, url)).failures) == 1


async def test_collections_into_a_bucket_at_the_same_time_lose_nothing(into: Path, url: str) -> None:
    nights = Nights("gh/acme/api", "gh/acme/web")
    async with FakeCircleCI(nights.world) as fake, fake.client() as circle:
        await asyncio.gather(*(circle.insights.collect(some, url) for some in ("gh/acme", API, "gh/acme/web")))

    await collect(nights, into)
    assert objects(open_bucket("into", url)) == files(into)


async def test_s3_that_fails_ends_the_collection_and_the_next_one_completes_it(
    nights: Nights, into: Path, s3: TestBucket, s3_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("circleci_async.harvest.destination.stores.MAX_RETRIES", 0)
    s3_proxy.add(Fault("PUT", r"history/runs/.*", status=403, code="AccessDenied", message="no write"))
    url = f"s3://{s3.name}/history"

    with pytest.raises(ca.StoreError, match=f"cannot write {url}/runs/project=gh%2Facme%2Fapi/month=.*AccessDenied"):
        await collect(nights, url, API)
    assert not [name for name in objects(open_bucket("into", url)) if name.startswith("runs/")]
    s3_proxy.faults.clear()
    await collect(nights, url, API)

    await collect(nights, into, API)
    assert objects(open_bucket("into", url)) == files(into)


async def test_a_damaged_object_is_named(nights: Nights, url: str) -> None:
    name = f"runs/project=gh%2Facme%2Fapi/month={nights.now:%Y-%m}/runs.parquet"
    open_bucket("into", url).put(name, b"PAR1")

    with pytest.raises(ca.LedgerError, match=f"{url}/{name} cannot be read: .*: restore it from a backup"):
        await collect(nights, url, API)
    assert objects(open_bucket("into", url)) == {name: b"PAR1"}
