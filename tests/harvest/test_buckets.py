"""Harvests into buckets."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

import circleci_async as ca
from circleci_async.harvest.destination.bucket import Bucket
from circleci_async.harvest.destination.place import resolve
from circleci_async.harvest.destination.stores import open_bucket
from circleci_async.harvest.ledger.records import QueuedArtifact
from circleci_async.harvest.metadata import MAX_VALUE, describe, known_sha256
from circleci_async.testing import FakeCircleCI
from tests.harvest.harvests import QUICK, all_artifacts, fill, gets, small_world, tree, usual_tree
from tests.s3.proxy import Fault, FaultProxy
from tests.s3.server import TestBucket


@pytest.fixture
def url() -> str:
    return f"memory:{uuid4()}"


def objects(url: str) -> dict[str, bytes]:
    """Return the finished files in a bucket."""
    bucket = open_bucket("into", url)
    return {each.key: b"".join(bucket.pieces(each.key)) for each in bucket.list() if each.key[0] != "."}


async def test_a_bucket_gets_the_tree_of_a_folder(url: str, tmp_path: Path) -> None:
    world = small_world()
    project = world.projects["gh/acme/api"]
    job = project.pipeline(branch="main").workflow("de ploy/ü").job("a b%c")
    for path in ("x/ü é.txt", "a+b=c&d#e.txt", "#$!'()[]{}^~`<>|*?.txt", "." * 3 + "x", "empty", " spaces "):
        job.artifact(path, path.encode())
    job.artifact("empty.bin", b"")
    fill(project.pipeline(branch="main").workflow("nodes").job("test", parallelism=2), 3, node=1)
    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        in_bucket = await circle.harvest("gh/acme/api", url)
        in_folder = await circle.harvest("gh/acme/api", tmp_path)
    in_bucket.raise_for_failures()
    assert objects(url) == tree(tmp_path)
    assert len(in_bucket.files) == len(in_folder.files) == len(tree(tmp_path))
    assert in_bucket.bytes == in_folder.bytes


async def test_a_second_harvest_fetches_nothing(url: str) -> None:
    world = small_world()
    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        first = await circle.harvest("gh/acme/api", url)
        before = len(gets(fake))
        second = await circle.harvest("gh/acme/api", url)
        assert len(gets(fake)) == before
    assert (len(first.files), len(second.files)) == (len(all_artifacts(world)), 0)
    assert objects(url) == usual_tree(all_artifacts(world))


async def test_objects_without_a_ledger_are_recognized_by_their_metadata(url: str) -> None:
    world = small_world()
    bucket = open_bucket("into", url)
    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        first = await circle.harvest("gh/acme/api", url)
        before = len(gets(fake))
        bucket.delete([each.key for each in bucket.list(".harvest")])
        victim, foreign = sorted(objects(url))[:2]
        bucket.delete([victim])
        bucket.put(foreign, b"of another tool")
        second = await circle.harvest("gh/acme/api", url)
        assert len(gets(fake)) == before + 2
    assert len(second.files) == len(first.files)
    assert objects(url) == usual_tree(all_artifacts(world))


async def test_a_large_file_is_uploaded_in_parts(url: str) -> None:
    world = small_world(pipelines=1, jobs=1, artifacts=1, size=20 * 1024 * 1024)
    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        (await circle.harvest("gh/acme/api", url)).raise_for_failures()
    assert objects(url) == usual_tree(all_artifacts(world))


async def test_metadata_names_the_origin_of_an_object(url: str) -> None:
    world = small_world(pipelines=1, jobs=1, artifacts=1)
    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        (await circle.harvest("gh/acme/api", url)).raise_for_failures()
    (artifact,) = all_artifacts(world)
    (key,) = objects(url)
    found = open_bucket("into", url).metadata(key)
    assert found is not None
    _, metadata = found
    etag = metadata.pop("sourceetag")
    assert etag[0] == etag[-1] == '"'
    assert metadata == {
        "sha256": artifact.sha256,
        "project": "gh/acme/api",
        "job": str(artifact.job.number),
        "node": "0",
        "kind": "artifacts",
        "path": "logs/0.txt",
    }


def test_long_values_of_metadata_are_cut_and_stay_distinct() -> None:
    artifacts = [QueuedArtifact(1, 1, 0, "gh/acme/api", 1, 0, "ü" * 500 + end, "", None, None, None) for end in "ab"]
    sha256 = "a" * 64
    described = [describe(each, sha256=sha256, etag="e" * 2000) for each in artifacts]
    assert all(sum(len(k) + len(v) for k, v in each.items()) < 2048 + 200 for each in described)
    assert all(len(value) <= MAX_VALUE + 65 and value.isascii() for each in described for value in each.values())
    assert known_sha256(described[0], artifacts[0]) == sha256
    assert known_sha256(described[0], artifacts[1]) is None
    assert known_sha256({**described[0], "sha256": "x"}, artifacts[0]) is None


async def test_an_upload_that_fails_is_repeated_without_another_download(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = small_world(pipelines=1, jobs=1, artifacts=3, size=400_000)
    put = Bucket.put
    failed: list[str] = []

    def fail_once(self: Bucket, key: str, *arguments: object) -> str | None:
        if key not in failed and key[0] != ".":
            failed.append(key)
            raise ca.StoreError("no answer", status=503)
        return put(self, key, *arguments)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(Bucket, "put", fail_once)
    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        (await circle.harvest("gh/acme/api", url)).raise_for_failures()
        assert len(gets(fake)) == 3
    assert len(failed) == 3
    assert objects(url) == usual_tree(all_artifacts(world))


async def test_a_bucket_that_refuses_ends_the_run(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = small_world()

    def refuse(self: Bucket, key: str, *arguments: object) -> str | None:
        raise ca.StoreError("403 Forbidden: AccessDenied", status=403, is_refused=True)

    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        with monkeypatch.context() as patch:
            patch.setattr(Bucket, "put", refuse)
            report = await circle.harvest("gh/acme/api", url, concurrency=2)
        assert isinstance(report.error, ca.StoreError)
        assert len(gets(fake)) <= 4
        (await circle.harvest("gh/acme/api", url)).raise_for_failures()
    assert objects(url) == usual_tree(all_artifacts(world))


async def test_a_cancelled_harvest_leaves_complete_objects(url: str) -> None:
    world = small_world(pipelines=6, artifacts=6)
    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        done = asyncio.Event()
        running = asyncio.create_task(
            circle.harvest(
                "gh/acme/api", url, concurrency=2, on_progress=lambda e: done.set() if isinstance(e, ca.FileDone) else 0
            )
        )
        await done.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        expected = usual_tree(all_artifacts(world))
        kept = objects(url)
        assert len(kept) > 0
        assert all(expected[key] == content for key, content in kept.items())
        before = len(gets(fake))
        (await circle.harvest("gh/acme/api", url)).raise_for_failures()
        assert len(gets(fake)) - before <= len(expected) - len(kept) + 2
    assert objects(url) == expected


@pytest.mark.parametrize(
    ("into", "problem"),
    [
        ("ftp://x/y", "into must be a folder, or a URL that begins with file://, s3://"),
        ("file://host/x", "into must be a URL such as 'file:///path/of/folder', got 'file://host/x'"),
        (Path("s3://b/x"), "into must be a string if it is a URL"),
        ("s3:///x", "into must be the URL of a bucket, such as 's3://bucket/prefix', got 's3:///x'"),
        (3, "into must be a folder, the URL of a bucket, or a store of obstore"),
    ],
)
async def test_a_destination_that_is_none(into: object, problem: str) -> None:
    async with ca.CircleCI("") as circle:
        with pytest.raises(ca.InvalidArgument, match=problem):
            await circle.harvest("gh/acme/api", into)  # type: ignore[arg-type]  # wrong on purpose


async def test_a_bucket_has_no_hard_links(url: str) -> None:
    async with ca.CircleCI("") as circle:
        with pytest.raises(ca.InvalidArgument, match="dedupe='hardlink' needs a folder"):
            await circle.harvest("gh/acme/api", url, dedupe="hardlink")


async def test_a_file_url_and_a_local_store_are_folders(tmp_path: Path) -> None:
    from obstore.store import LocalStore

    world = small_world(pipelines=1)
    (tmp_path / "b c").mkdir()
    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        (await circle.harvest("gh/acme/api", (tmp_path / "a ü").as_uri())).raise_for_failures()
        (await circle.harvest("gh/acme/api", LocalStore(tmp_path / "b c"))).raise_for_failures()
    assert tree(tmp_path / "a ü") == tree(tmp_path / "b c") == usual_tree(all_artifacts(world))


async def test_a_ledger_beside_the_destination(url: str, tmp_path: Path) -> None:
    world = small_world(pipelines=1)
    folder, ledger = tmp_path / "files", tmp_path / "ledger"
    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        for into, own in ((url, ledger / "bucket"), (folder, ledger / "folder")):
            for files in (len(all_artifacts(world)), 0):
                report = await circle.harvest("gh/acme/api", into, ledger=own)
                assert len(report.files) == files
                status = await ca.harvest_status(into, ledger=own)
                assert status.done == len(all_artifacts(world))
                verified = await ca.verify_harvest(into, ledger=own, deep=True)
                assert (verified.files, verified.differences) == (len(all_artifacts(world)), 0)
    assert objects(url) == tree(folder) == usual_tree(all_artifacts(world))
    assert not [each.key for each in open_bucket("into", url).list(".harvest")]
    assert not (folder / ".harvest.sqlite").exists()


async def test_read_only_credentials_are_enough_to_read(
    s3: TestBucket, s3_proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    into = f"{s3.url}/acme"
    async with FakeCircleCI(small_world(pipelines=1, jobs=1, artifacts=2)) as fake, fake.client(retry=QUICK) as circle:
        (await circle.harvest("gh/acme/api", into)).raise_for_failures()
        s3_proxy.add(Fault("PUT|POST|DELETE", status=403, code="AccessDenied"))
        s3_proxy.requests.clear()
        assert (await ca.harvest_status(into)).done == 2
        assert (await ca.verify_harvest(into, deep=True)).is_intact
        assert len(list(await ca.harvest_catalog(into))) == 2
        assert (await ca.prune_harvest(into, older_than="365d", dry_run=True)).files == 0
        assert s3_proxy.count("PUT|POST|DELETE") == 0
        with pytest.raises(ca.StoreError, match=r"cannot write s3://.*/lease\.json: 403 Forbidden: AccessDenied"):
            await circle.harvest("gh/acme/api", into)


async def test_urls_of_one_bucket_have_one_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    urls = ("s3://bucket/p", "s3://bucket/p/", "s3a://bucket/p", "S3://bucket/p//")
    assert len({resolve(url).ledger for url in urls}) == 1
    assert {resolve(url).location for url in urls} == {"s3://bucket/p"}
