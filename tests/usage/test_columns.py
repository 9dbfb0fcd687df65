"""The types of the columns of usage exports."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
import polars as pl
import pytest

import circleci_async as ca
from circleci_async.usage.columns import typed
from tests.downloads.file_server import served
from tests.fastclock import fast_clock
from tests.usage.exports import END, ORG, START, one_organization, one_server, part, running

AT = datetime(2026, 5, 4, 10, 11, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("TOTAL_CREDITS", "12", 12.0),
        ("COMPUTE_CREDITS", "12.340", 12.34),
        ("DLC_CREDITS", "-1", -1.0),
        ("USER_CREDITS", "1e3", 1000.0),
        ("MEDIAN_CPU_UTILIZATION_PCT", "0", 0.0),
        ("JOB_RUN_SECONDS", "61.5", 61.5),
        ("PARALLELISM", "4", 4),
        ("PIPELINE_NUMBER", "123456789", 123456789),
        ("JOB_RUN_NUMBER", "0", 0),
        ("IS_WORKFLOW_SUCCESSFUL", "true", True),
        ("IS_UNREGISTERED_USER", "FALSE", False),
        ("JOB_RUN_STARTED_AT", "2026-05-04 10:11:12", AT),
        ("PIPELINE_CREATED_AT", "2026-05-04T10:11:12Z", AT),
        ("WORKFLOW_STOPPED_AT", "2026-05-04 12:11:12.5+02:00", AT.replace(microsecond=500_000)),
        ("JOB_RUN_DATE", "2026-05-04", date(2026, 5, 4)),
        ("ORGANIZATION_CREATED_DATE", "2026-05-04 10:11:12", AT),
        ("PROJECT_NAME", "12", "12"),
        ("VCS_BRANCH", "true", "true"),
        ("NEW_CREDITS", "12", "12"),
        ("NEW_AT", "2026-05-04 10:11:12", "2026-05-04 10:11:12"),
        ("TOTAL_CREDITS", "", None),
        ("JOB_RUN_STOPPED_AT", r"\N", None),
        ("VCS_BRANCH", "", None),
        ("NEW", "", None),
        # Text that does not fit stays.
        ("TOTAL_CREDITS", "12 credits", "12 credits"),
        ("TOTAL_CREDITS", "nan", "nan"),
        ("TOTAL_CREDITS", "1_000", "1_000"),
        ("TOTAL_CREDITS", "\u0663", "\u0663"),
        ("TOTAL_CREDITS", " 1", " 1"),
        ("PARALLELISM", "1.5", "1.5"),
        ("PIPELINE_NUMBER", "9" * 30, "9" * 30),
        ("IS_WORKFLOW_SUCCESSFUL", "maybe", "maybe"),
        ("JOB_RUN_STARTED_AT", "yesterday", "yesterday"),
        ("JOB_RUN_STARTED_AT", "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
        ("JOB_RUN_DATE", "2026-02-30", "2026-02-30"),
    ],
)
def test_a_value_has_the_type_of_its_column(column: str, text: str, value: Any) -> None:
    row = typed({column: text})
    assert row == {column: value}
    assert type(row[column]) is type(value)
    if isinstance(value, datetime):
        assert value.tzinfo is UTC


@fast_clock
async def test_an_export_has_types_and_its_text_on_request() -> None:
    world, organization = one_organization(jobs=3)
    async with running(world) as (_, circle):
        rows = [row async for row in circle.usage.export(organization.id, START, END)]
        texts = [row async for row in circle.usage.export(organization.id, START, END, raw=True)]
    assert {type(value) for row in texts for value in row.values()} == {str}
    assert rows == [typed(text) for text in texts]
    assert sum(row["TOTAL_CREDITS"] for row in rows) == 30
    assert {type(rows[0][name]) for name in ("JOB_RUN_STARTED_AT", "PIPELINE_CREATED_AT")} == {datetime}
    frame = pl.DataFrame(ca.rows(rows, organization="gh/acme"), infer_schema_length=None)
    assert frame.schema["TOTAL_CREDITS"] == pl.Float64
    assert frame.schema["JOB_RUN_STARTED_AT"] == pl.Datetime("us", "UTC")
    assert frame.schema["JOB_RUN_DATE"] == pl.Date
    assert pd.DataFrame(ca.rows(rows))["TOTAL_CREDITS"].sum() == 30


async def test_a_completed_export_can_be_read_in_both_ways() -> None:
    files = {"/1": served(part("PROJECT_NAME,TOTAL_CREDITS,NEW", "api,1.5,7", ",\\N,"))}
    async with one_server(files) as (_, circle):
        export = await circle.usage.wait(ORG, "e-1", interval=(0.01, 0.01))
        assert [row async for row in circle.usage.rows(export)] == [
            {"PROJECT_NAME": "api", "TOTAL_CREDITS": 1.5, "NEW": "7"},
            {"PROJECT_NAME": None, "TOTAL_CREDITS": None, "NEW": None},
        ]
        assert [row async for row in circle.usage.rows(export, raw=True)] == [
            {"PROJECT_NAME": "api", "TOTAL_CREDITS": "1.5", "NEW": "7"},
            {"PROJECT_NAME": "", "TOTAL_CREDITS": r"\N", "NEW": ""},
        ]


@fast_clock
async def test_an_export_ends_now_by_default() -> None:
    world, organization = one_organization(jobs=1)
    async with running(world) as (fake, circle):
        before = datetime.now(UTC)
        async for _ in circle.usage.export(organization.id, "30d"):
            pass
    [body] = [json.loads(request.body) for request in fake.requests if request.method == "POST"]
    start, end = (datetime.fromisoformat(body[name]) for name in ("start", "end"))
    assert before <= end <= datetime.now(UTC)
    assert abs((end - start).total_seconds() - 30 * 24 * 3600) < 60
