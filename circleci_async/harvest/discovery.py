"""Discovers pipelines, workflows, jobs and their files, newest first, and records them in the ledger."""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from ..core.fan_out import fan_out
from ..core.session import Session
from ..core.when import to_datetime
from ..endpoints.pipelines import Pipelines
from ..endpoints.workflows import Workflows
from ..errors import BadRequest, CircleCIError, InvalidArgument, LedgerError, NotFound
from ..globs import matches
from ..models.newest_workflows import is_setup_finished, newest_of_each_name, succeeded
from ..models.pipelines import Pipeline
from ..slug import ProjectSlug
from .backpressure import Backpressure
from .build_lists import BuildLists
from .file_lists import FileLists, check_job
from .kinds import KINDS, HarvestKind
from .layout import JobRef
from .ledger.catalog import Catalog
from .ledger.ended import EndedLists
from .ledger.records import ListedJob, Listing
from .ledger.values import Unusable, check_number, check_text
from .list_reader import ListReader, Reading
from .progress import ProgressTracker
from .refs import (
    WorkflowRef,
    begin_of,
    files_listing,
    job_ref,
    jobs_listing,
    pipeline_ref,
    pipelines_of,
    workflow_ref,
    workflows_listing,
)
from .selection import Selection
from .stop_signal import StopSignal

T = TypeVar("T")

MAX_PIPELINES = 24
"""Pipelines of a project that are read concurrently."""

MAX_CONCURRENCY = 6
"""Projects, workflows of a pipeline, and jobs of a workflow that are read concurrently."""


class Discovery:
    """Walks the lists of the API for what a selection selects, and queues the files of these kinds."""

    def __init__(
        self,
        session: Session,
        reader: ListReader,
        catalog: Catalog,
        ended: EndedLists,
        files: FileLists,
        backpressure: Backpressure,
        progress: ProgressTracker,
        stop: StopSignal,
        *,
        kinds: tuple[HarvestKind, ...],
        selection: Selection,
        recheck: datetime | timedelta,
        projects: Iterable[str],
    ) -> None:
        now = utc_now()
        self._pipelines = Pipelines(session)
        self._workflows = Workflows(session)
        self._files = files
        self._kinds = kinds
        self._reader = reader
        self._catalog = catalog
        self._backpressure = backpressure
        self._progress = progress
        self._stop = stop
        self._select = selection
        self._projects = tuple(projects)
        self._since, self._until = selection.window(now)
        age = now - (to_datetime(recheck, now) or now)
        self._lists = BuildLists(session, reader, ended, progress, stop, recheck=age, now=now)

    async def run(self) -> None:
        """Discover all artifacts. A failed list is recorded, and the others are read; raises `LedgerError`."""
        try:
            await self._run()
        finally:
            self._progress.is_discovering = False

    async def _run(self) -> None:
        select = self._select
        await self._reader.load_incomplete((*self._projects, ""))
        if select.latest:
            await self._for_each(self._projects, self._latest)
            while not self._stop.is_set and (listing := self._reader.next_incomplete()) is not None:
                async with self._reader.reading(listing):  # of an older pipeline, which is not selected any more
                    pass
            return
        for project in self._projects:
            await self._files.queue_leftovers(project)
        if select.workflow_id is not None:
            await self._for_each(select.workflow_id, self._workflow_by_id)
        elif select.pipeline_id is not None:
            self._progress.pipelines.given(len(select.pipeline_id))
            await self._for_each(select.pipeline_id, self._pipeline_by_id)
        else:
            self._progress.pipelines.projects = len(self._projects)
            await self._for_each(self._projects, self._project)
        while (listing := self._reader.next_incomplete()) is not None and await self._reader.may_list():
            await self._continue(listing)

    async def _for_each(
        self,
        items: Iterable[T] | AsyncIterable[T],
        work: Callable[[T], Awaitable[None]],
        *,
        concurrency: int = MAX_CONCURRENCY,
    ) -> None:
        concurrency = self._backpressure.bounded(concurrency)
        async with aclosing(fan_out(items, work, concurrency=concurrency)) as outcomes:
            async for _, error in outcomes:
                if error is not None:
                    raise error

    # Pipelines

    async def _project(self, project: str) -> None:
        since = self._since
        if earlier := self._reader.incomplete("pipelines", project, ""):  # continue back to where it was to begin
            begin = begin_of(earlier)
            since = since and begin and min(since, begin)
        async with self._reader.reading(pipelines_of(project, since), is_long=True):
            pipelines = self._newest_first(project, since)
            await self._for_each(pipelines, lambda each: self._pipeline(project, each), concurrency=MAX_PIPELINES)

    async def _newest_first(self, project: str, since: datetime | None) -> AsyncGenerator[Pipeline]:
        branch = self._select.plain_branch
        async with aclosing(self._reader.items(self._pipelines.list(project, branch=branch))) as pipelines:
            async for pipeline in pipelines:
                if since and pipeline.created_at < since:
                    break
                is_selected = self._is_selected(pipeline, is_on_branch=branch is not None)
                self._progress.pipelines.listed(project, pipeline, since, is_selected=is_selected)
                if is_selected:
                    yield pipeline
        self._progress.pipelines.ended(project)

    def _is_selected(self, pipeline: Pipeline, *, is_on_branch: bool) -> bool:
        return (
            not (self._until and pipeline.created_at > self._until)
            and (is_on_branch or matches(self._select.branch, pipeline.branch))
            and matches(self._select.tag, pipeline.tag)
        )

    def _is_selected_by_id(self, pipeline: Pipeline) -> bool:
        is_too_old = self._since and pipeline.created_at < self._since
        return not is_too_old and self._is_selected(pipeline, is_on_branch=False)

    async def _pipeline(self, project: str, pipeline: Pipeline) -> None:
        async with self._reader.reading(workflows_listing(project, pipeline)) as reading:
            await self._record(project, pipeline)
            reading.is_growing = not is_setup_finished(pipeline)
            await self._for_each(self._selected_workflows(project, pipeline), self._jobs_of)
        self._progress.pipelines.read += 1

    async def _record(self, project: str, pipeline: Pipeline) -> None:
        check_number("pipeline number", pipeline.number)
        await self._catalog.add_pipeline(project, pipeline.number, pipeline_ref(pipeline))

    async def _selected_workflows(self, project: str, pipeline: Pipeline) -> AsyncGenerator[WorkflowRef]:
        async with aclosing(self._lists.workflows(pipeline)) as workflows:
            async for workflow in workflows:
                if matches(self._select.workflow, workflow.name):
                    yield workflow_ref(project, pipeline, workflow)

    async def _pipeline_by_id(self, id: str) -> None:
        if not await self._reader.may_list():
            return
        listing = Listing("pipelines", self._only_project, id, f"pipeline {id}", [id])
        async with self._reader.reading(listing):
            pipeline = await self._reader.call(lambda: self._pipelines.get(id))
            project = self._project_of(pipeline)
            if self._is_selected_by_id(pipeline):
                await self._pipeline(project, pipeline)

    async def _workflow_by_id(self, id: str) -> None:
        if not await self._reader.may_list():
            return
        listing = Listing("pipelines", self._only_project, id, f"workflow {id}", [id])
        async with self._reader.reading(listing):
            workflow = await self._reader.call(lambda: self._workflows.get(id))
            pipeline_id = workflow.pipeline_id
            if pipeline_id is None:
                raise CircleCIError(f"workflow {id} has no pipeline id")
            pipeline = await self._reader.call(lambda: self._pipelines.get(pipeline_id))
            project = self._project_of(pipeline)
            ids = self._select.pipeline_id
            if (
                self._is_selected_by_id(pipeline)
                and matches(self._select.workflow, workflow.name)
                and (ids is None or pipeline.id in ids)
            ):
                await self._record(project, pipeline)
                await self._jobs_of(workflow_ref(project, pipeline, workflow))

    @property
    def _only_project(self) -> str:
        """The project, if there is only one: with several, an id does not show to which it belongs."""
        return self._projects[0] if len(self._projects) == 1 else ""

    def _project_of(self, pipeline: Pipeline) -> str:
        slug = str(ProjectSlug.parse(pipeline.project_slug))
        for project in self._projects:
            if project.lower() == slug.lower():
                return project
        raise InvalidArgument(f"pipeline {pipeline.id} belongs to {slug}, which is not one of the given projects")

    async def _continue(self, listing: Listing) -> None:
        """Read a list again that an earlier run left incomplete."""
        kind, project, _, _, detail, _ = listing
        if kind == "pipelines":  # another selection of ids than before: nothing is left to read
            async with self._reader.reading(listing):
                return
        try:
            if kind in KINDS:
                *fields, is_finished = detail
                job = JobRef(project, *fields)
                check_job(job)
                job = job._replace(kind=kind, origin=await self._catalog.pipeline(project, job.pipeline))
                await self._files_of(job, is_finished=is_finished)
            elif kind == "workflows":
                (id,) = detail
                await self._pipeline(project, await self._reader.call(lambda: self._pipelines.get(id)))
            elif kind == "jobs":
                number, id, _ = detail
                workflow = await self._reader.call(lambda: self._workflows.get(id))
                origin = await self._catalog.pipeline(project, number)
                await self._jobs_of(WorkflowRef(project, number, id, workflow.name, workflow.is_finished, origin))
            else:
                raise CircleCIError(f"the ledger has a list of the unknown kind {kind!r}")
        except LedgerError:
            raise
        except Exception as error:  # from `call`: errors of the list itself are recorded by `reading`
            async with self._reader.reading(listing):
                if not isinstance(error, NotFound | BadRequest | InvalidArgument | Unusable):  # not listed any more
                    raise error from None

    # The latest pipeline that succeeded

    async def _latest(self, project: str) -> None:
        async with (
            self._reader.reading(pipelines_of(project, self._since)),
            aclosing(self._newest_first(project, self._since)) as pipelines,
        ):
            async for pipeline in pipelines:
                is_latest = False
                async with self._reader.reading(workflows_listing(project, pipeline)) as reading:
                    await self._record(project, pipeline)
                    is_latest = await self._queue_latest(project, pipeline)
                self._progress.pipelines.read += 1
                if is_latest or reading.has_failed:
                    return

    async def _queue_latest(self, project: str, pipeline: Pipeline) -> bool:
        """Queue the files of a pipeline if it succeeded; return whether any are selected, or a list failed."""
        glob = self._select.workflow
        async with aclosing(self._lists.workflows(pipeline)) as listed:
            workflows = newest_of_each_name([each async for each in listed if matches(glob, each.name)])
        if not succeeded(pipeline, workflows, is_all=glob is None):
            return False
        refs: list[JobRef] = []
        readings: list[Reading] = []
        complete: set[JobRef] = set()

        async def list_files(job: JobRef) -> None:
            async with self._reader.reading(files_listing(job, is_finished=True)) as reading:
                readings.append(reading)
                reading.is_growing = await self._files.read(job, is_finished=True, is_queued=False)
                complete.add(job)

        async def list_all(job: JobRef) -> None:
            for kind in self._kinds:
                await list_files(job._replace(kind=kind))

        for each in workflows:
            workflow = workflow_ref(project, pipeline, each)
            async with self._reader.reading(jobs_listing(workflow)) as reading:
                readings.append(reading)
                refs += [job_ref(workflow, job) async for job in self._selected_jobs(workflow)]
        await self._for_each(refs, list_all)
        found = [job._replace(kind=kind) for job in refs for kind in self._kinds]
        queued = [await self._files.queue(job) for job in found if job in complete]
        return any(queued) or any(reading.has_failed for reading in readings)

    # Jobs and their files

    async def _jobs_of(self, workflow: WorkflowRef) -> None:

        async def list_files(job: ListedJob) -> None:
            ref = job_ref(workflow, job)
            kinds = self._kinds
            try:
                check_job(ref)
            except Unusable:  # recorded below; the next run lists it again, since the server can correct it
                reading.is_growing = True
                kinds = kinds[:1]
            is_finished = job.status.is_finished
            has_ended = is_finished or (workflow.is_finished and not job.status.is_known)
            for kind in kinds:  # in order, since they share the paths
                if kind == "artifacts" or has_ended:
                    await self._files_of(ref._replace(kind=kind), is_finished=is_finished)
                else:  # incomplete until then
                    reading.is_growing = True

        async with self._reader.reading(jobs_listing(workflow)) as reading:
            reading.is_growing = not workflow.is_finished
            await self._for_each(self._selected_jobs(workflow), list_files)

    async def _selected_jobs(self, workflow: WorkflowRef) -> AsyncGenerator[ListedJob]:
        check_text("workflow name", workflow.name)
        async with aclosing(self._lists.jobs(workflow)) as jobs:
            async for job in jobs:
                if matches(self._select.job, job.name) and self._select.status in {None, job.status.value}:
                    yield job

    async def _files_of(self, job: JobRef, *, is_finished: bool) -> None:
        async with self._reader.reading(files_listing(job, is_finished=is_finished)) as reading:
            reading.is_growing = await self._files.read(job, is_finished=is_finished, is_queued=True)


def utc_now() -> datetime:
    """Return the time that `since` and `until` are relative to."""
    return datetime.now(UTC)
