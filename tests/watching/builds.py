"""Pipelines for the tests: run by an embedded CircleCI on the event loop's clock, or as models."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from circleci_async import Change, CircleCI, RetryPolicy
from circleci_async.models import (
    EventJob,
    EventPipeline,
    EventWorkflow,
    JobStatus,
    JobType,
    Pipeline,
    PipelineState,
    PipelineTrigger,
    TriggerType,
    WebhookEvent,
    WebhookEventType,
    Workflow,
    WorkflowJob,
    WorkflowStatus,
    WorkflowTag,
)
from circleci_async.testing import FakeCircleCI, Registry, World
from circleci_async.testing import Job as FakeJob
from circleci_async.testing import Workflow as FakeWorkflow

QUICK = RetryPolicy(initial_delay=0.001, max_delay=0.01)
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SLUG = "gh/acme/api"


def world() -> World:
    """Return a world on the event loop's clock."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    return World(clock=lambda: START + timedelta(seconds=loop.time() - began))


@asynccontextmanager
async def running(world: Registry, **options: Any) -> AsyncGenerator[tuple[FakeCircleCI, CircleCI], None]:
    """Run an embedded CircleCI, whose pipelines take 60 s, and a client."""
    assert isinstance(world, World)
    async with FakeCircleCI(world, **{"run_time": 60, **options}) as fake, fake.client(retry=QUICK) as circle:
        yield fake, circle


def at(seconds: float, action: Callable[[], Any]) -> None:
    """Call `action` after that many seconds."""
    asyncio.get_running_loop().call_later(seconds, action)


def poll_times(fake: FakeCircleCI, ending: str = "/workflow") -> list[float]:
    """Return when paths with this ending were requested, in seconds since the first time."""
    times = [each.at for each in fake.requests if each.method == "GET" and each.path.endswith(ending)]
    return [each - times[0] for each in times]


def described(changes: list[Change]) -> list[str]:
    """Return the changes as text."""
    return [f"{each.kind} {each.name}: {each.before} -> {each.after}" for each in changes]


def pipeline(state: str = "created", **more: Any) -> Pipeline:
    return Pipeline(
        id="p",
        number=7,
        project_slug=SLUG,
        state=PipelineState(state),
        created_at=START,
        trigger=PipelineTrigger(type=TriggerType.API, received_at=START),
        **more,
    )


def workflow(name: str, status: str | None, *, id: str = "", begun: float = 0, setup: bool = False) -> Workflow:
    return Workflow(
        id=id or name,
        name=name,
        created_at=START + timedelta(seconds=begun),
        status=None if status is None else WorkflowStatus(status),
        tag=WorkflowTag.SETUP if setup else None,
    )


def job(name: str, status: str) -> WorkflowJob:
    return WorkflowJob(id=name, name=name, type=JobType.BUILD, status=JobStatus(status))


def completed(item: FakeWorkflow | FakeJob, status: str) -> WebhookEvent:
    """Return the event about the completion of a workflow or a job."""
    workflow = item.workflow if isinstance(item, FakeJob) else item
    job = item if isinstance(item, FakeJob) else None
    return WebhookEvent(
        id="e-1",
        type=WebhookEventType.JOB_COMPLETED if job else WebhookEventType.WORKFLOW_COMPLETED,
        pipeline=EventPipeline(id=workflow.pipeline.id, number=workflow.pipeline.number),
        workflow=EventWorkflow(
            id=workflow.id,
            name=workflow.name,
            status=None if job else WorkflowStatus(status),
            created_at=workflow.created_at,
            stopped_at=START,
        ),
        job=EventJob(id=job.id, name=job.name, number=job.number, status=JobStatus(status)) if job else None,
    )
