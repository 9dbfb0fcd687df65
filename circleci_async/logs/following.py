"""The lines of a running job as they are printed. API v1.1 has no streaming, so the job is polled."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import TypeAlias

from attrs import define, field

from ..config.log import log
from ..core.polling import Interval, PollSchedule
from ..errors import CircleCIError, NotFound
from ..models.jobs import JobDetails
from ..models.steps import LogLine, StepAction
from .build import Build
from .lines import Line, Lines, splitter
from .reading import JobSource, output_of

INTERVAL: Interval = (1.0, 10.0)

Key: TypeAlias = tuple[str, int | None, int, int]


@define
class _Progress:
    """How much of an action's output has been read."""

    lines: Lines = field(factory=lambda: splitter(ansi=False))
    characters: int = 0
    done: bool = False


async def follow(
    job: JobSource, details: Callable[[], Awaitable[JobDetails]], *, ansi: bool, interval: Interval
) -> AsyncGenerator[LogLine, None]:
    """Iterate the lines of a job until it ends, each line once. The delays between polls restart with new lines.

    `details` requests the job from API v2, which has it earlier than API v1.1.
    """
    schedule = PollSchedule(interval)
    progress_by_action: dict[Key, _Progress] = {}
    was_seen = False
    while True:
        has_news = False
        build: Build | None = None
        try:
            build = await (job.build() if was_seen else _build(job, details))
            was_seen = was_seen or build is not None
            for key, action in _actions(build):
                progress = progress_by_action.setdefault(key, _Progress(splitter(ansi=ansi)))
                async with aclosing(_news(job, action, progress, job_ended=_has_ended(build))) as lines:
                    async for line in lines:
                        has_news = True
                        yield LogLine(text=line.text, step=action.name, number=action.number, node=action.node)
            if _has_ended(build):
                return
            schedule.succeeded(changed=has_news)
        except CircleCIError as error:
            if has_news:
                schedule.succeeded(changed=True)
            if not schedule.failed(error, seen_before=was_seen and build is None):
                raise
            log.info("poll of job %d failed, %d in a row: %s", job.number, schedule.failures, error)
        await asyncio.sleep(schedule.next_delay())


async def _news(
    job: JobSource, action: StepAction, progress: _Progress, *, job_ended: bool
) -> AsyncGenerator[Line, None]:
    """Iterate the lines that an action has printed since the last poll."""
    if progress.done:
        return
    if action.has_output:
        try:
            async with aclosing(output_of(job, action, skip=progress.characters)) as messages:
                async for message in messages:
                    progress.characters += len(message.text)
                    for line in progress.lines.feed(message.text):
                        yield line
        except NotFound:
            if job_ended:
                raise
            return  # `has_output` can be set before the output is stored
    if action.is_finished or job_ended:
        progress.done = True
        for line in progress.lines.end():
            yield line


async def _build(job: JobSource, details: Callable[[], Awaitable[JobDetails]]) -> Build | None:
    """Return the job; None if it has not started."""
    try:
        return await job.build()
    except NotFound as error:
        try:
            status = (await details()).status
        except NotFound:
            raise error from None
        if status is None or status.is_finished:
            raise
        return None


def _has_ended(build: Build | None) -> bool:
    return build is not None and build.has_ended


def _actions(build: Build | None) -> Iterator[tuple[Key, StepAction]]:
    """Yield all actions, each with a key that identifies it in every poll of the job."""
    seen: Counter[tuple[str, int | None, int]] = Counter()
    for step in build.job_steps() if build else ():
        for action in step.actions:
            name = (action.name, action.number, action.node)
            yield (*name, seen[name]), action
            seen[name] += 1
