"""The lines of a running job, as they appear. API v1.1 streams nothing, so it is asked again and again."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing

from attrs import define, field

from ..core.retry import is_transient
from ..errors import ApiError, NotFound, TransportError
from ..models.jobs import JobDetails
from ..models.steps import LogLine, StepAction
from .build import Build
from .lines import Line, Lines, splitter
from .reading import Job, output_of

log: logging.Logger = logging.getLogger("circleci_async")

FAILURES = 5
"""Looks that may fail in a row, each of them after the retries of the client."""

GROWTH = 1.5
"""What each wait is longer than the one before by, as long as nothing new comes."""

Key = tuple[str, int | None, int, int]


@define
class _Progress:
    """How far the output of one action has been read."""

    lines: Lines = field(factory=lambda: splitter(ansi=False))
    given: int = 0
    """Characters."""
    done: bool = False


async def follow(
    job: Job, details: Callable[[], Awaitable[JobDetails]], *, ansi: bool, interval: tuple[float, float]
) -> AsyncGenerator[LogLine, None]:
    """Iterate the lines that a job has printed, and those that it prints until it ends, each once.

    `details` asks API v2, which knows a job before API v1.1 does. `interval`: seconds to the next look after something
    new has come, and at most.
    """
    first, most = interval
    known: dict[Key, _Progress] = {}
    wait = first
    failures = 0
    while True:
        came = False
        try:
            build = await _look(job, details)
            for key, action in _actions(build):
                progress = known.get(key) or known.setdefault(key, _Progress(splitter(ansi=ansi)))
                async with aclosing(_news(job, action, progress, job_ended=build.has_ended)) as lines:
                    async for line in lines:
                        came = True
                        yield LogLine(text=line.text, step=action.name, number=action.number, node=action.node)
            if build.has_ended:
                return
        except (ApiError, TransportError) as error:
            failures = 1 if came else failures + 1
            if failures > FAILURES or not is_transient(error):
                raise
            log.info("a look at job %d failed, %d in a row: %s", job.number, failures, error)
            asked = getattr(error, "retry_after", None) or 0.0
        else:
            failures, asked = 0, 0.0
        wait = first if came else min(most, wait * GROWTH)
        await asyncio.sleep(max(wait, asked))


async def _news(job: Job, action: StepAction, progress: _Progress, *, job_ended: bool) -> AsyncGenerator[Line, None]:
    """Iterate what an action has printed since the last time."""
    if progress.done:
        return
    if action.has_output:
        try:
            async with aclosing(output_of(job, action, skip=progress.given)) as messages:
                async for message in messages:
                    progress.given += len(message.text)
                    for line in progress.lines.feed(message.text):
                        yield line
        except NotFound:
            if job_ended:
                raise
            return  # it may be stored later than it is told of
    if action.is_finished or job_ended:
        progress.done = True
        for line in progress.lines.end():
            yield line


async def _look(job: Job, details: Callable[[], Awaitable[JobDetails]]) -> Build:
    try:
        return await job.look()
    except NotFound as error:
        try:
            status = (await details()).status
        except NotFound:
            raise error from None
        if status is None or status.is_finished:
            raise
        return Build()  # it has not begun


def _actions(build: Build) -> Iterator[tuple[Key, StepAction]]:
    """Yield all actions, and what tells each from the others in every list of this job."""
    seen: Counter[tuple[str, int | None, int]] = Counter()
    for step in build.job_steps():
        for action in step.actions:
            name = (action.name, action.number, action.node)
            yield (*name, seen[name]), action
            seen[name] += 1
