"""Calls a function for each job that waits for an approval."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from attrs import field, frozen

from ..core.session import Session
from ..endpoints.workflows import Workflows
from ..errors import ConfigurationError, InvalidArgument
from ..models.messages import Message
from ..models.newest_workflows import newest_of_each_name
from ..models.pipelines import Pipeline
from ..models.workflows import Workflow, WorkflowJob
from .arguments import HoldCallback, OnHold
from .snapshot import Snapshot

__all__ = ["HeldJob"]


@frozen(kw_only=True)
class HeldJob:
    """A job that is on hold, as `wait(on_hold=...)` passes it to the callback."""

    job: WorkflowJob
    workflow: Workflow
    pipeline: Pipeline | None
    """None in a wait for a workflow, whose `workflow.pipeline_id` has the id."""
    _session: Session = field(alias="session", repr=False, eq=False)

    @property
    def name(self) -> str:
        """Name of the job."""
        return self.job.name

    async def approve(self) -> Message:
        """Approve the job. To reject it, cancel its workflow: `workflows.cancel(held.workflow.id)`."""
        return await Workflows(self._session).approve(self.workflow.id, self.job.approval_id)


@asynccontextmanager
async def hold_callbacks(
    session: Session, on_hold: OnHold | HoldCallback, *, grace: float, until: float | None
) -> AsyncGenerator[Callable[[Snapshot], None], None]:
    """Yield a function that calls `on_hold` once for each job that is on hold in its snapshots, each in a task.

    The first error, of a call or of the block, cancels all others and is raised. After the block, calls may run for
    `grace` seconds, but not beyond `until`; then they are cancelled.
    """
    if not callable(on_hold):
        yield lambda _: None
        return
    called: set[str] = set()
    calls: set[asyncio.Task[None]] = set()
    error: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:

            def call_for(snapshot: Snapshot) -> None:
                for held in _held_jobs(session, snapshot):
                    if held.job.id not in called:
                        called.add(held.job.id)
                        calls.add(group.create_task(_call(on_hold, held)))

            yield call_for
            if calls:
                now = asyncio.get_running_loop().time()
                await asyncio.wait(calls, timeout=grace if until is None else max(0, min(grace, until - now)))
            for each in calls:
                each.cancel()
    except BaseExceptionGroup as errors:
        error = errors.exceptions[0]
    if error is not None:
        try:
            raise error  # here, so that it keeps its cause and context
        finally:
            del error  # it refers to this frame


def _held_jobs(session: Session, snapshot: Snapshot) -> Iterator[HeldJob]:
    for workflow in newest_of_each_name(snapshot.workflows):
        for job in snapshot.jobs.get(workflow.id, ()):
            if job.is_on_hold and not workflow.is_finished:
                yield HeldJob(job=job, workflow=workflow, pipeline=snapshot.pipeline, session=session)


async def _call(on_hold: HoldCallback, held: HeldJob) -> None:
    answer: Any = on_hold(held)
    if not inspect.isawaitable(answer):
        raise InvalidArgument(f"on_hold must be an async function, got {on_hold!r}, which returned {answer!r}")
    try:
        await answer
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ConfigurationError("on_hold was cancelled from within: it must not wait for a cancelled task") from None
