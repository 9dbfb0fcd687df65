"""Finds pipelines, workflows, jobs and artifacts, newest first, and writes them into the ledger."""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from ..core.fan_out import fan_out
from ..core.session import Session
from ..downloads.latest import BEGINNING, newest_of_each_name, revision, succeeded
from ..endpoints.artifacts import Artifacts
from ..endpoints.pipelines import Pipelines
from ..endpoints.workflows import Workflows
from ..errors import CircleCIError, InvalidArgument, LedgerError, NotFound
from ..globs import matches
from ..models.jobs import JobType
from ..models.pipelines import Pipeline
from ..models.workflows import Workflow, WorkflowJob
from ..slug import ProjectSlug
from .backlog import Backlog
from .layout import Place
from .ledger import Ledger
from .records import Settled, Unlisted, Visit
from .register import Register
from .selection import Selection
from .stop import Stop
from .tally import Tally
from .walking import Walker

T = TypeVar("T")

PIPELINES_AT_ONCE = 24
"""Pipelines of a project that are looked at at once."""

AT_ONCE = 6
"""Projects, workflows of each pipeline, and jobs of each workflow that are."""


class Run(NamedTuple):
    """A workflow, as far as finding needs it."""

    project: str
    pipeline: int
    id: str
    name: str
    is_finished: bool


class Finder:
    """Finds what a selection asks for.

    `on_named` is called with files that got their names only now.
    """

    def __init__(
        self,
        session: Session,
        ledger: Ledger,
        walker: Walker,
        tally: Tally,
        backlog: Backlog,
        stop: Stop,
        selection: Selection,
        projects: Iterable[str],
        *,
        on_named: Callable[[list[Settled]], None],
    ) -> None:
        self._pipelines = Pipelines(session)
        self._workflows = Workflows(session)
        self._artifacts = Artifacts(session)
        self._ledger = ledger
        self._walker = walker
        self._tally = tally
        self._backlog = backlog
        self._stop = stop
        self._select = selection
        self._projects = tuple(projects)
        self._on_named = on_named
        self._since, self._until = selection.window(_now())

    async def run(self) -> None:
        """Find all there is. What fails is noted, and the rest goes on; raises `LedgerError`."""
        select = self._select
        if select.latest:
            await self._each(self._projects, self._latest)
            return
        await self._walker.look_back((*self._projects, ""))
        for project in self._projects:
            self._count(await self._ledger.do(Register.left_over, project))
        if select.workflow_id is not None:
            await self._each(select.workflow_id, self._workflow_by_id)
        elif select.pipeline_id is not None:
            await self._each(select.pipeline_id, self._pipeline_by_id)
        else:
            await self._each(self._projects, self._project)
        while self._stop.reason is None and (unlisted := self._walker.next_unlisted()) is not None:
            await self._make_up_for(unlisted)

    async def _each(
        self, items: Iterable[T] | AsyncIterable[T], work: Callable[[T], Awaitable[None]], *, at_once: int = AT_ONCE
    ) -> None:
        async with aclosing(fan_out(items, work, concurrency=at_once)) as outcomes:
            async for _, error in outcomes:
                if error is not None:
                    raise error

    # Pipelines

    async def _project(self, project: str) -> None:
        since = self._since
        if earlier := self._walker.unlisted("pipelines", project, ""):  # it was to go back further, and did not
            (began,) = earlier.detail
            since = since and began and min(since, datetime.fromisoformat(began))
        listing = Unlisted("pipelines", project, "", project, [since and since.isoformat()], None)
        async with self._walker.listing(listing, is_long=True):
            pipelines = self._newest_first(project, since)
            await self._each(pipelines, lambda each: self._pipeline(project, each), at_once=PIPELINES_AT_ONCE)

    async def _newest_first(self, project: str, since: datetime | None) -> AsyncGenerator[Pipeline]:
        paged = self._pipelines.list(project, branch=self._select.plain_branch)
        async with aclosing(self._walker.items(paged)) as pipelines:
            async for pipeline in pipelines:
                if since and pipeline.created_at < since:
                    return
                if self._is_wanted(pipeline, is_of_branch=self._select.plain_branch is not None):
                    yield pipeline

    def _is_wanted(self, pipeline: Pipeline, *, is_of_branch: bool) -> bool:
        return (
            not (self._until and pipeline.created_at > self._until)
            and (is_of_branch or matches(self._select.branch, revision(pipeline, "branch")))
            and matches(self._select.tag, revision(pipeline, "tag"))
        )

    def _is_wanted_by_id(self, pipeline: Pipeline) -> bool:
        is_too_old = self._since and pipeline.created_at < self._since
        return not is_too_old and self._is_wanted(pipeline, is_of_branch=False)

    async def _pipeline(self, project: str, pipeline: Pipeline) -> None:
        number, id = pipeline.number, pipeline.id
        listing = Unlisted("workflows", project, id, f"pipeline {number} of {project}", [id], None)
        async with self._walker.listing(listing) as walk:
            walk.is_to_be_repeated = pipeline.state in BEGINNING
            await self._each(self._runs(project, pipeline), self._jobs_of)

    async def _runs(self, project: str, pipeline: Pipeline) -> AsyncGenerator[Run]:
        workflows = self._walker.items(self._pipelines.workflows(pipeline.id), may_be_missing=True)
        async with aclosing(workflows):
            async for workflow in workflows:
                if matches(self._select.workflow, workflow.name):
                    yield _run(project, pipeline, workflow)

    async def _pipeline_by_id(self, id: str) -> None:
        listing = Unlisted("pipelines", self._any_project, id, f"pipeline {id}", [id], None)
        async with self._walker.listing(listing):
            pipeline = await self._walker.ask(lambda: self._pipelines.get(id))
            project = self._project_of(pipeline)
            if self._is_wanted_by_id(pipeline):
                await self._pipeline(project, pipeline)

    async def _workflow_by_id(self, id: str) -> None:
        listing = Unlisted("pipelines", self._any_project, id, f"workflow {id}", [id], None)
        async with self._walker.listing(listing):
            workflow = await self._walker.ask(lambda: self._workflows.get(id))
            pipeline_id = workflow.pipeline_id
            if pipeline_id is None:
                raise CircleCIError(f"workflow {id} names no pipeline")
            pipeline = await self._walker.ask(lambda: self._pipelines.get(pipeline_id))
            project = self._project_of(pipeline)
            wanted = self._is_wanted_by_id(pipeline) and matches(self._select.workflow, workflow.name)
            if wanted and (self._select.pipeline_id is None or pipeline.id in self._select.pipeline_id):
                await self._jobs_of(_run(project, pipeline, workflow))

    @property
    def _any_project(self) -> str:
        return self._projects[0] if len(self._projects) == 1 else ""

    def _project_of(self, pipeline: Pipeline) -> str:
        slug = str(ProjectSlug.parse(pipeline.project_slug))
        for project in self._projects:
            if project.lower() == slug.lower():
                return project
        raise InvalidArgument(f"pipeline {pipeline.id} is one of {slug}, which is not among the projects asked for")

    async def _make_up_for(self, unlisted: Unlisted) -> None:
        """Walk a list again that an earlier run did not walk to its end."""
        kind, project, _, _, detail, _ = unlisted
        if kind == "artifacts":
            *place, is_finished = detail
            await self._artifacts_of(Place(project, *place), is_finished=is_finished)
            return
        if kind == "pipelines":  # they have had their turn
            async with self._walker.listing(unlisted):
                return
        try:
            if kind == "workflows":
                (id,) = detail
                await self._pipeline(project, await self._walker.ask(lambda: self._pipelines.get(id)))
            elif kind == "jobs":
                number, id, _ = detail
                workflow = await self._walker.ask(lambda: self._workflows.get(id))
                await self._jobs_of(Run(project, number, id, workflow.name, _is_finished(workflow)))
        except LedgerError:
            raise
        except CircleCIError as error:  # not of the walk, which notes its own
            async with self._walker.listing(unlisted):
                if not isinstance(error, NotFound):
                    raise error from None

    # The newest that succeeded

    async def _latest(self, project: str) -> None:
        since = self._since
        listing = Unlisted("pipelines", project, "", project, [since and since.isoformat()], None)
        async with self._walker.listing(listing), aclosing(self._newest_first(project, since)) as pipelines:
            async for pipeline in pipelines:
                if await self._is_the_one(project, pipeline):
                    return

    async def _is_the_one(self, project: str, pipeline: Pipeline) -> bool:
        wanted = self._select.workflow
        listed = self._walker.items(self._pipelines.workflows(pipeline.id), may_be_missing=True)
        workflows = newest_of_each_name([each async for each in listed if matches(wanted, each.name)])
        if not succeeded(pipeline, workflows, is_all=wanted is None):
            return False
        places: list[Place] = []
        for workflow in workflows:
            run = _run(project, pipeline, workflow)
            jobs = self._walker.items(self._workflows.jobs(run.id), may_be_missing=True)
            places += [_place(run, job) async for job in jobs if self._is_wanted_job(job)]
        await self._each(places, lambda place: self._list(place, is_finished=True, want=False))
        having = [place for place in places if await self._ledger.do(Register.has, place, self._select.path)]
        for place in having:
            self._note(place, await self._ledger.do(Register.want, place, self._select.path))
        return bool(having)

    # Jobs and their artifacts

    async def _jobs_of(self, run: Run) -> None:
        name = f"workflow {run.name} of pipeline {run.pipeline} of {run.project}"
        listing = Unlisted("jobs", run.project, run.id, name, [run.pipeline, run.id, run.name], None)

        async def find(job: WorkflowJob) -> None:
            await self._artifacts_of(_place(run, job), is_finished=job.status.is_finished)

        async with self._walker.listing(listing) as walk:
            walk.is_to_be_repeated = not run.is_finished
            jobs = self._walker.items(self._workflows.jobs(run.id), may_be_missing=True)
            await self._each((job async for job in jobs if self._is_wanted_job(job)), find)

    def _is_wanted_job(self, job: WorkflowJob) -> bool:
        return (
            job.job_number is not None
            and job.type != JobType.APPROVAL
            and matches(self._select.job, job.name)
            and (self._select.status is None or job.status.value == self._select.status)
        )

    async def _artifacts_of(self, place: Place, *, is_finished: bool) -> None:
        name = f"job {place.number} ({place.job}) of {place.project}"
        listing = Unlisted("artifacts", place.project, str(place.number), name, [*place[1:], is_finished], None)
        async with self._walker.listing(listing):
            await self._list(place, is_finished=is_finished, want=True)

    async def _list(self, place: Place, *, is_finished: bool, want: bool) -> None:
        """See that all artifacts of a job are in the ledger; what is known already is not asked for again.

        A list that was begun is walked to its end even if the run is to stop: files that have come wait for it.
        """
        if self._stop.reason is not None:
            return
        glob = self._select.path
        visit = await self._ledger.do(Register.visit, place, glob, want=want)
        if visit.is_whole or not visit.is_first:  # a rerun lists the jobs that it takes over once more
            if want:
                self._note(place, visit)
            return
        found = skipped = 0
        artifacts = self._artifacts.list(place.project, place.number)
        pages = self._walker.pages(artifacts, may_be_missing=True, to_the_end=True)
        async with aclosing(pages):
            async for page in pages:
                added = await self._ledger.do(Register.add, place, page.items, glob, want=want)
                self._count(added)
                found, skipped = found + added.found, skipped + added.skipped
                await self._backlog.room()
        await self._ledger.do(Register.complete, place, whole=is_finished)
        is_more = True
        while is_more:
            settled, is_more = await self._ledger.do(Register.settle, place)
            self._on_named(settled)
        if want:
            self._tally.listed(place, found, skipped)

    def _note(self, place: Place, visit: Visit) -> None:
        self._count(visit)
        if visit.is_first:
            self._tally.listed(place, visit.found, visit.skipped)

    def _count(self, visit: Visit) -> None:
        self._tally.visited(visit)
        self._backlog.add(visit.found)


def _now() -> datetime:
    return datetime.now(UTC)


def _run(project: str, pipeline: Pipeline, workflow: Workflow) -> Run:
    return Run(project, pipeline.number, workflow.id, workflow.name, _is_finished(workflow))


def _is_finished(workflow: Workflow) -> bool:
    return workflow.status is not None and workflow.status.is_finished


def _place(run: Run, job: WorkflowJob) -> Place:
    return Place(run.project, run.pipeline, run.name, job.name, job.job_number or 0)
