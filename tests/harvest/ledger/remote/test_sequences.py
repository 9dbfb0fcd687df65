"""Any sequence of changes, checkpoints, cuts and restarts: the bucket contains the state of the last checkpoint."""

import asyncio
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import circleci_async as ca
from circleci_async.harvest.ledger.remote import stored_ledger
from tests.harvest.ledger.remote.stores import content, new_bucket, read, running

IDS = st.integers(1, 4)
ARTIFACT = (
    "INSERT OR REPLACE INTO artifacts (id, job, node, path, url, safe, state, listed_by, run, turn, target)"
    " VALUES (?, 1, 0, ?, '', 1, 'found', 1, 1, 1, ?)"
)
CHANGES = st.one_of(
    st.tuples(st.just("INSERT OR REPLACE INTO settings VALUES ('name' || ?, ?)"), IDS, IDS),
    st.tuples(st.just("DELETE FROM settings WHERE name = 'name' || ?"), IDS),
    st.tuples(st.just("UPDATE OR REPLACE settings SET name = 'name' || ? WHERE name = 'name' || ?"), IDS, IDS),
    st.tuples(st.just("INSERT OR REPLACE INTO ended VALUES ('jobs', 'key' || ?, '', ?)"), IDS, IDS),
    st.tuples(st.just("UPDATE OR IGNORE ended SET key = 'key' || ? WHERE key = 'key' || ?"), IDS, IDS),
    st.tuples(st.just("DELETE FROM ended WHERE key = 'key' || ?"), IDS),
    st.tuples(st.just(ARTIFACT), IDS, IDS, IDS),
    st.tuples(st.just("UPDATE OR REPLACE artifacts SET id = ? WHERE id = ?"), IDS, IDS),
    st.tuples(st.just("UPDATE artifacts SET target = NULL WHERE id = ?"), IDS),
    st.tuples(st.just("INSERT OR REPLACE INTO listings VALUES ('', '', '', ?, '', '', 1, NULL)"), IDS),
    st.tuples(st.just("INSERT OR REPLACE INTO calls (artifact, run) VALUES (?, 1)"), IDS),
    st.tuples(st.just("DELETE FROM calls WHERE artifact = ?"), IDS),
)
RUNS = st.lists(
    st.tuples(
        st.sampled_from(["end", "fail", "cut"]),
        st.booleans(),
        st.lists(st.one_of(CHANGES, st.just("checkpoint")), max_size=12),
    ),
    min_size=1,
    max_size=4,
)


async def check(runs: list[tuple[str, bool, list[Any]]], folder: Path) -> None:
    bucket = new_bucket(folder)
    expected: dict[str, list[Any]] | None = None
    for number, (end, is_same_folder, steps) in enumerate(runs):
        working = folder / ("same" if is_same_folder else f"{number}")
        with suppress(ZeroDivisionError):
            async with running(bucket, working) as run:
                if expected is not None:
                    assert content(working) == expected
                expected = content(working)
                for step in steps:
                    if step == "checkpoint":
                        await run.remote.checkpoint()
                        expected = content(working)
                        assert await read(bucket, folder) == expected
                    else:
                        await run.execute(*step)
                if end == "cut":
                    await run.set("lost")
                    bucket.go_down()
                else:
                    expected = content(working)
                if end == "fail":
                    raise ZeroDivisionError
        assert [type(error) for error in run.lost] == ([ca.StoreError] if end == "cut" else [])
        bucket.come_up(later=timedelta(seconds=61))
        assert await read(bucket, folder) == expected


@settings(max_examples=12, deadline=None)
@given(runs=RUNS, share=st.sampled_from([0, 1 / 8, 1000]))
def test_the_bucket_contains_the_last_checkpoint(runs: Any, share: float) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored_ledger, "FOLD_SHARE", share)
        asyncio.run(check(runs, Path(folder)))
