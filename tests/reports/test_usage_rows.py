"""The usage of a report: from exports, files and rows."""

import asyncio
import csv
import gzip
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.models import InsightsUsage, Project, UsageExport, UsageExportState, VcsProvider
from circleci_async.models.projects import ProjectVcs
from circleci_async.reports.usage_rows import BATCH, UsageFilter
from circleci_async.reports.window import Window
from circleci_async.testing import World
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_is_left

from .worlds import DAY, now, run, serving

NOW = datetime.now(UTC)
TEXT = {
    "ORGANIZATION_NAME": "acme",
    "PROJECT_NAME": "api",
    "VCS_BRANCH": "main",
    "WORKFLOW_ID": "w-1",
    "WORKFLOW_NAME": "build",
    "JOB_ID": "j-1",
    "JOB_NAME": "test",
    "JOB_RUN_QUEUED_AT": f"{NOW - DAY:%Y-%m-%d %H:%M:%S}",
    "JOB_RUN_STARTED_AT": f"{NOW - DAY + timedelta(seconds=90):%Y-%m-%d %H:%M:%S}",
    "JOB_RUN_STOPPED_AT": f"{NOW - DAY + timedelta(seconds=150):%Y-%m-%d %H:%M:%S}",
    "JOB_BUILD_STATUS": "success",
    "RESOURCE_CLASS": "large",
    "EXECUTOR": "docker",
    "PARALLELISM": "4",
    "JOB_RUN_SECONDS": "60",
    "TOTAL_CREDITS": "12.5",
    "MEDIAN_CPU_UTILIZATION_PCT": "20.5",
    "MAX_CPU_UTILIZATION_PCT": "80",
    "MEDIAN_RAM_UTILIZATION_PCT": "30",
    "MAX_RAM_UTILIZATION_PCT": "40.25",
}
QUEUED_AT = (NOW - DAY).replace(microsecond=0)
USAGE = InsightsUsage(
    project="gh/acme/api",
    workflow="build",
    job="test",
    job_id="j-1",
    workflow_id="w-1",
    branch="main",
    status="success",
    resource_class="large",
    executor="docker",
    parallelism=4,
    queued_at=QUEUED_AT,
    started_at=QUEUED_AT + timedelta(seconds=90),
    stopped_at=QUEUED_AT + timedelta(seconds=150),
    duration=60.0,
    queue_duration=90.0,
    credits_used=12.5,
    median_cpu=20.5,
    max_cpu=80.0,
    median_ram=30.0,
    max_ram=40.25,
)


def usage_of(
    rows: Iterable[Mapping[str, object]],
    projects: Mapping[str, Project | None] | None = None,
    branch: str | None = None,
) -> list[InsightsUsage]:
    """Return the usage of a report of one project over 30 days."""
    collected = UsageFilter(projects or {"gh/acme/api": None}, branch, Window(NOW - 30 * DAY, NOW))
    for row in rows:
        collected.add(row)
    return collected.found


def project(id: str | None, slug: str = "gh/acme/api", name: str = "api", organization: str = "acme") -> Project:
    vcs = ProjectVcs(vcs_url="", provider=VcsProvider.GITHUB, default_branch="main")
    return Project(slug=slug, name=name, organization_name=organization, vcs_info=vcs, id=id)


def test_a_row_of_text_is_converted() -> None:
    assert usage_of([TEXT]) == [USAGE]


def test_a_row_of_values_is_converted() -> None:
    typed = {
        **TEXT,
        "JOB_RUN_QUEUED_AT": QUEUED_AT,
        "JOB_RUN_STARTED_AT": QUEUED_AT.replace(tzinfo=None) + timedelta(seconds=90),
        "PARALLELISM": 4,
        "TOTAL_CREDITS": 12.5,
        "JOB_RUN_SECONDS": 60,
    }
    assert usage_of([typed]) == [USAGE]


@pytest.mark.parametrize(
    ("column", "value", "name"),
    [
        ("PARALLELISM", "four", "parallelism"),
        ("PARALLELISM", True, "parallelism"),
        ("TOTAL_CREDITS", float("nan"), "credits_used"),
        ("TOTAL_CREDITS", [1], "credits_used"),
        ("TOTAL_CREDITS", r"\N", "credits_used"),
        ("JOB_RUN_STOPPED_AT", "yesterday", "stopped_at"),
        ("JOB_RUN_STOPPED_AT", 7, "stopped_at"),
        ("RESOURCE_CLASS", 7, "resource_class"),
        ("MAX_CPU_UTILIZATION_PCT", "", "max_cpu"),
        ("JOB_RUN_QUEUED_AT", "2100-01-01 00:00:00", "queue_duration"),  # after the start
    ],
)
def test_a_value_of_another_type_is_none(column: str, value: object, name: str) -> None:
    (found,) = usage_of([{**TEXT, column: value}])
    assert getattr(found, name) is None
    assert found.credits_used == (None if column == "TOTAL_CREDITS" else 12.5)


def test_columns_can_be_missing() -> None:
    row = {name: TEXT[name] for name in ("ORGANIZATION_NAME", "PROJECT_NAME", "JOB_RUN_STARTED_AT")}
    (found,) = usage_of([row])
    assert (found.project, found.workflow, found.job, found.credits_used) == ("gh/acme/api", "", "", None)


@pytest.mark.parametrize(
    "row",
    [
        {**TEXT, "PROJECT_NAME": "web"},
        {**TEXT, "ORGANIZATION_NAME": "other"},
        {**TEXT, "JOB_RUN_STARTED_AT": f"{NOW - 31 * DAY:%Y-%m-%d %H:%M:%S}"},
        {**TEXT, "JOB_RUN_STARTED_AT": f"{NOW + DAY:%Y-%m-%d %H:%M:%S}"},
        {**TEXT, "JOB_RUN_STARTED_AT": ""},
        {},
    ],
)
def test_rows_of_other_projects_and_times_are_left_out(row: dict[str, object]) -> None:
    assert usage_of([row]) == []


def test_rows_of_other_branches_are_left_out() -> None:
    rows = [TEXT, {**TEXT, "JOB_ID": "j-2", "VCS_BRANCH": "fix"}, {**TEXT, "JOB_ID": "j-3", "VCS_BRANCH": ""}]
    assert [each.job_id for each in usage_of(rows, branch="main")] == ["j-1"]
    assert [each.job_id for each in usage_of(rows)] == ["j-1", "j-2", "j-3"]


def test_a_repeated_job_is_collected_once() -> None:
    assert usage_of([TEXT, TEXT]) == [USAGE]
    without_id = {**TEXT, "JOB_ID": None}
    assert len(usage_of([without_id, without_id])) == 2


def test_the_project_is_found_by_its_id_else_by_its_name() -> None:
    opaque = "circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat"
    projects = {"gh/acme/api": project("p-1"), opaque: project(None, opaque, "Web", "Acme"), "gh/acme/gone": None}
    rows = [
        {**TEXT, "JOB_ID": "1", "PROJECT_ID": "p-1", "PROJECT_NAME": "renamed"},
        {**TEXT, "JOB_ID": "2", "PROJECT_NAME": "web"},
        {**TEXT, "JOB_ID": "3", "PROJECT_ID": "p-3", "PROJECT_NAME": "gone"},
        {**TEXT, "JOB_ID": "4", "PROJECT_NAME": "API"},
        {**TEXT, "JOB_ID": "5", "PROJECT_ID": "p-5"},  # a project of the same name on another VCS
    ]
    assert {each.job_id: each.project for each in usage_of(rows, projects)} == {
        "1": "gh/acme/api",
        "2": opaque,
        "3": "gh/acme/gone",
        "4": "gh/acme/api",
    }


def acme(days: Iterable[float] = (1, 20, 40)) -> World:
    loop = asyncio.get_running_loop()
    begin, began = now(), loop.time()
    world = World(clock=lambda: begin + timedelta(seconds=loop.time() - began))
    api, web = world.project("gh/acme/api"), world.project("gh/acme/web")
    for number in days:
        run(api, number, 60, branch="main" if number < 30 else "fix")
    run(web, 3, 30, job="push")
    return world


@fast_clock
async def test_usage_is_exported_in_parts_of_at_most_31_days() -> None:
    progress: list[ca.InsightsProgress] = []
    async with serving(acme()) as (fake, circle):
        report = await circle.insights.report("gh/acme", usage=True, on_progress=progress.append)
    assert report.failures == ()
    states = [sorted(each.usage_exports.values()) for each in progress]
    assert ["created"] in states
    assert states[-1] == ["completed"] * 3
    assert report.has_usage
    assert [(each.project, each.job, each.duration) for each in report.usage] == [
        ("gh/acme/api", "test", 60.0),
        ("gh/acme/api", "test", 60.0),
        ("gh/acme/api", "test", 60.0),
        ("gh/acme/web", "push", 30.0),
    ]
    exports = [each for each in fake.requests if each.method == "POST"]
    assert len(exports) == 3
    assert report.requests == len(fake.requests)


@fast_clock
async def test_usage_of_a_project_and_a_branch() -> None:
    async with serving(acme()) as (_, circle):
        report = await circle.insights.report("gh/acme/api", "60d", "main", usage=True)
    assert [(each.project, each.branch) for each in report.usage] == [("gh/acme/api", "main")] * 2


@fast_clock
async def test_usage_older_than_a_year_is_not_requested() -> None:
    world = acme((1, 200, 400))
    world.organization("gh/acme").usage.create_quota.limit = 20
    async with serving(world) as (fake, circle):
        report = await circle.insights.report("gh/acme/api", "500d", usage=True)
    assert report.failures == ()
    assert len(report.usage) == 2
    assert len([each for each in fake.requests if each.method == "POST"]) == 12
    missing = f"usage exports reach back one year: usage before {report.end - timedelta(days=366):%Y-%m-%d} is missing"
    assert missing in report.notes


@pytest.mark.parametrize(
    ("path", "method", "status", "error"),
    [
        ("*/organization/gh/acme", "GET", 403, ca.PermissionDenied),
        ("*/usage_export_job", "POST", 404, ca.NotFound),
        ("*/usage_export_job/*", "GET", 400, ca.BadRequest),
    ],
)
async def test_a_refused_export_is_one_failure_of_the_organization(
    path: str, method: str, status: int, error: type
) -> None:
    @fast_clock
    async def run_report() -> None:
        async with serving(acme()) as (fake, circle):
            fake.fail(path, method=method, status=status, times=None)
            report = await circle.insights.report(["gh/acme/api", "gh/acme/web"], usage=True)
        assert [(each.project, each.kind, type(each.error)) for each in report.failures] == [
            ("gh/acme", "usage", error)
        ]
        assert len(report.runs) == 4
        assert (len(report.usage), report.has_usage) == (0, False)

    await asyncio.to_thread(run_report)


@fast_clock
async def test_waiting_for_an_export_can_be_cancelled() -> None:
    world = acme()
    world.organization("gh/acme").usage.export_time = 3600.0
    async with serving(world) as (fake, circle):
        task = asyncio.create_task(circle.insights.report("gh/acme/api", usage=True))
        while not [each for each in fake.requests if "/usage_export_job/" in each.path]:
            await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await check_nothing_is_left(circle)


@fast_clock
async def test_a_completed_export_is_read() -> None:
    async with serving(acme()) as (_, circle):
        organization = await circle.organizations.get("gh/acme")
        created = await circle.usage.create_export(organization.id, start="30d", end=timedelta(seconds=1))
        export = await circle.usage.wait(organization.id, created.usage_export_job_id)
        report = await circle.insights.report("gh/acme/api", usage=export)
        assert len(report.usage) == 2
        with pytest.raises(ca.InvalidArgument, match=r"export .* must be completed, got state 'created'"):
            await circle.insights.report("gh/acme/api", usage=created)


async def test_an_export_that_cannot_be_read_is_a_failure() -> None:
    async with serving(acme()) as (fake, circle):
        url = f"{fake.url}/gone"
        completed = UsageExport(usage_export_job_id="e-1", state=UsageExportState.COMPLETED, download_urls=(url,))
        report = await circle.insights.report("gh/acme/api", usage=completed)
    assert [(each.project, each.kind) for each in report.failures] == [("gh/acme", "usage")]
    assert len(report.runs) == 3


def csv_file(path: Path, rows: list[dict[str, str]]) -> Path:
    text = StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", ["usage.csv", "usage.csv.gz"])
async def test_a_csv_file_is_read(tmp_path: Path, name: str) -> None:
    path = csv_file(tmp_path / name, [{**TEXT, "JOB_ID": str(number)} for number in range(2_500)])
    progress: list[ca.InsightsProgress] = []
    async with serving(acme()) as (_, circle):
        report = await circle.insights.report("gh/acme/api", usage=path, on_progress=progress.append)
        as_text = await circle.insights.report("gh/acme/api", usage=str(path))
    assert (len(report.usage), report.has_usage) == (2_500, True)
    assert report.usage == as_text.usage
    assert [each.usage_rows for each in progress if each.usage_rows] == [1_000, 2_000, 2_500]


@fast_clock
async def test_the_file_of_the_command_is_read(tmp_path: Path) -> None:
    async with serving(acme()) as (_, circle):
        organization = await circle.organizations.get("gh/acme")
        rows = [row async for row in circle.usage.export(organization.id, "30d", raw=True)]
        path = csv_file(tmp_path / "usage.csv", rows)
        report = await circle.insights.report("gh/acme", usage=path)
    assert [each.project for each in report.usage] == ["gh/acme/api", "gh/acme/api", "gh/acme/web"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"a,b\n1,2\n", "it has no column PROJECT_ID or PROJECT_NAME"),
        (b"", "it has no column PROJECT_ID or PROJECT_NAME"),
        (b"\xff\xfe\x00", "it is not a CSV file in UTF-8"),
    ],
)
async def test_another_file_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "usage.csv"
    path.write_bytes(content)
    async with serving(acme()) as (fake, circle):
        with pytest.raises(ca.InvalidArgument) as caught:
            await circle.insights.report("gh/acme/api", usage=path)
    assert str(caught.value) == f"usage must be the CSV file of a usage export, got {str(path)!r}: {why}"
    assert fake.requests == []


async def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "usage.csv", [TEXT])
    path.write_bytes(path.read_bytes() + b"\xff" * 100_000)
    async with serving(acme()) as (_, circle):
        with pytest.raises(ca.InvalidArgument, match="usage must be the CSV file of a usage export, got"):
            await circle.insights.report("gh/acme/api", usage=path)


async def test_rows_can_be_any_iterable() -> None:
    async def each() -> AsyncIterator[Mapping[str, str]]:
        yield TEXT

    async with serving(acme()) as (_, circle):
        for rows in ([TEXT], iter([TEXT]), each()):
            report = await circle.insights.report("gh/acme/api", usage=rows)
            assert list(report.usage) == [USAGE]
        report = await circle.insights.report("gh/acme/api", usage=[])
        assert (len(report.usage), report.has_usage) == (0, True)


async def test_rows_that_are_not_mappings_are_refused() -> None:
    rows: Any = iter([TEXT, 7])
    async with serving(acme()) as (_, circle):
        with pytest.raises(ca.InvalidArgument, match=r"^usage\[1\] must be a mapping of columns to values, got 7$"):
            await circle.insights.report("gh/acme/api", usage=rows)


async def test_rows_in_memory_do_not_block_the_event_loop() -> None:
    async def rows() -> AsyncGenerator[Mapping[str, object]]:
        for _ in range(3 * BATCH + 1):
            yield TEXT

    counts: list[int] = []
    turns: list[int] = []

    async def other_task() -> None:
        while sum(counts) < 3 * BATCH:
            turns.append(len(counts))
            await asyncio.sleep(0)

    usage = UsageFilter({"gh/acme/api": None}, None, Window(NOW - 2 * DAY, NOW))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(other_task())
        await usage.add_all(rows(), counts.append)
    assert counts == [BATCH, BATCH, BATCH, 1]
    assert set(turns) == {1, 2}
    assert len(usage.found) == 1  # one job
