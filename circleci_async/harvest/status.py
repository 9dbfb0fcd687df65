"""Where a harvest stands, by its ledger."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from attrs import field, frozen

from .lock import is_locked
from .report import HarvestFailure, all_failures, counted
from .schema import connect_to_read, explained

__all__ = ["HarvestStatus", "harvest_status"]


@frozen(kw_only=True)
class HarvestStatus:
    """Where the harvest in one destination stands, all of its runs together."""

    done: int
    """Finished files."""
    pending: int
    """Artifacts that were asked for and are still to be fetched."""
    failed: int
    """Artifacts and lists that could not be had."""
    gone: int
    """Artifacts that are listed no more, and were never fetched."""
    bytes: int
    """Of all finished files."""
    runs: int
    """How often something was harvested into it."""
    is_running: bool
    """Whether a harvest is at work now."""
    is_complete: bool
    """Whether the last run came to its end, and nothing is pending or failed."""
    began_at: datetime | None
    """When the last run began."""
    ended_at: datetime | None
    """When it came to its end; None if it did not, or not yet."""
    failures: Sequence[HarvestFailure] = field(repr=counted)
    """What could not be had; read from the ledger when it is looked at."""


async def harvest_status(into: str | os.PathLike[str]) -> HarvestStatus:
    """Say where the harvest in a destination stands. Nothing is asked for, and nothing is changed.

    Raises `LedgerError` if there is none, or its ledger can't be read.
    """
    return await asyncio.to_thread(_read, Path(into))


def _read(root: Path) -> HarvestStatus:
    with closing(connect_to_read(root)) as sql, explained(root):
        states = {
            state: (count, size or 0)
            for state, count, size in sql.execute(
                "SELECT CASE state WHEN 'fetched' THEN 'found' ELSE state END, count(*), sum(size)"
                " FROM artifacts GROUP BY 1"
            )
        }
        (unlisted,) = sql.execute("SELECT count(*) FROM listings WHERE error IS NOT NULL").fetchone()
        (runs,) = sql.execute("SELECT count(*) FROM runs").fetchone()
        began, ended = sql.execute("SELECT began, ended FROM runs ORDER BY id DESC").fetchone() or (None, None)
    nothing = (0, 0)
    done, size = states.get("done", nothing)
    pending, _ = states.get("found", nothing)
    gone, _ = states.get("gone", nothing)
    failed = states.get("failed", nothing)[0] + unlisted
    return HarvestStatus(
        done=done,
        pending=pending,
        failed=failed,
        gone=gone,
        bytes=size,
        runs=runs,
        is_running=is_locked(root),
        is_complete=ended is not None and not pending and not failed,
        began_at=began and datetime.fromisoformat(began),
        ended_at=ended and datetime.fromisoformat(ended),
        failures=all_failures(root),
    )
