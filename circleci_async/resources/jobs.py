"""The calls about jobs, with what one call is not enough for: what their steps printed."""

import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

from ..core.fan_out import fan_out
from ..core.paging import Page, Paged
from ..endpoints.jobs import Jobs as Endpoints
from ..endpoints.resource import ProjectRef
from ..errors import CircleCIError, InvalidArgument
from ..logs.following import follow
from ..logs.output import StepLog, check_tail, last_lines
from ..logs.reading import Job, output_of
from ..models.steps import JobStep, LogLine, StepAction, StepOutput
from ..slug import project_path

AT_ONCE = 8
"""Outputs that are read at the same time."""


class Jobs(Endpoints):
    """Jobs, by their number in the project, and what their steps printed."""

    def steps(self, project: ProjectRef, number: int) -> Paged[JobStep]:
        """Iterate the steps of a job, each with one action for each of the job's nodes.

        API v2 knows no steps: this asks `GET /api/v1.1/project/{project-slug}/{job-number}`, which gives all in one
        page. A job that runs has the steps that have begun.

        Raises `NotFound` for a job that was canceled before it started.
        """
        job = self._job(project, number)

        async def fetch(_: str | None) -> Page[JobStep]:
            return Page(tuple((await job.look()).job_steps()), None)

        return Paged(fetch)

    def output(self, project: ProjectRef, number: int, step: int | JobStep, node: int = 0) -> StepLog:
        """Give access to what a step printed on one node: as a text, lines or messages, or only its end.

        `step` is a step of `steps`, or its number; `node` counts the parallel runs of the job, from 0. Nothing is sent
        until it is read.

        Its storage, which must not see the token, is asked without it; what it does not give is asked of
        `GET /api/v1.1/project/{project-slug}/{job-number}/output/{step}/{node}` instead.
        """
        job = self._job(project, number)
        if not _is_number(node, least=0):
            raise InvalidArgument(f"node={node!r}: give the number of a node, from 0")
        if isinstance(step, JobStep):
            nodes = [action.node for action in step.actions]
            if node not in nodes:
                raise InvalidArgument(f"node={node!r}: the step {step.name!r} ran on {nodes or 'no node'}")
        elif not _is_number(step, least=0):
            raise InvalidArgument(f"step={step!r}: give a step of `jobs.steps`, or its number")
        return StepLog(job, step, node)

    async def failed_output(
        self, project: ProjectRef, number: int, *, tail: int | None = 200, ansi: bool = False
    ) -> list[StepOutput]:
        """Return what the failed steps of a job printed in the end: what one wants to read, or to post.

        For each step and node that failed, timed out or was lost with its machine, in the order of the job, its last
        `tail` lines (None: all), as they look on a terminal in the end; `ansi`: with all escape codes. An output that
        can't be had leaves the others alone: its `error` says why. Of a job without a failed step the list is empty.

        API v2 knows no steps: this asks what `steps` and `output` ask. Raises `NotFound` for a job that was canceled
        before it started.
        """
        job = self._job(project, number)
        check_tail("tail", tail)
        build = await job.look()
        failed = [action for step in build.job_steps() for action in step.actions if action.failed]
        found: dict[int, str | CircleCIError] = {}

        async def read(numbered: tuple[int, StepAction]) -> str:
            _, action = numbered
            return await last_lines(output_of(job, action), tail, ansi=ansi) if action.has_output else ""

        async with aclosing(fan_out(enumerate(failed), read, concurrency=AT_ONCE)) as outcomes:
            async for (place, _), outcome in outcomes:
                if isinstance(outcome, Exception) and not isinstance(outcome, CircleCIError):
                    raise outcome
                found[place] = outcome
        return [_output(action, found[place]) for place, action in enumerate(failed)]

    def follow(
        self, project: ProjectRef, number: int, *, ansi: bool = False, interval: tuple[float, float] = (1.0, 10.0)
    ) -> AsyncGenerator[LogLine, None]:
        """Iterate the lines that a job has printed and prints, as they appear, until it has ended; each line once.

        There is nothing that streams: it looks again and again. `interval`: seconds to the next look when something
        new has come, and at most; it waits longer and longer as long as nothing does. A line is given when it is
        whole; `ansi`: with all escape codes. It may be asked for before the job has started. A failure that may pass
        (no connection, a 5xx, a 429) does not end it until several looks in a row have failed.

        API v2 knows no steps: this asks what `steps` and `output` ask. To leave the loop early and be sure that nothing
        goes on, wrap this in `contextlib.aclosing`. Raises `NotFound` for a job that was canceled before it started.
        """
        job = self._job(project, number)
        if not _is_interval(interval):
            raise InvalidArgument(f"interval={interval!r}: give two numbers of seconds above 0, the smaller one first")
        return follow(job, partial(self.get, project, number), ansi=ansi, interval=interval)

    def _job(self, project: ProjectRef, number: int) -> Job:
        if not _is_number(number, least=1):
            raise InvalidArgument(
                f"number={number!r}: give the number of a job in its project, such as 42; an approval has none, "
                "nor has a job that was never queued"
            )
        return Job(self._session, project_path(project), number)


def _output(action: StepAction, found: str | CircleCIError) -> StepOutput:
    return StepOutput(
        name=action.name,
        node=action.node,
        status=action.status,
        exit_code=action.exit_code,
        text=found if isinstance(found, str) else "",
        number=action.number,
        error=None if isinstance(found, str) else found,
    )


def _is_number(value: Any, *, least: int) -> bool:
    return type(value) is int and value >= least


def _is_interval(value: Any) -> bool:
    try:
        first, most = value
        return bool(0 < first <= most < math.inf)
    except (TypeError, ValueError):
        return False
