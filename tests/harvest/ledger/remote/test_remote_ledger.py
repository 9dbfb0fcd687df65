"""A ledger in a bucket contains what the runs wrote, whatever was interrupted, and one holder writes it."""

import asyncio
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.errors import LedgerBusy
from circleci_async.harvest.ledger.remote import remote_ledger, stored_ledger
from circleci_async.harvest.ledger.remote.changes import take_changes
from circleci_async.harvest.ledger.remote.lease import LEASE
from circleci_async.harvest.ledger.remote.manifest import MANIFEST
from circleci_async.harvest.ledger.remote.reading import fetch_to_read
from circleci_async.harvest.ledger.schema import LEDGER_NAME, connect_to_read
from tests.fastclock import fast_clock
from tests.harvest.ledger.remote.stores import (
    FaultyBucket,
    Run,
    content,
    document,
    keys,
    new_bucket,
    read,
    running,
    segment,
    settings,
)

EXPIRED = timedelta(seconds=61)


@pytest.fixture
def bucket(tmp_path: Path) -> FaultyBucket:
    return new_bucket(tmp_path)


async def test_the_next_run_on_another_host_continues_the_ledger(bucket: FaultyBucket, tmp_path: Path) -> None:
    async with running(bucket, tmp_path / "a") as run:
        await run.set("x")
    stored = content(tmp_path / "a")
    assert stored["settings"] == [(1, "x", "")]
    async with running(bucket, tmp_path / "b") as run:
        assert content(tmp_path / "b") == stored
        await run.set("y")
    async with running(bucket, tmp_path / "a") as run:
        assert content(tmp_path / "a") == content(tmp_path / "b")
    assert run.lost == []
    assert await read(bucket, tmp_path / "c") == content(tmp_path / "b")


async def test_checkpoints_are_segments_without_what_has_not_changed(bucket: FaultyBucket, tmp_path: Path) -> None:
    async with running(bucket, tmp_path / "a") as run:
        await run.set("x", "1")
        await run.remote.checkpoint()
        await run.remote.checkpoint()
        await run.set("x", "2")
        await run.execute("INSERT OR REPLACE INTO ended VALUES ('jobs', 'w', 't', '[]')")
        await run.remote.checkpoint()
        assert [name for name in keys(bucket) if "segments" in name] == [
            f"segments/{number:012}.jsonl.gz" for number in (1, 2, 3)
        ]
        assert segment(bucket, 1)[1:] == [{"format": 1, "rows": 0}]
        assert segment(bucket, 2)[1:] == [["settings", [1], ["x", "1"]], {"format": 1, "rows": 1}]
        assert sorted(map(str, segment(bucket, 3)[1:])) == sorted(
            map(
                str,
                [
                    ["settings", [1], None],
                    ["settings", [2], ["x", "2"]],
                    ["ended", ["jobs", "w"], ["jobs", "w", "t", "[]"]],
                    {"format": 1, "rows": 3},
                ],
            )
        )
        assert await read(bucket, tmp_path / "b") == content(tmp_path / "a")
    assert len(keys(bucket)) == 3  # lease, manifest, snapshot


async def test_segments_are_left_if_they_are_small_against_the_snapshot(bucket: FaultyBucket, tmp_path: Path) -> None:
    async with running(bucket, tmp_path / "a") as run:
        for number in range(2000):
            await run.set(f"{number * 7919}")
    snapshot = document(bucket, MANIFEST)["snapshot"]
    async with running(bucket, tmp_path / "a") as run:
        await run.set("x")
    assert document(bucket, MANIFEST)["snapshot"] == snapshot
    assert len(keys(bucket)) == 5
    bucket.requests.clear()
    async with running(bucket, tmp_path / "a"):
        pass
    assert ("read", snapshot) not in bucket.requests
    assert [key for action, key in bucket.requests if action == "read" and "segments" in key] == []
    assert await read(bucket, tmp_path / "b") == content(tmp_path / "a")


async def test_segments_are_folded_if_they_are_many(
    bucket: FaultyBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_ledger, "FOLD_SHARE", 1000)
    monkeypatch.setattr(stored_ledger, "MAX_SEGMENTS", 3)
    lengths = []
    for number in range(4):
        async with running(bucket, tmp_path / "a") as run:
            await run.set(f"{number}")
        lengths.append(len(keys(bucket)))
    assert lengths == [3, 5, 3, 5]
    assert document(bucket, MANIFEST)["generation"] == 2
    assert await settings(bucket, tmp_path / "b") == ["0", "1", "2", "3"]


@pytest.mark.parametrize("is_response_lost", [False, True], ids=["lost request", "lost response"])
async def test_a_run_cut_off_at_any_write_loses_at_most_what_no_checkpoint_stored(
    tmp_path: Path, is_response_lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_ledger, "FOLD_SHARE", 0)  # each run folds
    writes, has_ended = 0, False
    while not has_ended:
        writes += 1
        bucket = new_bucket(tmp_path / f"{writes}")
        left = iter(range(writes))

        def cut(action: str, key: str, bucket: FaultyBucket = bucket, left: Iterator[int] = left) -> None:
            if action in {"create", "replace", "put", "delete"} and next(left, None) is None:
                bucket.go_down()
                raise ca.StoreError("no connection")

        if is_response_lost:
            bucket.after = cut
        else:
            bucket.before = cut
        stored: list[str] = []
        allowed = [stored]
        with suppress(ca.StoreError):
            async with running(bucket, tmp_path / "a") as run:
                for names in (["a"], ["b", "c", "d"]):
                    for name in names:
                        await run.set(name)
                    allowed.append(sorted([*allowed[-1], *names]))
                    await run.remote.checkpoint()
                    stored = allowed[-1]
        has_ended = next(left, None) is not None
        bucket.come_up(later=EXPIRED)
        async with running(bucket, tmp_path / "b") as run:
            found = content(tmp_path / "b")
            names = [name for _, name, _ in found["settings"]]
            assert names in allowed
            assert names >= stored
            await run.set("new")
        assert run.lost == []
        assert len(keys(bucket)) == 3
        assert await settings(bucket, tmp_path / "reader") == sorted([*names, "new"])
    assert writes > 10


async def test_a_failed_checkpoint_is_stored_by_the_next_one(bucket: FaultyBucket, tmp_path: Path) -> None:
    async with running(bucket, tmp_path / "a") as run:
        await run.set("x", "1")
        bucket.go_down()
        with pytest.raises(ca.StoreError):
            await run.remote.checkpoint()
        await run.set("x", "2")
        bucket.come_up()
        await run.remote.checkpoint()
        assert await read(bucket, tmp_path / "b") == content(tmp_path / "a")
    assert run.lost == []


@fast_clock
async def test_a_run_checkpoints_every_30_seconds_and_renews_its_lease(tmp_path: Path) -> None:
    bucket = new_bucket(tmp_path)
    async with running(bucket, tmp_path / "a") as run:
        bucket.requests.clear()
        await run.set("x")
        await asyncio.sleep(65)
        await run.set("y")
        await asyncio.sleep(30)
        assert [action for action, key in bucket.requests if key == LEASE] == ["replace"] * 4
        assert [key[-12:] for action, key in bucket.requests if action == "create"] == ["002.jsonl.gz", "003.jsonl.gz"]


@fast_clock
async def test_a_run_that_could_not_store_for_5_minutes_is_lost(tmp_path: Path) -> None:
    bucket = new_bucket(tmp_path)
    loop = asyncio.get_running_loop()
    async with running(bucket, tmp_path / "a") as run:

        def fail(action: str, key: str) -> None:
            if "segments" in key:
                raise ca.StoreError("slow down", status=503)

        bucket.before = fail
        await run.set("x")
        began = loop.time()
        while not run.lost:
            await asyncio.sleep(1)
        assert 300 <= loop.time() - began <= 301
        assert str(run.lost[0]) == "slow down"
        await asyncio.sleep(100)
    assert len(run.lost) == 1


@fast_clock
async def test_a_run_whose_lease_could_not_be_renewed_is_lost(tmp_path: Path) -> None:
    bucket = new_bucket(tmp_path)
    loop = asyncio.get_running_loop()
    async with running(bucket, tmp_path / "a") as run:

        def fail(action: str, key: str) -> None:
            if key == LEASE:
                raise ca.StoreError("slow down", status=503)

        bucket.before = fail
        began = loop.time()
        while not run.lost:
            await asyncio.sleep(1)
        assert loop.time() - began <= 60
        assert run.remote.error is run.lost[0]


async def test_a_stale_holder_cannot_store_a_segment(bucket: FaultyBucket, tmp_path: Path) -> None:
    async with running(bucket, tmp_path / "a") as stale:
        await stale.set("kept")
        await stale.remote.checkpoint()
        bucket.ages[LEASE] = EXPIRED
        async with running(bucket, tmp_path / "b") as run:
            bucket.ages.clear()
            await stale.set("lost")
            with pytest.raises(
                LedgerBusy, match=rf"another harvest \(process \d+ on .+\) has taken over {bucket.location}"
            ):
                await stale.remote.checkpoint()
            await run.set("new")
    assert [type(each) for each in stale.lost] == [LedgerBusy]
    assert run.lost == []
    assert await settings(bucket, tmp_path / "c") == ["kept", "new"]


async def test_segments_of_a_stale_holder_after_a_fold_do_not_count(
    bucket: FaultyBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(bucket, tmp_path / "a") as stale:
        bucket.ages[LEASE] = EXPIRED
        async with running(bucket, tmp_path / "b") as run:
            await run.set("new")
        for number in range(5):  # the fold deleted segment 2: it can be created again, and 4 comes after the snapshot
            await stale.set(f"lost {number}")
            await stale.remote.checkpoint()
        assert document(bucket, MANIFEST)["first"] == 4
        assert "segments/000000000005.jsonl.gz" in keys(bucket)
        assert await settings(bucket, tmp_path / "c") == ["new"]
    assert [type(each) for each in stale.lost] == [LedgerBusy]
    async with running(bucket, tmp_path / "d") as run:
        await run.set("newer")
    assert await settings(bucket, tmp_path / "c") == ["new", "newer"]


@fast_clock
async def test_a_stale_holder_is_lost_at_its_next_renewal(tmp_path: Path) -> None:
    bucket = new_bucket(tmp_path)
    async with running(bucket, tmp_path / "a") as stale:
        bucket.ages[LEASE] = EXPIRED
        async with running(bucket, tmp_path / "b"):
            await asyncio.sleep(21)
            assert [type(each) for each in stale.lost] == [LedgerBusy]
    assert len(stale.lost) == 1


async def test_a_stale_holder_cannot_fold(bucket: FaultyBucket, tmp_path: Path) -> None:
    lost: list[ca.CircleCIError] = []
    stack = running(bucket, tmp_path / "b")

    async def take_over() -> None:
        bucket.come_up(later=EXPIRED)
        async with stack as run:
            await run.set("new")

    loop = asyncio.get_running_loop()

    def interrupt(action: str, key: str) -> None:
        if action == "put" and "snapshots" in key:
            bucket.come_up()
            asyncio.run_coroutine_threadsafe(take_over(), loop).result()

    async with running(bucket, tmp_path / "a") as stale:
        await stale.set("kept")
        bucket.before = interrupt
    lost = stale.lost
    assert [type(each) for each in lost] == [LedgerBusy]
    assert len(keys(bucket)) == 3
    assert await settings(bucket, tmp_path / "c") == ["kept", "new"]


@pytest.mark.parametrize("pause", ["read", "create"])
async def test_a_run_begins_while_the_last_holder_is_still_folding(tmp_path: Path, pause: str) -> None:
    slow, bucket = new_bucket(tmp_path), new_bucket(tmp_path)
    (tmp_path / "b").mkdir()
    loop = asyncio.get_running_loop()
    is_paused, is_folded = threading.Event(), threading.Event()

    def wait(action: str, key: str) -> None:
        """Wait after the manifest was read, or after the fence was created."""
        if action == pause and (key == MANIFEST or "segments" in key) and not is_paused.is_set():
            is_paused.set()
            assert is_folded.wait(20)

    async def take_over() -> Run:
        bucket.ages[LEASE], bucket.after = EXPIRED, wait
        run = Run(bucket, tmp_path / "b")
        await run.remote.__aenter__()
        return run

    taking: list[Future[Run]] = []

    def interrupt(action: str, key: str) -> None:
        if action == "replace" and key == MANIFEST:
            taking.append(asyncio.run_coroutine_threadsafe(take_over(), loop))
            assert is_paused.wait(20)

    async with running(slow, tmp_path / "a") as run:
        await run.set("old")
        slow.before = interrupt
    assert [type(each) for each in run.lost] == [LedgerBusy]
    is_folded.set()
    new = await asyncio.wrap_future(taking[0])
    await new.set("new")
    await new.remote.__aexit__(None, None, None)
    assert new.lost == []
    assert await settings(bucket, tmp_path / "c") == ["new", "old"]


async def test_a_reader_gets_a_whole_ledger_while_segments_are_folded(bucket: FaultyBucket, tmp_path: Path) -> None:
    async with running(bucket, tmp_path / "a") as run:
        await run.set("old")
    reader = new_bucket(tmp_path)
    loop = asyncio.get_running_loop()

    async def fold() -> None:
        async with running(bucket, tmp_path / "a") as run:
            await run.set("new")

    def interrupt(action: str, key: str) -> None:
        if key == document(bucket, MANIFEST)["snapshot"]:
            reader.come_up()
            asyncio.run_coroutine_threadsafe(fold(), loop).result()

    reader.before = interrupt
    assert await settings(reader, tmp_path / "b") == ["new", "old"]


async def test_readers_share_a_copy_and_fetch_only_what_is_new(bucket: FaultyBucket, tmp_path: Path) -> None:
    async with running(bucket, tmp_path / "a") as run:
        await run.set("x")
        await run.remote.checkpoint()
        assert await asyncio.gather(*[settings(bucket, tmp_path / "b") for _ in range(3)]) == [["x"]] * 3
        await run.set("y")
        await run.remote.checkpoint()
        bucket.requests.clear()
        assert await settings(bucket, tmp_path / "b") == ["x", "y"]
        assert [key.rpartition("/")[2] for action, key in bucket.requests if action == "read"] == [
            "ledger.json",
            "000000000003.jsonl.gz",
            "ledger.json",
        ]


async def test_a_bucket_without_a_harvest_is_an_error_for_readers(bucket: FaultyBucket, tmp_path: Path) -> None:
    with pytest.raises(
        ca.LedgerError, match=rf"no harvest in {bucket.location}: it contains no \.harvest/ledger\.json"
    ):
        await fetch_to_read(bucket, tmp_path)
    assert keys(bucket) == []


async def test_an_old_copy_is_discarded_if_the_bucket_has_no_ledger(bucket: FaultyBucket, tmp_path: Path) -> None:
    async with running(bucket, tmp_path / "a") as run:
        await run.set("x")
    (tmp_path / "a" / ".harvest.parts").mkdir()
    bucket.delete([f".harvest/{name}" for name in keys(bucket)])
    async with running(bucket, tmp_path / "a") as run:
        assert content(tmp_path / "a")["settings"] == []
    assert (tmp_path / "a" / ".harvest.parts").is_dir()


async def test_a_changed_copy_is_fetched_again(bucket: FaultyBucket, tmp_path: Path) -> None:
    async with running(bucket, tmp_path / "a") as run:
        await run.set("x")
    async with running(bucket, tmp_path / "a") as run:
        await run.set("y")
        bucket.go_down()
    bucket.come_up()
    async with running(bucket, tmp_path / "a"):
        assert [name for _, name, _ in content(tmp_path / "a")["settings"]] == ["x"]


async def test_partial_files_are_deleted_after_a_run_with_another_folder(bucket: FaultyBucket, tmp_path: Path) -> None:
    """Their names are ids of the ledger, which the other run can have given to other files."""
    part = tmp_path / "a" / ".harvest.parts" / ".17.part"
    async with running(bucket, tmp_path / "a"):
        part.parent.mkdir()
        part.write_bytes(b"x")
    async with running(bucket, tmp_path / "a"):
        assert part.exists()
    async with running(bucket, tmp_path / "b"):
        pass
    async with running(bucket, tmp_path / "a"):
        assert not part.exists()


async def test_a_reader_of_the_last_copy_does_not_delay_the_next_one(bucket: FaultyBucket, tmp_path: Path) -> None:
    async with running(bucket, tmp_path / "a") as run:
        for name in "xyz":
            await run.set(name)
        await run.remote.checkpoint()
        with closing(connect_to_read(await fetch_to_read(bucket, tmp_path / "b"))) as sql:
            rows = sql.execute("SELECT name FROM settings ORDER BY name")
            assert rows.fetchone() == ("x",)
            await run.set("new")
            await run.remote.checkpoint()
            assert await settings(bucket, tmp_path / "b") == ["new", "x", "y", "z"]
            assert rows.fetchall() == [("y",), ("z",)]


async def test_a_checkpoint_contains_the_rows_of_one_moment(bucket: FaultyBucket, tmp_path: Path) -> None:
    """The run writes more rows while those of the checkpoint are read."""
    async with running(bucket, tmp_path / "a") as run:
        await run.set("x", "1")
        await run.set("y", "1")
        changes = await run.remote.writer.run(take_changes, run.folder)
        assert changes is not None
        await run.set("x", "2")
        await run.execute("DELETE FROM settings WHERE name = 'y'")
        with closing(changes):
            assert list(changes) == [("settings", (1,), ("x", "1")), ("settings", (2,), ("y", "1"))]


@pytest.mark.parametrize("is_whole_folder", [False, True], ids=["ledger", "folder"])
async def test_a_working_copy_that_is_deleted_ends_the_run(
    bucket: FaultyBucket, tmp_path: Path, is_whole_folder: bool
) -> None:
    async with running(bucket, tmp_path / "a") as run:
        await run.set("x")
        await run.remote.checkpoint()
        await run.set("y")
        if is_whole_folder:
            shutil.rmtree(run.folder)
        else:
            (run.folder / LEDGER_NAME).unlink()
    (error,) = run.lost
    assert str(error) == f"{run.folder / LEDGER_NAME} was deleted during the harvest: run the same command again"
    assert document(bucket, LEASE)["is_released"] is True
    async with running(bucket, tmp_path / "a") as run:
        assert [name for _, name, _ in content(tmp_path / "a")["settings"]] == ["x"]
    assert run.lost == []


@pytest.mark.parametrize("hangs_at", ["begin", "end"])
def test_a_store_that_does_not_respond_does_not_delay_the_end_of_a_cancelled_run(
    tmp_path: Path, hangs_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_ledger, "STOP_TIMEOUT", 0.05)
    bucket = new_bucket(tmp_path)
    is_over = threading.Event()

    async def harvest() -> None:
        async with running(bucket, tmp_path / "a") as run:
            await run.set("x")
            bucket.before = hang
            await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(harvest())
        await asyncio.sleep(0.05)
        task.cancel()
        await task

    def hang(action: str, key: str) -> None:
        is_over.wait(20)

    if hangs_at == "begin":
        bucket.before = hang
    try:
        with pytest.raises((asyncio.CancelledError, ca.StoreError)):
            asyncio.run(main())
        assert not is_over.is_set()
    finally:
        is_over.set()


async def test_a_cancelled_run_stores_its_last_changes_and_releases_the_lease(
    bucket: FaultyBucket, tmp_path: Path
) -> None:
    begun = asyncio.Event()

    async def harvest() -> None:
        async with running(bucket, tmp_path / "a") as run:
            await run.set("x")
            begun.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(harvest())
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert document(bucket, LEASE)["is_released"] is True
    assert document(bucket, MANIFEST)["snapshot"] is None
    assert await settings(bucket, tmp_path / "b") == ["x"]


@pytest.mark.parametrize("is_reader", [False, True], ids=["run", "reader"])
async def test_a_cancelled_download_of_the_ledger_ends_early(
    bucket: FaultyBucket, tmp_path: Path, is_reader: bool
) -> None:
    async with running(bucket, tmp_path / "a") as run:
        await run.set("x")
    loop = asyncio.get_running_loop()

    def cancel(action: str, key: str) -> None:
        if action == "head" and "snapshots" in key:
            loop.call_soon_threadsafe(task.cancel)
            time.sleep(0.05)  # the event loop cancels the task

    bucket.after = cancel
    entering = read(bucket, tmp_path / "b") if is_reader else running(bucket, tmp_path / "b").__aenter__()
    task = asyncio.ensure_future(entering)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not list(tmp_path.glob("b/**/.harvest.sqlite*"))
    bucket.come_up()
    assert document(bucket, LEASE)["is_released"] is True
    async with running(bucket, tmp_path / "c") as run:
        assert run.lost == []


async def test_a_failed_run_stores_its_last_changes(bucket: FaultyBucket, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with running(bucket, tmp_path / "a") as run:
            await run.set("x")
            raise ZeroDivisionError
    assert await settings(bucket, tmp_path / "b") == ["x"]
    assert len(keys(bucket)) == 3


async def test_a_second_run_is_refused_without_changes(bucket: FaultyBucket, tmp_path: Path) -> None:
    async with running(bucket, tmp_path / "a"):
        before = keys(bucket)
        with pytest.raises(LedgerBusy, match="another harvest"):
            async with running(bucket, tmp_path / "b"):
                pass
        assert keys(bucket) == before
