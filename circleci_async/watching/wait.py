"""What waiting for a pipeline and waiting for a workflow have in common."""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import Generic, TypeVar

from attrs import frozen

from ..core.session import Session
from ..errors import CircleCIError, WaitTimeout
from . import polls as looking
from .arguments import Patience
from .changes import Change, Changes
from .polls import Look
from .registry import Key, Watches
from .results import Outcome, PipelineResult, WorkflowResult, pipeline_result, workflow_result
from .snapshot import Snapshot
from .subscription import Subscription
from .verdict import Sight, Verdict, of_pipeline, of_workflow

R = TypeVar("R")


@frozen
class Wait(Generic[R]):
    """One wait: what for, how patiently, and what comes of it."""

    session: Session
    key: Key
    look: Look
    judge: Callable[..., Verdict]
    """`verdict.of_pipeline` or `verdict.of_workflow`."""
    result: Callable[[Snapshot, Outcome], R]
    patience: Patience
    jobs: bool
    began: float | None = None
    """When the time allowed began to run, in the event loop's time; None: when it is iterated."""

    async def end(self) -> R:
        """Wait for the end, and return what came of it."""
        snapshot, outcome = Snapshot(), Outcome.RUNNING
        async with aclosing(self.sights()) as sights:
            async for sight, verdict in sights:
                snapshot, outcome = sight.snapshot, verdict.outcome
        return self.result(snapshot, outcome)

    async def changes(self) -> AsyncGenerator[Change, None]:
        """Iterate what changes until the end."""
        changes = Changes()
        async with aclosing(self.sights()) as sights:
            async for sight, _ in sights:
                for change in changes.of(sight.snapshot):
                    yield change

    async def sights(self) -> AsyncGenerator[tuple[Sight, Verdict], None]:
        """Iterate what is seen until the end, and what it means."""
        try:
            async with aclosing(self._sights()) as sights:
                async for each in sights:
                    yield each
        except CircleCIError as error:
            kind, id = self.key
            if kind == "pipeline":
                error.pipeline_id = id
            raise

    async def _sights(self) -> AsyncGenerator[tuple[Sight, Verdict], None]:
        patience = self.patience
        began = asyncio.get_running_loop().time() if self.began is None else self.began
        until = None if patience.timeout is None else began + patience.timeout
        judge = partial(
            self.judge,
            grace=patience.grace,
            on_hold=patience.on_hold,
            confirm_within=patience.interval[0],
            jobs=self.jobs,
        )
        timeout, retry = self.session.options.timeout, self.session.options.retry
        subscription = Subscription(
            judge,
            self.look,
            look_time=min(timeout * retry.attempts, retry.deadline or math.inf),
            interval=patience.interval,
            jobs=self.jobs,
        )
        last: R | None = None
        async with Watches.of(self.session.state).subscribed(self.key, subscription):
            while True:
                # Around this alone: what the caller does between two changes is none of its business.
                deadline = asyncio.timeout_at(until)
                try:
                    async with deadline:
                        sight, verdict = await subscription.next()
                except TimeoutError:
                    if not deadline.expired():
                        raise
                    what = " ".join(self.key)
                    raise WaitTimeout(f"{what}: no end within {patience.timeout:g} s", last=last) from None
                if not sight.missing:
                    last = self.result(sight.snapshot, verdict.outcome)
                yield sight, verdict
                if verdict.is_final:
                    return


def for_pipeline(
    session: Session, pipeline_id: str, patience: Patience, *, jobs: bool, began: float | None
) -> Wait[PipelineResult]:
    """Return the wait for a pipeline."""
    look = looking.pipeline(session, pipeline_id)
    return Wait(session, ("pipeline", pipeline_id), look, of_pipeline, pipeline_result, patience, jobs, began)


def for_workflow(session: Session, workflow_id: str, patience: Patience, *, jobs: bool) -> Wait[WorkflowResult]:
    """Return the wait for a workflow."""
    look = looking.workflow(session, workflow_id)
    return Wait(session, ("workflow", workflow_id), look, of_workflow, workflow_result, patience, jobs)
