"""The jobs API, with waiting for the end of a job, and the steps of jobs and their output."""

from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

from ..core.paging import Page, Paged
from ..core.polling import Interval, check_interval
from ..endpoints.jobs import Jobs as Endpoints
from ..endpoints.resource import ProjectRef
from ..errors import InvalidArgument
from ..logs.failed_output import failed_output
from ..logs.following import INTERVAL, follow
from ..logs.output import StepLog, check_tail
from ..logs.reading import JobSource
from ..models.jobs import JobDetails
from ..models.steps import JobStep, LogLine, StepOutput
from ..slug import project_path
from ..watching.arguments import GRACE, WaitOptions
from ..watching.arguments import INTERVAL as WAIT_INTERVAL


class Jobs(Endpoints):
    """Jobs, by their number in the project, and the output of their steps."""

    async def wait(
        self,
        project: ProjectRef,
        number: int,
        *,
        timeout: float | None = None,
        interval: Interval = WAIT_INTERVAL,
        grace: float = GRACE,
    ) -> JobDetails:
        """Wait until a job has ended, and return its details; `status` is how it ended.

        `grace`: seconds for which the job may be missing, because it is new. The other arguments, and how polls are
        shared, are those of `pipelines.wait`; an event about the job that is passed to `CircleCI.notify` triggers one.

        Raises `WaitTimeout`, whose `last` is the latest `JobDetails`, and `NotFound` if the job is missing after
        `grace`, as approval jobs always are: wait for their workflow.
        """
        _check_number(number)
        options = WaitOptions(timeout, interval, grace, "wait")
        from ..watching.wait import wait_for_job  # only now: it loads the models of other groups

        return await wait_for_job(self._session, project, number, options).result()

    def steps(self, project: ProjectRef, number: int) -> Paged[JobStep]:
        """Iterate the steps of a job, each with one action per parallel node.

        API v2 has no steps: this requests `GET /api/v1.1/project/{project-slug}/{job-number}`, which returns all of
        them in one page. A running job has the steps that have started.

        Raises `NotFound` for a job that was canceled before it started.
        """
        job = self._job(project, number)

        async def fetch(_: str | None) -> Page[JobStep]:
            return Page(tuple((await job.build()).job_steps()), None)

        return Paged(fetch)

    def output(self, project: ProjectRef, number: int, step: int | JobStep, node: int = 0) -> StepLog:
        """Return the output of a step on one node, to be read as text, lines, messages, or only its last lines.

        `step` is a step of `steps`, or its number; `node` is the index of the parallel run, from 0. Nothing is sent
        until the output is read.

        The output is requested from its storage, without the token. If that fails, it is requested from
        `GET /api/v1.1/project/{project-slug}/{job-number}/output/{step}/{node}`.
        """
        job = self._job(project, number)
        _check_node(node)
        if isinstance(step, JobStep):
            nodes = [action.node for action in step.actions]
            if node not in nodes:
                raise InvalidArgument(f"node must be one of {nodes}, where step {step.name!r} ran, got {node!r}")
        elif not _is_number(step, minimum=0):
            raise InvalidArgument(f"step must be a step of `jobs.steps`, or its number, got {step!r}")
        return StepLog(job, step, node)

    async def failed_output(
        self, project: ProjectRef, number: int, *, node: int | None = None, tail: int | None = 200, ansi: bool = False
    ) -> list[StepOutput]:
        """Return the last `tail` lines (None: all) of each failed step of a job, on all nodes or on parallel `node`.

        One item per step and node that failed, timed out or had an infrastructure failure, in the order of the job;
        none if no step failed. Text is returned as a terminal shows it, or with `ansi` including all escape codes. If
        an output cannot be read, its item has the `error`; the others are not affected.

        API v2 has no steps: this makes the requests of `steps` and `output`. Raises `NotFound` for a job that was
        canceled before it started.
        """
        job = self._job(project, number)
        if node is not None:
            _check_node(node)
        return await failed_output(job, node=node, tail=check_tail("tail", tail), ansi=ansi)

    def follow(
        self, project: ProjectRef, number: int, *, ansi: bool = False, interval: Interval = INTERVAL
    ) -> AsyncGenerator[LogLine, None]:
        """Iterate the lines of a job until it has ended, those printed so far included; each line once.

        The API has no streaming: the job is polled. `interval`: seconds to the next poll after new lines, and at most
        between polls. A line is yielded when it is complete, as a terminal shows it, or with `ansi` including all
        escape codes. The job need not have started. Transient failures (no connection, 5xx, 429) are tolerated for two
        minutes.

        API v2 has no steps: this makes the requests of `steps` and `output`. To leave the loop early and stop the
        polling at once, wrap this in `contextlib.aclosing`. Raises `NotFound` for a job that was canceled before it
        started.
        """
        job = self._job(project, number)
        return follow(job, partial(self.get, project, number), ansi=ansi, interval=check_interval(interval))

    def _job(self, project: ProjectRef, number: int) -> JobSource:
        _check_number(number)
        return JobSource(self._session, project_path(project), number)


def _check_node(node: object) -> None:
    if not _is_number(node, minimum=0):
        raise InvalidArgument(f"node must be the index of a parallel run, 0 or more, got {node!r}")


def _check_number(number: Any) -> None:
    if not _is_number(number, minimum=1):
        raise InvalidArgument(
            f"number must be the number of a job in its project, such as 42, got {number!r}; approvals, and jobs"
            " that were never queued, have none"
        )


def _is_number(value: Any, *, minimum: int) -> bool:
    return type(value) is int and value >= minimum
