"""Each change of a file happens at once, and after the others."""

import os
import threading
from contextlib import closing
from pathlib import Path

import pytest

from circleci_async.errors import CircleCIError, LedgerBusy
from circleci_async.harvest.lock import Lock
from circleci_async.reports.history import store
from circleci_async.reports.history.store import LOCK_NAME, HistoryFolder, HistoryStore
from circleci_async.reports.history.tables import RUNS, Partition
from tests.reports.history.test_merge import run

NAME = "runs/project=gh%2Facme%2Fapi/month=2026-11/runs.parquet"


def test_a_change_waits_for_that_of_another_collection(tmp_path: Path) -> None:
    folder = HistoryFolder(tmp_path / "history", "into")
    seen: list[bytes | None] = []

    def second(content: bytes | None) -> bytes:
        seen.append(content)
        return b"second"

    other = threading.Thread(target=folder.update, args=(NAME, second))

    def first(content: bytes | None) -> bytes:
        seen.append(content)
        other.start()
        other.join(0.05)
        return b"first"

    folder.update(NAME, first)
    other.join()

    assert seen == [None, b"first"]
    assert folder.read(NAME) == b"second"


def test_a_file_without_changes_is_not_created(tmp_path: Path) -> None:
    folder = HistoryFolder(tmp_path / "history", "into")

    folder.update(NAME, lambda content: content)

    assert [path.name for path in (tmp_path / "history").iterdir()] == [LOCK_NAME]


async def test_rows_that_do_not_change_are_not_written(tmp_path: Path) -> None:
    partition = Partition("runs", "gh/acme/api", "2026-11")
    with closing(HistoryStore(tmp_path, name="into")) as rows:
        assert await rows.update(RUNS, partition, lambda stored: [*stored, run()]) == ([run()], [])
        inode = (tmp_path / partition.name).stat().st_ino
        assert await rows.update(RUNS, partition, list) == ([], [])
        assert (tmp_path / partition.name).stat().st_ino == inode
        assert await rows.update(RUNS, partition, lambda _: []) == ([], [run()])
        assert await rows.read(RUNS, partition) == []
        assert await rows.partitions("runs") == [partition]


def test_a_collection_that_does_not_end_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LOCK_TIMEOUT", 0.0)
    lock = Lock(tmp_path, name=LOCK_NAME, what="collection")

    with pytest.raises(LedgerBusy, match=rf"another collection \(process {os.getpid()}\) is running in {tmp_path}"):
        HistoryFolder(tmp_path, "into").update(NAME, lambda _: b"")

    lock.release()


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir(parents=True)

    with pytest.raises(CircleCIError, match=r"cannot read .*runs\.parquet: Is a directory"):
        HistoryFolder(tmp_path, "into").update(NAME, lambda _: b"")
