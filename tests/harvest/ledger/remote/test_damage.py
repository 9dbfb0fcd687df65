"""Objects of a ledger that are damaged, missing, hostile, or of another version."""

import gzip
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.harvest.ledger import schema
from circleci_async.harvest.ledger.remote import stored_ledger
from circleci_async.harvest.ledger.remote.manifest import MANIFEST
from circleci_async.harvest.ledger.schema import LEDGER_NAME
from tests.harvest.ledger.remote.stores import (
    FaultyBucket,
    content,
    document,
    keys,
    new_bucket,
    read,
    running,
    segment,
)

ADVICE = "restore it from an earlier version, or delete all objects below .harvest/ and harvest again"


@pytest.fixture
async def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FaultyBucket:
    """A bucket with a snapshot, and the segments 3 (a fence) and 4."""
    monkeypatch.setattr(stored_ledger, "FOLD_SHARE", 1000)
    bucket = new_bucket(tmp_path)
    for name in ("old", "new"):
        async with running(bucket, tmp_path / "first") as run:
            await run.set(name)
    assert len(keys(bucket)) == 5
    return bucket


async def failure(bucket: FaultyBucket, tmp_path: Path) -> str:
    """Return the error that a run and a reader get."""
    with pytest.raises(ca.LedgerError) as of_run:
        async with running(bucket, tmp_path / "run"):
            pass
    with pytest.raises(ca.LedgerError) as of_reader:
        await read(bucket, tmp_path / "reader")
    assert str(of_run.value) == str(of_reader.value)
    return str(of_run.value).removeprefix(f"{bucket.location}/.harvest/")


def segment_key(number: int) -> str:
    return f".harvest/segments/{number:012}.jsonl.gz"


def put_segment(bucket: FaultyBucket, number: int, lines: list[Any]) -> None:
    bucket.put(segment_key(number), gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))


CHANGED_FIELDS: list[dict[str, Any]] = [
    {"format": -1},
    {"generation": 10**12},
    {"snapshot": ".harvest/snapshots/../../x"},
    {"snapshot": ".harvest/snapshots/2-0123456789abcdef.sqlite.gz"},
    {"size": -1},
    {"sha256": "x"},
    {"file_size": None},
    {"first": 0},
    {"first": 10**12},
]


async def test_a_manifest_with_invalid_fields_is_refused(bucket: FaultyBucket, tmp_path: Path) -> None:
    manifest = document(bucket, MANIFEST)
    for change in CHANGED_FIELDS:
        bucket.put(MANIFEST, json.dumps(manifest | change).encode())
        message = await failure(bucket, tmp_path)
        assert message.startswith("ledger.json is damaged: "), change
        assert ADVICE in message


async def test_a_manifest_that_is_no_json_object_is_refused(bucket: FaultyBucket, tmp_path: Path) -> None:
    for manifest in (b"", b"{", b"\xff\xfe", b"[" * 50_000, b"null", b"9" * 5000, b" " * 70_000):
        bucket.put(MANIFEST, manifest)
        assert (await failure(bucket, tmp_path)).startswith("ledger.json is damaged: ")


async def test_a_manifest_of_a_newer_version_is_refused(bucket: FaultyBucket, tmp_path: Path) -> None:
    bucket.put(MANIFEST, b'{"format": 2}')
    assert await failure(bucket, tmp_path) == (
        "ledger.json cannot be read: it was written by a newer version of circleci_async: update circleci_async"
    )


async def test_segments_without_a_manifest_are_refused(bucket: FaultyBucket, tmp_path: Path) -> None:
    bucket.delete([MANIFEST])
    message = await failure(bucket, tmp_path)
    assert message.startswith(f"ledger.json is damaged: it is missing, but there are segments: {ADVICE}")


async def test_a_gap_in_the_segments_is_refused(bucket: FaultyBucket, tmp_path: Path) -> None:
    bucket.delete([segment_key(3)])
    assert (await failure(bucket, tmp_path)).startswith("segments/000000000003.jsonl.gz is damaged: it is missing: ")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: None, "it is missing"),
        (lambda data: data[:-1], "it has "),
        (lambda data: bytes([*data[:-30], data[-30] ^ 1, *data[-29:]]), ""),
        (lambda data: b"\0" * len(data), ""),
    ],
    ids=["missing", "short", "one bit", "zeros"],
)
async def test_a_damaged_snapshot_is_refused(
    bucket: FaultyBucket, tmp_path: Path, damage: Callable[[bytes], bytes | None], reason: str
) -> None:
    key = document(bucket, MANIFEST)["snapshot"]
    found = bucket.read(key, max_bytes=10**6)
    assert found is not None
    damaged = damage(found[0])
    bucket.delete([key])
    if damaged is not None:
        bucket.put(key, damaged)
    message = await failure(bucket, tmp_path)
    assert message.startswith(f"{key.removeprefix('.harvest/')} is damaged: {reason}")
    assert ADVICE in message
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".harvest.holder"]


async def test_a_snapshot_that_unpacks_to_more_than_it_was_is_refused(bucket: FaultyBucket, tmp_path: Path) -> None:
    manifest = document(bucket, MANIFEST)
    bucket.put(MANIFEST, json.dumps(manifest | {"file_size": 4096}).encode())
    assert "is damaged: it unpacks to more than 4,096 bytes" in await failure(bucket, tmp_path)


CHANGED_LINES: list[Callable[[list[Any]], list[Any]]] = [
    lambda lines: [],
    lambda lines: lines[:-1],
    lambda lines: [*lines, lines[-1]],
    lambda lines: [*lines[:-1], {"format": 1, "rows": 2}],
    lambda lines: [lines[0] | {"number": 5}, *lines[1:]],
    lambda lines: [lines[0] | {"schema": 0}, *lines[1:]],
    lambda lines: [lines[0] | {"columns": []}, *lines[1:]],
    lambda lines: [lines[0] | {"columns": {"sqlite_schema": ["name"]}}, *lines[1:]],
    lambda lines: [lines[0] | {"columns": {"settings": ["name", "value = value --"]}}, *lines[1:]],
    lambda lines: [lines[0], ["jobs; --", [1], None], lines[-1]],
    lambda lines: [lines[0], ["settings", [], None], lines[-1]],
    lambda lines: [lines[0], ["settings", [1], ["x"]], lines[-1]],
    lambda lines: [lines[0], ["settings", [1], ["x", {}]], lines[-1]],
    lambda lines: [lines[0], ["settings", [1], ["x", None]], lines[-1]],
    lambda lines: [lines[0], ["settings", [1], ["x", 2**64]], lines[-1]],
    lambda lines: [lines[0], ["settings", [1], ["\ud800", ""]], lines[-1]],
    lambda lines: [lines[0], ["settings", ["one"], ["x", ""]], lines[-1]],
    lambda lines: [lines[0], 7, lines[-1]],
]


async def test_a_segment_with_invalid_content_is_refused(bucket: FaultyBucket, tmp_path: Path) -> None:
    lines = segment(bucket, 4)
    for number, change in enumerate(CHANGED_LINES):
        put_segment(bucket, 4, change(lines))
        message = await failure(bucket, tmp_path)
        assert message.startswith("segments/000000000004.jsonl.gz is damaged: "), number
        assert ADVICE in message


async def test_a_segment_that_is_not_compressed_json_is_refused(bucket: FaultyBucket, tmp_path: Path) -> None:
    for data in (b"", b"{}", gzip.compress(b"x"), gzip.compress(b"[" * 10**6 + b"\n")):
        bucket.put(segment_key(4), data)
        assert (await failure(bucket, tmp_path)).startswith("segments/000000000004.jsonl.gz is damaged: ")


async def test_a_cut_segment_is_refused(bucket: FaultyBucket, tmp_path: Path) -> None:
    found = bucket.read(segment_key(4), max_bytes=10**6)
    assert found is not None
    for size in (len(found[0]) - 1, len(found[0]) // 2, 5):
        bucket.put(segment_key(4), found[0][:size])
        assert (await failure(bucket, tmp_path)).startswith("segments/000000000004.jsonl.gz is damaged: ")


async def test_a_segment_of_a_newer_ledger_is_refused(bucket: FaultyBucket, tmp_path: Path) -> None:
    lines = segment(bucket, 4)
    put_segment(bucket, 4, [lines[0] | {"schema": schema.VERSION + 1}, *lines[1:]])
    assert "segments/000000000004.jsonl.gz cannot be read: it was written by a newer version" in await failure(
        bucket, tmp_path
    )


async def test_other_objects_do_not_matter(bucket: FaultyBucket, tmp_path: Path) -> None:
    before = await read(bucket, tmp_path / "reader")
    for key in ("segments/x", "segments/5.jsonl.gz", "segments/000000000005.jsonl.gz.bak", "snapshots/x", "x"):
        bucket.put(f".harvest/{key}", b"x")
    assert await read(bucket, tmp_path / "other") == before


@pytest.mark.parametrize("version", range(1, schema.VERSION))
async def test_a_ledger_of_an_older_version_is_upgraded_after_its_segments(
    tmp_path: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = new_bucket(tmp_path)
    monkeypatch.setattr(stored_ledger, "FOLD_SHARE", 1000)
    upgrade, current = schema._upgrade, schema.VERSION

    def old_upgrade(connection: sqlite3.Connection, found: int, wanted: int = version) -> None:
        upgrade(connection, found, min(wanted, version))

    job = "INSERT INTO jobs (project, number, name, workflow, pipeline, listed, run) VALUES ('p', ?, '', '', 1, '', 1)"
    with monkeypatch.context() as older:
        older.setattr(schema, "_upgrade", old_upgrade)
        for number in (1, 2):
            async with running(bucket, tmp_path / "old") as run:
                await run.execute(job, number)
    for number in (3, 4):  # what a process with the older version wrote in the headers
        lines = segment(bucket, number)
        put_segment(bucket, number, [lines[0] | {"schema": version}, *lines[1:]])
    with closing(sqlite3.connect(tmp_path / "old" / LEDGER_NAME)) as sql:
        assert sql.execute("PRAGMA user_version").fetchone() == (version,)
    assert [row[0] for row in (await read(bucket, tmp_path / "reader"))["jobs"]] == [1, 2]
    async with running(bucket, tmp_path / "new") as run:
        await run.execute(job, 5)
        await run.remote.checkpoint()
        assert [row[0] for row in content(tmp_path / "new")["jobs"]] == [1, 2, 3]
    found = await read(bucket, tmp_path / "reader")
    assert found == content(tmp_path / "new")
    with closing(sqlite3.connect(tmp_path / "reader" / "reading" / LEDGER_NAME)) as sql:
        assert sql.execute("PRAGMA user_version").fetchone() == (current,)
