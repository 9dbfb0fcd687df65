"""Rows survive their files, whatever servers send."""

from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from circleci_async.models.insights_tables import InsightsRun
from circleci_async.reports.history.tables import FLAKY_TESTS, JOBS, RUNS, TESTS, HistoryTable

TEXT = st.text(st.characters())
"""With unpaired surrogates."""

NUMBERS = st.integers(-(10**30), 10**30)

TIMES = st.datetimes(timezones=st.just(UTC))

RUN = InsightsRun(project="gh/acme/api", workflow="build", id="1", created_at=datetime(2026, 11, 1, tzinfo=UTC))


def rows_of(table: HistoryTable[Any]) -> st.SearchStrategy[list[Any]]:
    known = {str: TEXT, int: NUMBERS, float: st.floats(allow_nan=False), datetime: TIMES, date: st.dates()}
    with_none = {kind | None: st.none() | strategy for kind, strategy in known.items()}
    arguments = {
        name: (known | with_none).get(hint, st.booleans()) for name, hint in table.kind.__annotations__.items()
    }
    return st.lists(st.builds(table.kind, **arguments), max_size=4)


@pytest.mark.parametrize("table", [RUNS, JOBS, TESTS, FLAKY_TESTS])
@given(st.data())
@settings(max_examples=20)
def test_storable_rows_survive_their_file(table: HistoryTable[Any], data: st.DataObject) -> None:
    rows = [table.storable(row) for row in data.draw(rows_of(table))]

    content = table.dump(table.sorted(rows))

    assert table.load(content) == table.sorted(rows)
    assert table.dump(table.sorted(reversed(rows))) == content


def test_what_a_file_cannot_contain_is_replaced() -> None:
    odd = evolve(RUN, branch="caf\u00e9 \ud800 '; DROP TABLE runs", credits_used=10**30, duration=-(10**30))

    stored = RUNS.storable(odd)

    assert stored.branch == "caf\u00e9 \\ud800 '; DROP TABLE runs"
    assert (stored.credits_used, stored.duration) == (2**63 - 1, -(2**63 - 1))
    assert RUNS.storable(RUN) is RUN
    assert RUNS.load(RUNS.dump([stored])) == [stored]


def test_a_file_without_rows_has_the_columns() -> None:
    assert JOBS.load(JOBS.dump([])) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "parquet"),
        (RUNS.dump([RUN])[:-200], "parquet"),
        (RUNS.dump([RUN])[:-20], "the file is damaged: its checksum is wrong"),
        (RUNS.dump([RUN]).replace(b"gh/acme/api", b"gh/acme/apj", 1), "checksum"),
        (RUNS.dump([RUN]).replace(b"circleci-async sha256:", b"circleci-async sha257:")[:-1] + b"2", "parquet"),
        (JOBS.dump([]), "is_default_branch|not found"),
        (RUNS.dump([evolve(RUN, id=None)]), "id is null"),  # type: ignore[arg-type]
    ],
)
def test_a_damaged_file_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=f"(?i){reason}") as caught:
        RUNS.load(content)
    assert "\n" not in str(caught.value)


def test_columns_of_users_are_not_read_and_types_are_converted() -> None:
    import polars as pl

    frame = pl.DataFrame({"note": ["mine"], **{name: [getattr(RUN, name)] for name in InsightsRun.__annotations__}})
    file = BytesIO()
    frame.with_columns(duration=pl.lit(7, pl.Int16)).write_parquet(file)

    assert RUNS.load(file.getvalue()) == [evolve(RUN, duration=7)]
    assert {type(each.created_at.tzinfo) for each in RUNS.load(file.getvalue())} == {type(UTC)}
