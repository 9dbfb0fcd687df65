"""Measure what the model of `scale` needs to know of this machine, and compare it with real harvests."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import define, evolve, field, frozen

import circleci_async as ca
from circleci_async.harvest.destination.folder import FolderFiles
from circleci_async.harvest.layout import DEFAULT_LAYOUT, JobRef, Layout, PipelineRef
from circleci_async.harvest.ledger.catalog import Catalog
from circleci_async.harvest.ledger.ended import EndedLists
from circleci_async.harvest.ledger.queue import LedgerQueue
from circleci_async.harvest.ledger.records import FetchedArtifact, ListedJob
from circleci_async.harvest.ledger.runs import begin_run
from circleci_async.harvest.ledger.schema import LEDGER_NAME
from circleci_async.harvest.ledger.writer import LedgerWriter
from circleci_async.models import Artifact, WorkflowStatus
from circleci_async.models.jobs import JobStatus
from circleci_async.testing import FakeCircleCI, Project, RateLimit, Workflow, World

from . import harvest, world
from .measure import MIB, empty, folder_for
from .rivals import TOKEN, Task
from .rivals import harvest as harvest_all
from .scale_model import Organization, Setup, checked_kinds, estimate, first, with_values

JOB_ARTIFACTS = 4
UNLIMITED = 1e6
PIPELINE_JOBS = 5
BATCH = 64


# The machine


@frozen
class Amounts:
    """How much work is measured."""

    files: int = 5_000
    bytes: int = 512 * MIB
    rows: int = 40_000


QUICK = Amounts(files=300, bytes=16 * MIB, rows=2_000)


def measured(amounts: Amounts) -> dict[str, float]:
    """Return the fields of `Setup` that depend on the machine. The server runs in its own process.

    CPU time is measured, not the time on the clock: other programs do not change it, and nothing waits.
    """
    with folder_for(2 * amounts.bytes) as folder:
        if folder is None:
            raise SystemExit(f"no room for {amounts.bytes / MIB:,.0f} MiB of files")
        commits, row = asyncio.run(build_ledger(folder, amounts.rows))
        empty(folder)
        with harvest.serving(world.World(amounts.files, 1024, JOB_ARTIFACTS), delay=0) as base:
            task = Task(base, [], folder, folder)
            _cpu(task, is_listing=True)  # imports modules
            empty(folder)
            list_seconds, requests = _cpu(task, is_listing=True)
            empty(folder)
            file_seconds, _ = _cpu(task)
            empty(folder)
        with harvest.serving(world.World(4, amounts.bytes // 4), delay=0) as base:
            byte_seconds, _ = _cpu(Task(base, [], folder, folder))
            empty(folder)
    return {
        "cpu_file": max(0.0, file_seconds - list_seconds) / amounts.files,
        "cpu_gigabyte": byte_seconds / amounts.bytes * 1e9,
        "cpu_list": list_seconds / requests,
        "commits": commits,
        "row": row,
    }


def _cpu(task: Task, *, is_listing: bool = False) -> tuple[float, int]:
    """Harvest, or only list everything; return the CPU seconds of all threads, and the requests."""
    began = time.process_time()
    report = asyncio.run(_list(task) if is_listing else harvest_all(task))
    return time.process_time() - began, report.requests


async def _list(task: Task) -> ca.HarvestReport:
    async with ca.CircleCI(TOKEN, host=task.base) as circle:
        return await circle.harvest(world.PROJECT, task.folder, select=ca.Selection(path="nothing"))


async def build_ledger(folder: Path, count: int) -> tuple[float, float]:
    """Record files as a harvest does; return the commits per second of CPU time, and the ledger's bytes per file."""
    layout = Layout(DEFAULT_LAYOUT)
    with closing(FolderFiles(folder)) as root:
        async with LedgerWriter(folder) as writer:
            run = await begin_run(writer, layout, ["gh/acme/api"], "{}")
            catalog, queue, ended = Catalog(writer, root, layout, run), LedgerQueue(writer, run), EndedLists(writer)
            for job in _jobs(count):
                if (job.number - 1) % PIPELINE_JOBS == 0:
                    await _record_pipeline(job, catalog, ended)
                await catalog.visit(job, None, is_queued=True)
                await catalog.add(job, _artifacts(job.number), None, is_queued=True)
                await catalog.complete(job, is_final=True)
            began = time.process_time()
            while artifacts := await queue.claim(BATCH):
                files = [
                    FetchedArtifact(each, None, 40_000, f"{each.id:064x}", f'"{each.id:032x}"') for each in artifacts
                ]
                await writer.execute(queue.commit, files)
            seconds = time.process_time() - began
    return count / seconds, (folder / LEDGER_NAME).stat().st_size / count


def _jobs(count: int) -> Iterator[JobRef]:
    rng = random.Random(1)
    origin = PipelineRef()
    for number in range(1, -(-count // JOB_ARTIFACTS) + 1):
        if (number - 1) % PIPELINE_JOBS == 0:
            id = f"{rng.getrandbits(32):08x}-7b12-4a3e-8c55-1f0e9d8c7b6a"
            origin = PipelineRef(id, datetime.now(UTC), "improve-the-login", None, f"{rng.getrandbits(160):040x}")
        yield JobRef("gh/acme/api", (number - 1) // PIPELINE_JOBS + 1, "build-and-test", "unit-tests", number, origin)


async def _record_pipeline(job: JobRef, catalog: Catalog, ended: EndedLists) -> None:
    id = job.origin.id or ""
    await catalog.add_pipeline(job.project, job.pipeline, job.origin)
    workflow = ca.models.Workflow(
        id=id, name=job.workflow, created_at=datetime.now(UTC), status=WorkflowStatus("success"), pipeline_id=id
    )
    await ended.record_workflows(id, [workflow], datetime.now(UTC))
    jobs = [ListedJob(job.number + each, job.job, JobStatus("success")) for each in range(PIPELINE_JOBS)]
    await ended.record_jobs(id, jobs, datetime.now(UTC))


def _artifacts(job: int) -> Iterator[Artifact]:
    for number in range(JOB_ARTIFACTS):
        path = f"reports/coverage/module-{number}.html"
        url = f"https://output.circle-artifacts.com/output/job/{job:08x}-1c2d-4e3f-9a4b-5c6d7e8f9a0b/artifacts/0/{path}"
        yield Artifact(path=path, node_index=0, url=url)


# Real harvests


@define
class Night:
    """The builds of an organization in an embedded CircleCI, before and after a night. Needs whole numbers."""

    organization: Organization
    setup: Setup
    now: datetime = field(factory=lambda: datetime.now(UTC))
    """The time of the second harvest."""
    world: World = field(factory=World)
    projects: list[Project] = field(factory=list[Project])
    _running: list[Workflow] = field(factory=list[Workflow])

    def before(self) -> None:
        """Create what the first harvest finds."""
        build = self.organization
        for number in range(build.projects):
            project = self.world.project(f"gh/acme/project-{number}")
            self.projects.append(project)
            new = self._new
            for position in reversed(range(new, new + round(build.pipelines))):
                self._pipeline(project, position, is_running=position < new + self._count(build.running))

    def after(self) -> None:
        """Create what was built during the night; the jobs that were running have ended."""
        build = self.organization
        for workflow in self._running:
            job = workflow.jobs[-1]
            job.end("success", self.now)
            self._add_output(workflow, len(workflow.jobs) - 1)
            workflow.update_status(self.now)
        self._running.clear()
        for project in self.projects:
            existing = project.pipelines.all
            for pipeline in existing[len(existing) - self._count(build.reruns) :]:
                self._rerun(pipeline.workflows[0])
            for position in reversed(range(self._new)):
                self._pipeline(project, position, is_running=position < self._count(build.running))

    @property
    def _new(self) -> int:
        return round(self.organization.pipelines / self.organization.days * self.setup.interval)

    def _count(self, share: float) -> int:
        return round(self._new * share)

    def _pipeline(self, project: Project, position: int, *, is_running: bool) -> None:
        build = self.organization
        age = timedelta(days=(position + 0.5) * build.days / build.pipelines)
        pipeline = project.pipeline(created_at=self.now - age)
        for number in range(round(build.workflows)):
            is_last = is_running and number == 0
            workflow = pipeline.workflow(f"workflow-{number}", status="running" if is_last else "success")
            for job in range(round(build.jobs)):
                runs = is_last and job == round(build.jobs) - 1
                workflow.job(f"job-{job}", status="running" if runs else "success")
                if not runs:
                    self._add_output(workflow, job)
            if is_last:
                self._running.append(workflow)

    def _add_output(self, workflow: Workflow, position: int) -> None:
        build, kinds, job = self.organization, checked_kinds(self.setup.what), workflow.jobs[position]
        for number in range(round(build.artifacts)):
            job.artifact(f"file-{number}.bin", size=round(build.size))
        for number in range(round(build.steps) if "logs" in kinds else 0):
            job.step(f"step-{number}", output="line\n")
        for number in range(round(build.tests) if "tests" in kinds else 0):
            job.test(f"test_{number}")

    def _rerun(self, workflow: Workflow) -> None:
        build = self.organization
        rerun = workflow.pipeline.workflow(workflow.name)
        runs = round(build.jobs * build.rerun_jobs)
        rerun.jobs.extend(workflow.jobs[: round(build.jobs) - runs])
        for number in range(runs):
            rerun.job(f"again-{number}")
            self._add_output(rerun, len(rerun.jobs) - 1)

    @asynccontextmanager
    async def serving(self, rate_limit: RateLimit | None = None, latency: float = 0.0) -> AsyncGenerator[ca.CircleCI]:
        """Serve the world; yield a client."""
        fake = FakeCircleCI(self.world, rate_limit=rate_limit, latency=latency, record=False)
        async with fake, fake.client(concurrency=self.setup.concurrency) as circle:
            yield circle

    async def harvest(self, circle: ca.CircleCI, folder: Path, *, is_first: bool) -> ca.HarvestReport:
        """Harvest all projects. The age of a pipeline does not change between the two harvests."""
        setup, build = self.setup, self.organization
        since = build.days + setup.interval if is_first or not setup.since else setup.since
        kinds: dict[str, Any] = {} if setup.what == "artifacts" else {"what": setup.what.split(",")}
        report = await circle.harvest(
            [project.slug for project in self.projects] if build.by_slug else "gh/acme",
            folder,
            **kinds,
            select=ca.Selection(since=None if since > build.days else self.now - timedelta(days=since)),
            concurrency=setup.concurrency,
            recheck=timedelta(days=setup.recheck),
        )
        report.raise_for_failures()
        return report


@frozen
class Trial:
    """A small organization, harvested by the program and estimated by the model."""

    name: str
    organization: Organization
    setup: Setup


_TINY = Organization(
    projects=3, pipelines=30, jobs=3, artifacts=1, size=20e3, spread=0, reruns=0, running=0, uneven=False
)
_LOCAL = Setup(latency=0.05, storage_latency=0.1, put_latency=0, bandwidth=1e9, network=1e9)

TRIALS = (
    Trial("quota of 60 requests per second, 50 ms", _TINY, evolve(_LOCAL, quota=60)),
    Trial(
        "8 connections, 200 ms",
        evolve(_TINY, pipelines=10, jobs=2, artifacts=2),
        evolve(_LOCAL, quota=UNLIMITED, latency=0.2, storage_latency=0.4, concurrency=8),
    ),
)
"""The embedded CircleCI delays both responses of a download: of the artifact host and of the storage."""


def run_trial(trial: Trial, machine: dict[str, float]) -> tuple[float, float]:
    """Return the seconds of a real harvest and those of the model."""

    async def real(folder: Path) -> float:
        night = Night(trial.organization, trial.setup)
        night.before()
        quota = trial.setup.quota
        limit = RateLimit(quota, burst=5) if quota < UNLIMITED else None
        async with night.serving(limit, trial.setup.latency) as circle:
            return (await night.harvest(circle, folder, is_first=True)).seconds

    with folder_for(MIB) as folder:
        if folder is None:
            raise SystemExit("no room for the files")
        seconds = asyncio.run(real(folder))
    setup = with_values(trial.setup, machine)
    return seconds, estimate(trial.organization, setup, first(trial.organization, setup)).seconds
