"""Where the files of a history are."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_async.reports.history.tables import Partition, month_of


def test_a_partition_has_a_file_in_folders_of_project_and_month() -> None:
    partition = Partition("runs", "gh/acme/api", "2026-11")

    assert partition.name == "runs/project=gh%2Facme%2Fapi/month=2026-11/runs.parquet"
    assert Partition.parse(partition.name) == partition


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_slug_is_one_safe_folder(slug: str) -> None:
    partition = Partition("flaky_tests", slug, "2026-11")

    assert Partition.parse(partition.name) == partition
    _, folder, _, _ = partition.name.split("/")
    assert folder.isascii()
    assert not set(folder) & set('*?[]<>:"\\|')


@pytest.mark.parametrize(
    "name",
    [
        "runs/project=gh%2Facme%2Fapi/month=2026-11/jobs.parquet",
        "runs/project=gh%2facme%2fapi/month=2026-11/runs.parquet",
        "runs/project=gh/acme/api/month=2026-11/runs.parquet",
        "runs/project=gh%2Facme%2Fapi/month=2026/runs.parquet",
        "runs/project=gh%2Facme%2Fapi/month=2026-11/.runs.parquet.0123abcd.part",
        "old/runs/project=gh%2Facme%2Fapi/month=2026-11/runs.parquet",
        "runs.parquet",
    ],
)
def test_other_names_are_not_partitions(name: str) -> None:
    assert Partition.parse(name) is None


def test_months_are_in_utc() -> None:
    early = datetime(2026, 12, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))

    assert month_of(early) == month_of(datetime(2026, 11, 30, 23, 30, tzinfo=UTC)) == "2026-11"
    assert month_of(date(987, 3, 1)) == "0987-03"
