"""Waiting for one pipeline, workflow or job, until its end or a timeout."""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import aclosing, contextmanager
from functools import partial
from typing import Generic, TypeVar

from attrs import frozen

from ..core.session import Session
from ..endpoints.resource import Id, ProjectRef
from ..errors import CircleCIError, WaitTimeout
from ..models.jobs import JobDetails
from ..slug import segment
from .arguments import WaitOptions
from .changes import Change, Changes
from .holds import hold_callbacks
from .polls import Poll, job_poll, pipeline_poll, workflow_poll
from .registry import Key, job_key, registry_of
from .results import Outcome, PipelineResult, WorkflowResult, job_result, pipeline_result, workflow_result
from .snapshot import Snapshot
from .subscription import Subscription
from .verdict import PollResult, Verdict, job_verdict, pipeline_verdict, workflow_verdict

R = TypeVar("R")


@frozen
class Wait(Generic[R]):
    """One wait for a pipeline, a workflow or a job."""

    session: Session
    key: Key
    poll: Poll
    evaluate: Callable[..., Verdict]
    """`pipeline_verdict`, `workflow_verdict` or `job_verdict`."""
    to_result: Callable[[Snapshot, Outcome], R]
    options: WaitOptions
    started: float | None = None
    """When the timeout started, in the event loop's time; None: when the wait starts."""

    async def result(self, on_snapshot: Callable[[Snapshot], Awaitable[None]] | None = None) -> R:
        """Wait for the end, and return the result. `on_snapshot` is awaited with the state after each poll."""
        snapshot, outcome = Snapshot(), Outcome.RUNNING
        options, until = self.options, self._until()
        with self.marked_errors():
            callbacks = hold_callbacks(self.session, options.on_hold, grace=options.grace, until=until)
            async with callbacks as call_for, aclosing(self.polls(until)) as polls:
                async for result, verdict in polls:
                    snapshot, outcome = result.snapshot, verdict.outcome
                    call_for(snapshot)
                    if on_snapshot is not None:
                        await on_snapshot(snapshot)
        return self.to_result(snapshot, outcome)

    async def changes(self, on_end: Callable[[R], None]) -> AsyncGenerator[Change, None]:
        """Iterate the changes until the end, then pass the result to `on_end`."""
        changes = Changes()
        with self.marked_errors():
            async with aclosing(self.polls(self._until())) as polls:
                async for result, verdict in polls:
                    for change in changes.since_last(result.snapshot):
                        yield change
                    if verdict.is_final:
                        on_end(self.to_result(result.snapshot, verdict.outcome))

    @contextmanager
    def marked_errors(self) -> Generator[None, None, None]:
        """Set the `pipeline_id` of errors in a wait for a pipeline."""
        try:
            yield
        except CircleCIError as error:
            kind, id = self.key
            if kind == "pipeline":
                error.pipeline_id = id
            raise

    def _until(self) -> float | None:
        """Return when the timeout ends, in the event loop's time; it starts now unless it has `started`."""
        if self.options.timeout is None:
            return None
        return (asyncio.get_running_loop().time() if self.started is None else self.started) + self.options.timeout

    async def polls(self, until: float | None) -> AsyncGenerator[tuple[PollResult, Verdict], None]:
        """Iterate the poll results until the final one, each with its verdict. Raises `WaitTimeout` at `until`."""
        subscription = self._subscription()
        last: R | None = None
        async with registry_of(self.session.state).subscribed(self.key, subscription):
            while True:
                # The timeout covers this alone, not what the caller does between two changes.
                deadline = asyncio.timeout_at(until)
                try:
                    async with deadline:
                        result, verdict = await subscription.next()
                except TimeoutError:
                    if not deadline.expired():
                        raise
                    kind, id = self.key
                    message = f"{kind} {id} did not end within {self.options.timeout:g} s"
                    raise WaitTimeout(message, last=last) from None
                if not result.missing:
                    last = self.to_result(result.snapshot, verdict.outcome)
                yield result, verdict
                if verdict.is_final:
                    return

    def _subscription(self) -> Subscription:
        options, calls = self.options, self.session.options
        return Subscription(
            partial(
                self.evaluate,
                grace=options.grace,
                on_hold="wait" if callable(options.on_hold) else options.on_hold,
                confirm_within=options.interval[0],
                jobs=options.jobs,
            ),
            self.poll,
            poll_timeout=min(calls.timeout * calls.retry.attempts, calls.retry.deadline or math.inf),
            interval=options.interval,
            jobs=options.jobs or callable(options.on_hold),
        )


def wait_for_pipeline(
    session: Session, pipeline_id: Id, options: WaitOptions, *, started: float | None = None
) -> Wait[PipelineResult]:
    """Return the wait for a pipeline. Raises `InvalidArgument` for an invalid id."""
    id = checked_id(pipeline_id)
    poll = pipeline_poll(session, id)
    return Wait(session, ("pipeline", id), poll, pipeline_verdict, pipeline_result, options, started)


def wait_for_workflow(
    session: Session, workflow_id: Id, options: WaitOptions, *, started: float | None = None
) -> Wait[WorkflowResult]:
    """Return the wait for a workflow. Raises `InvalidArgument` for an invalid id."""
    id = checked_id(workflow_id)
    poll = workflow_poll(session, id)
    return Wait(session, ("workflow", id), poll, workflow_verdict, workflow_result, options, started)


def wait_for_job(session: Session, project: ProjectRef, number: int, options: WaitOptions) -> Wait[JobDetails]:
    """Return the wait for a job. Raises `InvalidArgument` for an invalid project."""
    key = job_key(project, number)
    return Wait(session, key, job_poll(session, project, number), job_verdict, job_result, options)


def checked_id(id: Id) -> str:
    """Return an id as the key of its poller. Raises `InvalidArgument`."""
    segment(id)
    return str(id).lower()
