"""Usage exports, and their parts in the storage."""

import csv
import gzip
from datetime import UTC, datetime
from typing import Any

import pytest

from circleci_async.testing import FakeCircleCI, Organization, World
from circleci_async.testing.state.usage_rows import usage_rows
from circleci_async.usage.columns import typed

from .caller import Caller
from .clock import Clock

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
SPAN = {"start": "2026-05-01T00:00:00Z", "end": "2026-05-31T23:59:59Z"}


@pytest.fixture
def organization(world: World) -> Organization:
    """An organization that ran a job an hour ago."""
    project = world.project("gh/acme/api")
    build = project.pipeline(branch="fix").workflow("build")
    build.job("test, lint", duration=90, resource_class="large", queue_time=7, cpu=(41.5, 97.25), ram=(20, 30))
    return project.organization


@pytest.fixture
def exports(organization: Organization) -> str:
    return f"/organizations/{organization.id}/usage_export_job"


async def rows_at(api: Caller, url: str) -> list[dict[str, str]]:
    status, data = await api.fetch(url)
    assert status == 200
    return list(csv.DictReader(gzip.decompress(data).decode().splitlines(keepends=True)))


async def test_an_export_is_created_processed_and_completed(
    api: Caller, organization: Organization, exports: str, clock: Clock
) -> None:
    organization.usage.export_time = 100
    begun = await api.post(exports, SPAN, status=201)
    id = begun["usage_export_job_id"]
    assert begun == {
        "usage_export_job_id": id,
        "state": "created",
        "start": "2026-05-01T00:00:00.000Z",
        "end": "2026-05-31T23:59:59.000Z",
        "download_urls": None,
    }

    async def poll() -> Any:
        return await api.get(f"{exports}/{id}")

    assert await poll() == {"usage_export_job_id": id, "state": "created", "download_urls": None}
    clock.wait(20)
    assert await poll() == {"usage_export_job_id": id, "state": "processing", "download_urls": None}
    clock.wait(80)
    done = await poll()
    assert (done["state"], len(done["download_urls"])) == ("completed", 1)
    (row,) = await rows_at(api, done["download_urls"][0])
    project = api.fake.world.projects["gh/acme/api"]
    job = project.jobs[1]
    expected = {
        "ORGANIZATION_ID": organization.id,
        "ORGANIZATION_NAME": "acme",
        "ORGANIZATION_CREATED_DATE": "2020-01-06",
        "PROJECT_ID": project.id,
        "PROJECT_NAME": "api",
        "PROJECT_CREATED_DATE": "2020-01-06",
        "LAST_BUILD_FINISHED_AT": "2026-05-04 09:01:37",
        "VCS_NAME": "github",
        "VCS_URL": "https://github.com/acme/api",
        "VCS_BRANCH": "fix",
        "PIPELINE_ID": job.workflow.pipeline.id,
        "PIPELINE_CREATED_AT": "2026-05-04 09:00:00",
        "PIPELINE_NUMBER": "1",
        "IS_UNREGISTERED_USER": "false",
        "PIPELINE_TRIGGER_SOURCE": "webhook",
        "PIPELINE_TRIGGER_USER_ID": api.fake.world.me.id,
        "WORKFLOW_ID": job.workflow.id,
        "WORKFLOW_NAME": "build",
        "WORKFLOW_FIRST_JOB_QUEUED_AT": "2026-05-04 09:00:00",
        "WORKFLOW_FIRST_JOB_STARTED_AT": "2026-05-04 09:00:07",
        "WORKFLOW_STOPPED_AT": "2026-05-04 09:01:37",
        "IS_WORKFLOW_SUCCESSFUL": "true",
        "JOB_NAME": "test, lint",
        "JOB_RUN_NUMBER": "1",
        "JOB_ID": job.id,
        "JOB_RUN_DATE": "2026-05-04",
        "JOB_RUN_QUEUED_AT": "2026-05-04 09:00:00",
        "JOB_RUN_STARTED_AT": "2026-05-04 09:00:07",
        "JOB_RUN_STOPPED_AT": "2026-05-04 09:01:37",
        "JOB_BUILD_STATUS": "success",
        "RESOURCE_CLASS": "large",
        "OPERATING_SYSTEM": "linux",
        "EXECUTOR": "docker",
        "PARALLELISM": "1",
        "JOB_RUN_SECONDS": "90",
        "MEDIAN_CPU_UTILIZATION_PCT": "41.5",
        "MAX_CPU_UTILIZATION_PCT": "97.25",
        "MEDIAN_RAM_UTILIZATION_PCT": "20",
        "MAX_RAM_UTILIZATION_PCT": "30",
        "COMPUTE_CREDITS": "30",
        "DLC_CREDITS": "0",
        "USER_CREDITS": "0",
        "STORAGE_CREDITS": "0",
        "NETWORK_CREDITS": "0",
        "LEASE_CREDITS": "0",
        "LEASE_OVERAGE_CREDITS": "0",
        "IPRANGES_CREDITS": "0",
        "TOTAL_CREDITS": "30",
    }
    assert list(row.items()) == list(expected.items())
    for name, value in typed(row).items():
        has_type = name.endswith(("_AT", "_DATE", "_CREDITS", "_PCT", "_NUMBER", "_SECONDS")) or name.startswith("IS_")
        assert isinstance(value, str) is not (has_type or name == "PARALLELISM"), name


async def test_columns_without_a_value_are_null(api: Caller, world: World, exports: str, clock: Clock) -> None:
    project = world.projects["gh/acme/api"]
    tag = project.pipeline(tag="v1", trigger_type="scheduled_pipeline").workflow("deploy", status="running")
    tag.job("short", duration=14)
    urls = await completed(api, exports, clock)
    (row,) = [row for url in urls for row in await rows_at(api, url) if row["JOB_NAME"] == "short"]

    assert {name for name, value in row.items() if value == r"\N"} == {
        "VCS_BRANCH",
        "PIPELINE_TRIGGER_USER_ID",
        "WORKFLOW_STOPPED_AT",
        "IS_WORKFLOW_SUCCESSFUL",
        "MEDIAN_CPU_UTILIZATION_PCT",
        "MAX_CPU_UTILIZATION_PCT",
        "MEDIAN_RAM_UTILIZATION_PCT",
        "MAX_RAM_UTILIZATION_PCT",
    }
    assert "" not in row.values()


async def test_the_use_of_cpu_and_memory_is_derived_from_the_job(world: World, organization: Organization) -> None:
    workflow = world.projects["gh/acme/api"].pipeline().workflow()
    first, second = workflow.job("first", duration=15), workflow.job("second", duration=15, cpu=(1.5, 2))
    given = workflow.job("given", duration=1, cpu=(1, 2), ram=(3, 4))
    columns = ("MEDIAN_CPU", "MAX_CPU", "MEDIAN_RAM", "MAX_RAM")

    def used() -> dict[str, list[Any]]:
        rows = usage_rows(world.pipelines.all, datetime.min.replace(tzinfo=UTC), world.clock())
        return {str(row["JOB_ID"]): [row[f"{column}_UTILIZATION_PCT"] for column in columns] for row in rows}

    assert used() == used()
    assert used()[first.id] != used()[second.id]
    assert used()[second.id][:2] == [1.5, 2]
    assert used()[given.id] == [1, 2, 3, 4]
    cpu_median, cpu_max, ram_median, ram_max = used()[first.id]
    assert 20 <= cpu_median < cpu_max <= 95
    assert 20 <= ram_median < ram_max <= 95


@pytest.mark.parametrize(
    ("resource_class", "credits"),
    [("small", 5), ("medium", 10), ("medium+", 15), ("large", 20), ("xlarge", 40), ("2xlarge", 80), ("acme/own", 10)],
)
async def test_credits_depend_on_minutes_nodes_and_resource_class(
    api: Caller, world: World, resource_class: str, credits: int
) -> None:
    workflow = world.project("gh/acme/web").pipeline().workflow("build")
    job = workflow.job("test", duration=90, parallelism=2, resource_class=resource_class)
    workflow.job("hold", approval=True, duration=600)

    assert job.credits == workflow.credits == 3 * credits
    (run,) = (await api.get("/insights/gh/acme/web/workflows/build"))["items"]
    assert run["credits_used"] == 3 * credits


async def test_an_export_names_the_first_job_of_each_workflow_and_the_last_of_its_project(
    api: Caller, world: World, organization: Organization, exports: str, clock: Clock
) -> None:
    world.projects["gh/acme/api"].created_at = organization.created_at = datetime(2024, 2, 29, 12, tzinfo=UTC)
    pipeline = world.projects["gh/acme/api"].pipeline()
    slow = pipeline.workflow("slow", status="failed")
    slow.job("second", requires=[slow.job("first", duration=30, queue_time=60)], queue_time=5, status="failed")

    urls = await completed(api, exports, clock)
    rows = {row["JOB_NAME"]: row for url in urls for row in await rows_at(api, url)}

    assert (rows["second"]["JOB_RUN_QUEUED_AT"], rows["second"]["JOB_RUN_STARTED_AT"]) == (
        "2026-05-04 09:01:30",
        "2026-05-04 09:01:35",
    )
    for name in ("first", "second"):
        row = rows[name]
        assert row["WORKFLOW_FIRST_JOB_QUEUED_AT"] == "2026-05-04 09:00:00"
        assert row["WORKFLOW_FIRST_JOB_STARTED_AT"] == "2026-05-04 09:01:00"
        assert (row["WORKFLOW_STOPPED_AT"], row["IS_WORKFLOW_SUCCESSFUL"]) == ("2026-05-04 09:01:45", "false")
    assert {row["LAST_BUILD_FINISHED_AT"] for row in rows.values()} == {"2026-05-04 09:01:45"}
    assert {(row["PROJECT_CREATED_DATE"], row["ORGANIZATION_CREATED_DATE"]) for row in rows.values()} == {
        ("2024-02-29", "2024-02-29")
    }


@pytest.mark.parametrize(("executor", "system"), [("docker", "linux"), ("machine", "linux"), ("macos", "macos")])
async def test_the_operating_system_depends_on_the_executor(world: World, executor: str, system: str) -> None:
    world.project("gh/acme/web").pipeline().workflow().job("test", executor=executor)

    (row,) = usage_rows(world.pipelines.all, datetime.min.replace(tzinfo=UTC), world.clock())

    assert (row["EXECUTOR"], row["OPERATING_SYSTEM"]) == (executor, system)


async def completed(api: Caller, exports: str, clock: Clock, body: dict[str, Any] = SPAN) -> list[str]:
    """Return the URLs of the parts of an export."""
    begun = await api.post(exports, body, status=201)
    clock.wait(1)
    done = await api.get(f"{exports}/{begun['usage_export_job_id']}")
    assert done["state"] == "completed"
    return done["download_urls"] or []


async def test_an_export_has_several_parts_with_a_header_each(
    api: Caller, organization: Organization, exports: str, clock: Clock
) -> None:
    workflow = api.fake.world.projects["gh/acme/api"].pipeline().workflow()
    for number in range(6):
        workflow.job(f"job {number}")
    urls = await completed(api, exports, clock)
    assert [len(await rows_at(api, url)) for url in urls] == [4, 3]
    organization.usage.rows_per_part = 2
    urls = await completed(api, exports, clock)
    assert [len(await rows_at(api, url)) for url in urls] == [2, 2, 2, 1]


async def test_a_completed_export_does_not_change(
    api: Caller, organization: Organization, exports: str, clock: Clock
) -> None:
    begun = await api.post(exports, SPAN, status=201)
    clock.wait(1)
    path = f"{exports}/{begun['usage_export_job_id']}"
    first = await rows_at(api, (await api.get(path))["download_urls"][0])
    api.fake.world.projects["gh/acme/api"].pipeline().workflow().job("later")
    [url] = (await api.get(path))["download_urls"]  # two rows would be two parts
    assert await rows_at(api, url) == first


@pytest.mark.parametrize(
    ("start", "end", "count"),
    [
        ("2026-05-04T09:00:07.250Z", "2026-05-04T09:00:07.250Z", 1),
        ("2026-05-04T09:00:08Z", "2026-05-05T00:00:00Z", 0),
        ("2026-04-04T00:00:00Z", "2026-05-04T09:00:07Z", 0),
    ],
)
async def test_only_jobs_that_started_in_the_requested_time_are_exported(
    api: Caller, exports: str, clock: Clock, start: str, end: str, count: int
) -> None:
    urls = await completed(api, exports, clock, {"start": start, "end": end})
    assert len(urls) == count


async def test_jobs_that_have_not_ended_and_approvals_are_not_exported(
    api: Caller, organization: Organization, exports: str, clock: Clock
) -> None:
    workflow = api.fake.world.projects["gh/acme/api"].pipeline().workflow(status="running")
    workflow.job("hold", approval=True)
    workflow.job("approved", approval=True, status="success")
    workflow.job("running", status="running")
    (url,) = await completed(api, exports, clock)
    assert [row["JOB_NAME"] for row in await rows_at(api, url)] == ["test, lint"]


async def test_shared_organizations_are_exported_with_it(api: Caller, world: World, exports: str, clock: Clock) -> None:
    other = world.project("gh/other/web").pipeline().workflow().job("theirs").workflow.pipeline.project.organization
    urls = await completed(api, exports, clock, {**SPAN, "shared_org_ids": [other.id]})
    assert {row["ORGANIZATION_NAME"] for url in urls for row in await rows_at(api, url)} == {"acme", "other"}
    await api.post(exports, {**SPAN, "shared_org_ids": [UNKNOWN_ID]}, status=404)
    for wrong in ("x", None, 5):
        await api.post(exports, {**SPAN, "shared_org_ids": [wrong]}, status=400)


async def test_an_export_without_data_has_no_urls(api: Caller, world: World, clock: Clock) -> None:
    empty = world.organization("gh/empty")
    assert await completed(api, f"/organizations/{empty.id}/usage_export_job", clock) == []


async def test_fail_next_export(api: Caller, organization: Organization, exports: str, clock: Clock) -> None:
    organization.fail_next_export("too much")
    organization.fail_next_export()
    for reason in ("too much", "internal error"):
        begun = await api.post(exports, SPAN, status=201)
        assert begun["state"] == "created"
        clock.wait(1)
        failed = await api.get(f"{exports}/{begun['usage_export_job_id']}")
        assert failed == {
            "usage_export_job_id": begun["usage_export_job_id"],
            "state": "failed",
            "download_urls": None,
            "error_reason": reason,
        }
    assert await completed(api, exports, clock)


async def test_a_part_requires_its_signature_and_rejects_tokens(api: Caller, exports: str, clock: Clock) -> None:
    (url,) = await completed(api, exports, clock)
    assert url.startswith(f"http://{api.fake.storage_host}/usage/")
    assert (await api.fetch(url, Circle_Token=api.fake.token))[0] == 400
    assert (await api.fetch(url, Authorization="Bearer x"))[0] == 400
    assert (await api.fetch(url.partition("?")[0]))[0] == 403
    assert (await api.fetch(url.replace("part-0", "part-1")))[0] == 403
    status, begin = await api.fetch(url, Range="bytes=0-9")
    assert (status, len(begin)) == (206, 10)
    clock.wait(36 * 3600 + 1)
    assert (await api.fetch(url))[0] == 403


async def test_a_missing_part_answers_404(api: Caller, world: World, exports: str, clock: Clock) -> None:
    (url,) = await completed(api, exports, clock)
    world.delete_organization(world.organizations["gh/acme"])
    assert (await api.fetch(url))[0] == 404


@pytest.mark.parametrize(
    "body",
    [
        None,
        {"start": SPAN["start"]},
        {"end": SPAN["end"]},
        {**SPAN, "start": "2026-05-01"},
        {**SPAN, "end": "soon"},
        {**SPAN, "start": 5},
        {**SPAN, "shared_org_ids": "x"},
        {"start": SPAN["end"], "end": SPAN["start"]},
        {"start": "2026-04-01T00:00:00Z", "end": "2026-05-02T00:00:01Z"},
        {"start": "2025-05-01T00:00:00Z", "end": "2025-05-02T00:00:00Z"},
    ],
    ids=str,
)
async def test_an_invalid_export_is_rejected(api: Caller, exports: str, body: Any) -> None:
    await api.post(exports, body, status=400)


async def test_31_days_and_a_year_ago_can_be_exported(api: Caller, exports: str) -> None:
    await api.post(exports, {"start": "2026-04-01T00:00:00Z", "end": "2026-05-02T00:00:00Z"}, status=201)
    await api.post(exports, {"start": "2025-05-04T00:00:00Z", "end": "2025-05-05T00:00:00+02:00"}, status=201)


async def test_10_exports_per_hour(api: Caller, exports: str, clock: Clock) -> None:
    for _ in range(10):
        await api.post(exports, SPAN, status=201)
        clock.wait(10)
    await api.post(exports, SPAN, status=429)
    assert api.answer.headers["Retry-After"] == "3500"
    clock.wait(3500)
    await api.post(exports, SPAN, status=201)
    await api.post(exports, SPAN, status=429)
    assert api.answer.headers["Retry-After"] == "10"


async def test_10_status_requests_per_minute_and_organization(
    api: Caller, world: World, organization: Organization, exports: str, clock: Clock
) -> None:
    other = world.organization("gh/other")
    begun = await api.post(exports, SPAN, status=201)
    path = f"{exports}/{begun['usage_export_job_id']}"
    for _ in range(10):
        await api.get(path)
    await api.get(path, status=429)
    assert api.answer.headers["Retry-After"] == "60"
    await api.get(f"/organizations/{other.id}/usage_export_job/{UNKNOWN_ID}", status=404)
    clock.wait(60)
    await api.get(path)
    organization.usage.poll_quota.limit = 100
    for _ in range(20):
        await api.get(path)
    organization.usage.poll_quota.limit = 0
    await api.get(path, status=429)


async def test_missing_exports_answer_404(api: Caller, exports: str, fake: FakeCircleCI) -> None:
    await api.get(f"{exports}/{UNKNOWN_ID}", status=404)
    await api.get(f"{exports}/x", status=400)
    await api.get(f"/organizations/{UNKNOWN_ID}/usage_export_job/{UNKNOWN_ID}", status=404)
    await api.post(f"/organizations/{UNKNOWN_ID}/usage_export_job", SPAN, status=404)
    await api.post("/organizations/gh%2Facme/usage_export_job", SPAN, status=400)
    await api.get(f"{exports}/{UNKNOWN_ID}", status=401, headers={})
    assert fake.rate_limited == 0
