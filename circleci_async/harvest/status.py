"""The status of a harvest, read from its ledger."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime

from attrs import field, frozen

from .destination.place import HarvestDestination, Place, resolve
from .ledger.schema import LEDGER_NAME, connect_to_read, damaged, ledger_errors
from .open_ledger import is_running, readable
from .report import HarvestedFile, HarvestFailure, all_files, counted, failures_of

__all__ = ["HarvestStatus", "harvest_status"]


@frozen(kw_only=True)
class HarvestStatus:
    """The status of the harvest in one destination, over all of its runs."""

    done: int
    """Finished files."""
    pending: int
    """Selected artifacts that are not downloaded yet."""
    failed: int
    """Artifacts, lists and calls of `on_file` that failed."""
    gone: int
    """Artifacts that are not listed any more and were never downloaded."""
    bytes: int
    """Total size of the finished files."""
    runs: int
    """How many harvests were run."""
    is_running: bool
    """Whether a harvest is running now."""
    is_complete: bool
    """Whether the last run finished, and nothing is pending or failed."""
    began_at: datetime | None
    """When the last run began."""
    ended_at: datetime | None
    """When the last run finished; None if it did not."""
    files: Sequence[HarvestedFile] = field(repr=counted)
    """The finished files; read from the ledger on access."""
    failures: Sequence[HarvestFailure] = field(repr=counted)
    """The failures; read from the ledger on access."""
    pruned: int = 0
    """Files that `prune_harvest` deleted."""
    calls_due: int = 0
    """Files for which `on_file` has not been called, because a harvest with it was interrupted."""


async def harvest_status(into: HarvestDestination, *, ledger: str | os.PathLike[str] | None = None) -> HarvestStatus:
    """Return the status of the harvest in a destination. Sends no request to CircleCI, and changes nothing.

    `ledger`: the folder of the ledger, if the harvest was given one.

    Raises `LedgerError` if the destination contains no harvest, or its ledger cannot be read.
    """
    place = resolve(into, ledger)
    running = await is_running(place)
    return await asyncio.to_thread(_read, await readable(place), running)


def _read(place: Place, running: bool) -> HarvestStatus:
    root = place.ledger
    with closing(connect_to_read(root)) as sql, ledger_errors(root):
        states = {
            state: (count, size or 0)
            for state, count, size in sql.execute(
                "SELECT CASE state WHEN 'fetched' THEN 'found' WHEN 'pruning' THEN 'pruned' ELSE state END,"
                " count(*), sum(size) FROM artifacts GROUP BY 1"
            )
        }
        (failed_lists,) = sql.execute("SELECT count(*) FROM listings WHERE error IS NOT NULL").fetchone()
        failed_calls, calls_due = sql.execute(
            "SELECT count(calls.error), count(*) - count(calls.error) FROM calls"
            " JOIN artifacts ON artifacts.id = artifact WHERE state = 'done'"
        ).fetchone()
        (runs,) = sql.execute("SELECT count(*) FROM runs").fetchone()
        began, ended = sql.execute("SELECT began, ended FROM runs ORDER BY id DESC").fetchone() or (None, None)
    try:
        began_at, ended_at = (text and datetime.fromisoformat(text) for text in (began, ended))
    except ValueError:
        raise damaged(root / LEDGER_NAME) from None
    nothing = (0, 0)
    done, size = states.get("done", nothing)
    pending, _ = states.get("found", nothing)
    gone, _ = states.get("gone", nothing)
    failed = states.get("failed", nothing)[0] + failed_lists + failed_calls
    pruned, _ = states.get("pruned", nothing)
    return HarvestStatus(
        done=done,
        pending=pending,
        failed=failed,
        gone=gone,
        bytes=size,
        runs=runs,
        is_running=running,
        is_complete=ended is not None and not pending and not failed and not calls_due,
        began_at=began_at,
        ended_at=ended_at,
        files=all_files(place, done),
        failures=failures_of(place, 0),
        pruned=pruned,
        calls_due=calls_due,
    )
