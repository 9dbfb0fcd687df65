"""What callers write and both type checkers must accept. It is never run: each `assert_type` is checked, not called."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, assert_type
from uuid import UUID, uuid4

import aiohttp

import circleci_async as ca
from circleci_async import CircleCI, Pipeline, RetryPolicy, Workflow

PROJECT = ca.ProjectSlug.parse("gh/acme/api")


async def fetch_token() -> str | None:
    return "t"


def clients(http: aiohttp.ClientSession) -> list[CircleCI]:
    return [
        CircleCI(),
        CircleCI("token"),
        CircleCI(lambda: "token"),
        CircleCI(lambda: None),
        CircleCI(fetch_token),
        CircleCI(None, host="https://ci.example.com", auth="bearer", timeout=5, concurrency=4, http=http),
        CircleCI(retry=RetryPolicy(attempts=1), artifact_hosts=["a.example.com"], trust_env=False),
        CircleCI().with_options(timeout=5, retry=RetryPolicy(deadline=60)),
    ]


async def first_steps() -> None:
    async with ca.CircleCI("token") as circle:
        assert_type(circle, CircleCI)
        me = await circle.users.me()
        assert_type(me, ca.User)
        assert_type(me.name, str | None)
        assert_type(await circle.users.collaborations(), list[ca.Collaboration])
        project = await circle.projects.get(PROJECT)
        assert_type(project.vcs_info.default_branch, str)


async def pipelines(circle: CircleCI) -> None:
    listing = circle.pipelines.list("gh/acme/api", branch="main")
    assert_type(listing, ca.Paged[Pipeline])
    async for pipeline in listing:
        assert_type(pipeline, Pipeline)
        assert_type(pipeline.created_at, datetime)
        async for workflow in circle.pipelines.workflows(pipeline.id):
            assert_type(workflow, Workflow)
    async for page in listing.pages(start="token"):
        assert_type(page.items, tuple[Pipeline, ...])
        assert_type(page.next_page_token, str | None)
    assert_type(await listing.first(), Pipeline | None)
    assert_type(await listing.collect(limit=10), list[Pipeline])
    created = await circle.pipelines.trigger(PROJECT, branch="main", parameters={"n": 1, "deploy": True, "to": "prod"})
    assert_type(created.number, int)
    assert_type(await circle.pipelines.values(created.id), dict[str, Any])
    assert_type(await circle.pipelines.continue_("key", configuration="version: 2.1"), ca.Message)


async def jobs(circle: CircleCI, workflow_id: UUID) -> None:
    async for job in circle.workflows.jobs(workflow_id):
        if job.job_number is not None and job.status == ca.JobStatus.SUCCESS:
            details = await circle.jobs.get("gh/acme/api", job.job_number)
            assert_type(details, ca.JobDetails)
            tests = await circle.jobs.tests("gh/acme/api", job.job_number).collect()
            assert_type(tests, list[ca.TestResult])
    rerun = await circle.workflows.rerun(workflow_id, from_failed=True)
    assert_type(rerun.workflow_id, str)


async def artifacts(circle: CircleCI, folder: Path) -> None:
    def show(progress: ca.Progress) -> None:
        print(progress.artifact.path, progress.received, progress.size)

    listing = circle.artifacts.list("gh/acme/api", 42)
    report = await circle.artifacts.download_all(listing, folder, concurrency=16, on_progress=show)
    assert_type(report, ca.DownloadReport)
    report.raise_for_failures()
    async for artifact in listing:
        assert_type(await circle.artifacts.download(artifact, "out/"), ca.Download)
        async with circle.artifacts.open(artifact) as stream:
            async for part in stream:
                assert_type(part, bytes)


async def insights(circle: CircleCI) -> None:
    window = ca.ReportingWindow.LAST_7_DAYS
    metrics = circle.insights.workflows("gh/acme/api", reporting_window=window, all_branches=True)
    assert_type(await metrics.first(), ca.WorkflowMetrics | None)
    runs = circle.insights.workflow_runs("gh/acme/api", "build", branch="main", start_date=datetime.now(UTC))
    assert_type(await runs.collect(), list[ca.WorkflowRun])
    async for project, result in circle.insights.snapshot(["gh/acme/api", PROJECT], reporting_window="last-7-days"):
        assert_type(project, str | ca.ProjectSlug)
        if isinstance(result, ca.CircleCIError):
            print(project, result)
        else:
            assert_type(result, list[ca.WorkflowMetrics])


async def harvests(circle: CircleCI, on_progress: Callable[[ca.HarvestEvent], None]) -> None:
    select = ca.Selection(branch="main", since="7d", until=datetime.now(UTC), status=ca.JobStatus.SUCCESS, latest=False)
    report = await circle.harvest(["gh/acme/api", PROJECT], into=Path("out"), select=select, on_progress=on_progress)
    assert_type(report, ca.HarvestReport)
    for file in report.files:
        assert_type(file, ca.HarvestedFile)
        print(file.path, file.size, file.sha256, file.finished_at)
    print(len(report.skipped), report.failed[0].error, report.failed[-3:], report.bytes, report.seconds, report.stopped)

    async def listen(event: ca.HarvestEvent) -> None:
        if isinstance(event, ca.HarvestProgress):
            assert_type(event.seconds_left, float | None)

    await circle.harvest("gh/acme/api", "out", max_bytes=10, dedupe="hardlink", on_progress=listen)
    await circle.harvest(PROJECT, "out", select=ca.Selection(pipeline=uuid4(), since=timedelta(days=1)))
    assert_type(await ca.harvest_status("out"), ca.HarvestStatus)
    assert_type((await ca.verify_harvest("out")).changed, tuple[str, ...])


async def errors(circle: CircleCI) -> float | None:
    try:
        await circle.request("POST", "/anything/new", query={"a": 1, "b": ["x"], "c": None}, json={"d": 1})
    except ca.RateLimited as error:
        return error.retry_after
    except (ca.NotFound, ca.PermissionDenied) as error:
        print(error.status, error.message, error.method, error.url, error.request_id, error.body, error.hint)
    except ca.TransportError as error:
        print(error.sent, error.page_token)
    except ca.DecodeError as error:
        assert_type(error.faults, tuple[str, ...])
    return None


def plain(pipeline: Pipeline) -> str:
    assert_type(ca.to_json(pipeline), str)
    artifact = ca.Artifact(path="a", node_index=0, url="https://example.com/a")
    return ca.to_json([artifact])


def counters(circle: CircleCI) -> tuple[int, float]:
    assert_type(circle.stats, ca.Stats)
    return circle.stats.requests, circle.stats.held


async def names_of(pipelines: ca.Paged[Pipeline]) -> AsyncGenerator[str, None]:
    async for pipeline in pipelines:
        yield pipeline.id


def as_an_awaitable(circle: CircleCI) -> Awaitable[ca.User]:
    return circle.users.me()
