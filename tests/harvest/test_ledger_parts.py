"""The parts of the ledger, each alone: the writer, the queue, the catalog and the lists to read again."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.harvest.destination.folder import FolderFiles
from circleci_async.harvest.layout import JobRef, Layout
from circleci_async.harvest.ledger.catalog import Catalog
from circleci_async.harvest.ledger.listings import IncompleteListings
from circleci_async.harvest.ledger.queue import LedgerQueue
from circleci_async.harvest.ledger.records import FetchedArtifact, Listing, Recorded
from circleci_async.harvest.ledger.runs import Run, begin_run, end_run
from circleci_async.harvest.ledger.writer import LedgerWriter
from circleci_async.models import Artifact
from tests.harvest.harvests import rows, states

JOB = JobRef("gh/acme/api", 1, "build", "test", 7)
ERROR = ca.TransportError("reset")


@pytest.fixture
async def writer(into: Path) -> AsyncIterator[LedgerWriter]:
    into.mkdir()
    async with LedgerWriter(into) as opened:
        yield opened


async def new_run(writer: LedgerWriter, selection: str = "{}") -> Run:
    return await begin_run(writer, Layout(), [JOB.project], selection)


async def queue_artifacts(writer: LedgerWriter, into: Path, run: Run, count: int) -> Recorded:
    """Record a job with some artifacts, all queued, and assign their paths."""
    catalog = Catalog(writer, FolderFiles(into), Layout(), run)
    await catalog.visit(JOB, None, is_queued=True)
    artifacts = [Artifact(path=f"{number}", node_index=0, url=f"http://x/{number}") for number in range(count)]
    recorded = await catalog.add(JOB, artifacts, None, is_queued=True)
    await catalog.complete(JOB, is_final=True)
    return recorded


def insert_setting(sql: sqlite3.Connection, name: str) -> int:
    return sql.execute("INSERT INTO settings VALUES (?, '')", (name,)).rowcount


async def test_execute_commits_and_rolls_back_if_the_work_raises(writer: LedgerWriter, into: Path) -> None:
    assert await writer.execute(insert_setting, "kept") == 1

    def fail(sql: sqlite3.Connection) -> None:
        insert_setting(sql, "dropped")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await writer.execute(fail)
    with pytest.raises(ca.LedgerError, match="UNIQUE constraint failed"):
        await writer.execute(insert_setting, "kept")
    await writer.execute(insert_setting, "later")
    assert rows(into, "SELECT name FROM settings ORDER BY name") == [("kept",), ("later",)]


async def test_submitted_work_runs_in_order_and_before_the_file_is_closed(into: Path) -> None:
    into.mkdir()
    async with LedgerWriter(into) as writer:
        work = [writer.submit(insert_setting, f"{number}") for number in range(20)]
    assert await asyncio.gather(*work) == [1] * 20
    assert rows(into, "SELECT name FROM settings ORDER BY rowid") == [(f"{number}",) for number in range(20)]


async def test_the_queue_hands_out_each_pending_artifact_once(writer: LedgerWriter, into: Path) -> None:
    run = await new_run(writer)
    queue = LedgerQueue(writer, run)
    assert await queue.claim(10) == []
    assert (await queue_artifacts(writer, into, run, 5)).discovered == 5
    first = await queue.claim(2)
    rest = await queue.claim(10)
    assert [each.path for each in (*first, *rest)] == ["0", "1", "2", "3", "4"]
    assert first[0].target == "gh/acme/api/1/build/test-7/0"
    assert await queue.claim(10) == []


async def test_what_is_released_is_claimed_again_and_what_is_committed_or_failed_is_not(
    writer: LedgerWriter, into: Path
) -> None:
    run = await new_run(writer)
    queue = LedgerQueue(writer, run)
    await queue_artifacts(writer, into, run, 4)
    done, failed, charged, free = await queue.claim(4)
    await queue.fail(failed, ERROR)
    await queue.release(charged, ERROR, counts_attempt=True)
    await queue.release(free, ERROR, counts_attempt=False)
    await writer.execute(queue.commit, [FetchedArtifact(done, b"", 0, "", None)])
    assert await queue.claim(10) == []
    queue.rewind()
    assert [(each.path, each.attempts) for each in await queue.claim(10)] == [("2", 1), ("3", 0)]
    assert states(into) == {"done": 1, "failed": 1, "found": 2}


async def test_the_next_run_queues_what_is_left_and_skips_what_is_there(writer: LedgerWriter, into: Path) -> None:
    run = await new_run(writer)
    queue = LedgerQueue(writer, run)
    await queue_artifacts(writer, into, run, 3)
    done, failed, _ = await queue.claim(3)
    await queue.fail(failed, ERROR)
    await writer.execute(queue.commit, [FetchedArtifact(done, None, 1, "", None)])
    (into / "gh/acme/api/1/build/test-7").mkdir(parents=True)
    (into / "gh/acme/api/1/build/test-7/0").write_bytes(b"0")
    await end_run(writer, run)
    other = Catalog(writer, FolderFiles(into), Layout(), await new_run(writer, "other"))
    assert await other.queue_leftovers(JOB.project) == Recorded()
    run = await new_run(writer)
    catalog = Catalog(writer, FolderFiles(into), Layout(), run)
    assert await catalog.queue_leftovers(JOB.project) == Recorded(discovered=2)
    assert [each.path for each in await LedgerQueue(writer, run).claim(9)] == ["1", "2"]
    assert await catalog.queue_matching(JOB, None) == Recorded(is_complete=True, skipped=1)


async def test_incomplete_lists_are_those_of_earlier_runs_with_the_same_selection(writer: LedgerWriter) -> None:
    listing = Listing("artifacts", JOB.project, "7", "job 7", [1, "build"], "500")
    first = IncompleteListings(writer, await new_run(writer, "a"))
    await first.add(listing)
    assert await first.of_earlier_runs(JOB.project) == []
    other = IncompleteListings(writer, await new_run(writer, "b"))
    assert await other.of_earlier_runs(JOB.project) == []
    second = IncompleteListings(writer, await new_run(writer, "a"))
    assert await second.of_earlier_runs(JOB.project) == [listing]
    await second.remove(listing)
    third = IncompleteListings(writer, await new_run(writer, "a"))
    assert await third.of_earlier_runs(JOB.project) == []
