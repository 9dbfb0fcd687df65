"""Lists the workflows of pipelines and the jobs of workflows: from the ledger if they cannot change any more."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime, timedelta
from uuid import UUID

from ..core.session import Session
from ..endpoints.pipelines import Pipelines
from ..endpoints.workflows import Workflows
from ..models.jobs import JobType
from ..models.newest_workflows import is_setup_finished
from ..models.pipelines import Pipeline
from ..models.workflows import Workflow
from ..untrusted_text import is_valid_unicode
from .ledger.ended import EndedLists
from .ledger.records import ListedJob
from .ledger.values import is_storable
from .list_reader import ListReader
from .progress import ProgressTracker
from .refs import WorkflowRef
from .stop_signal import StopSignal

RECHECK = timedelta(days=14)
"""Age of a pipeline up to which its workflows are listed by each run, since one can be rerun."""


class BuildLists:
    """Reads each list from the API until it cannot change any more, and from the ledger afterwards.

    An ended workflow keeps its jobs. A pipeline keeps its workflows once all have ended and its age is `recheck`.
    """

    def __init__(
        self,
        session: Session,
        reader: ListReader,
        ended: EndedLists,
        progress: ProgressTracker,
        stop: StopSignal,
        *,
        recheck: timedelta,
        now: datetime,
    ) -> None:
        self._pipelines = Pipelines(session)
        self._workflows = Workflows(session)
        self._reader = reader
        self._ended = ended
        self._progress = progress
        self._stop = stop
        self._recheck = recheck
        self._now = now

    async def workflows(self, pipeline: Pipeline) -> AsyncGenerator[Workflow]:
        """Iterate the workflows of a pipeline. Ends early when the run is stopped."""
        if not await self._reader.may_list():
            return
        known = await self._ended.workflows(pipeline.id)
        if known is not None and known.read_at - pipeline.created_at >= self._recheck:
            self._progress.request_saved()
            for workflow in known.workflows:
                yield workflow
            return
        if known is not None:  # so that it is not used if the list cannot be read now
            await self._ended.forget_workflows(pipeline.id)
        listed: list[Workflow] = []
        paged = self._pipelines.workflows(pipeline.id).empty_if_missing()
        async with aclosing(self._reader.items(paged)) as workflows:
            async for workflow in workflows:
                listed.append(workflow)
                yield workflow
        is_final = is_setup_finished(pipeline) and not paged.is_missing and all(map(_is_final_workflow, listed))
        if is_final and not self._stop.is_set:  # a stop can have ended the list early
            await self._ended.record_workflows(pipeline.id, listed, self._now)

    async def jobs(self, workflow: WorkflowRef) -> AsyncGenerator[ListedJob]:
        """Iterate the jobs of a workflow that have a number, without approvals. Ends early when the run is stopped.

        The list is not recorded as final while an approval is on hold: a failed workflow continues when it is approved.
        """
        if not await self._reader.may_list():
            return
        known = await self._ended.jobs(workflow.id) if workflow.is_finished else None
        if known is not None:
            self._progress.request_saved()
            for job in known:
                yield job
            return
        listed: list[ListedJob] = []
        is_on_hold = False
        paged = self._workflows.jobs(workflow.id).empty_if_missing()
        async with aclosing(self._reader.items(paged)) as jobs:
            async for each in jobs:
                is_on_hold |= each.is_on_hold
                if each.job_number is not None and each.type != JobType.APPROVAL:
                    listed.append(ListedJob(each.job_number, each.name, each.status))
                    yield listed[-1]
        is_final = workflow.is_finished and not is_on_hold and not paged.is_missing and all(map(_is_final_job, listed))
        if is_final and not self._stop.is_set:
            await self._ended.record_jobs(workflow.id, listed, self._now)


def _is_final_workflow(workflow: Workflow) -> bool:
    """Return whether a workflow has ended, with an id and a name that the server need not correct."""
    return workflow.is_finished and is_valid_unicode(workflow.name) and _is_uuid(workflow.id)


def _is_final_job(job: ListedJob) -> bool:
    """Return whether a job has ended, with a number and a name that the server need not correct."""
    return job.status.is_finished and is_storable(job.number) and is_valid_unicode(job.name)


def _is_uuid(id: str) -> bool:
    try:
        UUID(id)
    except ValueError:
        return False
    return True
