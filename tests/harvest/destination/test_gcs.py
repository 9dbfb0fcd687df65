"""Buckets of Google Cloud Storage, which compares generations where others compare ETags."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.harvest.destination.stores import open_bucket
from circleci_async.testing import FakeCircleCI
from tests.harvest.harvests import QUICK, all_artifacts, small_world, usual_tree

from .gcs import gcs_server

URL = "gs://ci-archive/acme"


@pytest.fixture(autouse=True)
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with gcs_server() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield


def test_an_object_is_replaced_only_if_it_is_unchanged() -> None:
    bucket = open_bucket("into", URL)
    first = bucket.create("x", b"one")
    assert first
    assert bucket.create("x", b"two") is None
    second = bucket.replace("x", b"two", first)
    assert second
    assert second != first
    assert bucket.replace("x", b"three", first) is None
    assert bucket.replace("x", b"two", first) == second
    assert bucket.replace("missing", b"one", first) is None
    assert [each.key for each in bucket.list()] == ["x"]


async def test_harvests_keep_their_ledger_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = small_world()
    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        first = await circle.harvest("gh/acme/api", URL)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other machine"))
        second = await circle.harvest("gh/acme/api", URL)
    first.raise_for_failures()
    assert (len(first.files), len(second.files)) == (len(all_artifacts(world)), 0)
    bucket = open_bucket("into", URL)
    stored = {each.key: b"".join(bucket.pieces(each.key)) for each in bucket.list() if each.key[0] != "."}
    assert stored == usual_tree(all_artifacts(world))
    assert (await ca.verify_harvest(URL, deep=True)).is_intact
