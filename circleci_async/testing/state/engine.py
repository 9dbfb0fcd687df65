"""Runs triggered, rerun and approved workflows, by the world's clock.

Future changes are kept in a queue with their time. `advance`, called before any request is handled, applies the due
ones. A background task runs only while a webhook waits for an event.
"""

import heapq
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import count

from attrs import define, evolve, field

from .builds import Job, Pipeline, Workflow
from .content import Content, Stream
from .projects import Project
from .registry import User
from .results import CANCELABLE, LIVE, JobTest
from .script import PlannedStep, Recipe, RecipeJob, as_yaml, plan_steps
from .steps import Printed, Step
from .world import World

_CREATION = 0.1  # the fraction of a run before the workflows are created
_QUEUE = 0.1  # the fraction of a job's time that it is queued
_TESTS = ("test_login", "test_logout", "test_a_long_name", "test_nothing", "test_everything")


@define(eq=False)
class _Run:
    """A running workflow: the time of each job, and the outcomes, artifacts, tests and output by job name."""

    job_time: timedelta
    outcomes: Mapping[str, str]
    artifacts: Mapping[str, Sequence[tuple[str, Content, int]]] = field(
        factory=dict[str, "Sequence[tuple[str, Content, int]]"]
    )
    suites: Mapping[str, Sequence[JobTest]] = field(factory=dict[str, "Sequence[JobTest]"])
    output: Mapping[str, Printed] = field(factory=dict[str, Printed])


class Engine:
    """Runs the workflows of a world. A run takes `run_time` seconds from trigger to end, approvals excluded."""

    def __init__(self, world: World, run_time: float) -> None:
        self._world = world
        self._run_time = timedelta(seconds=run_time)
        self._due: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self._observable: list[datetime] = []
        self._order = count()
        self._runs: dict[str, _Run] = {}
        self._continued: set[str] = set()

    def advance(self) -> None:
        """Apply the changes that are due."""
        if self._due:
            now = self._world.clock()
            while self._due and self._due[0][0] <= now:
                at, _, action = heapq.heappop(self._due)
                action(at)
            while self._observable and self._observable[0] <= now:
                heapq.heappop(self._observable)

    @property
    def next_observable(self) -> datetime | None:
        """Time of the next change that can be a webhook event; None if no change is queued."""
        return self._observable[0] if self._observable else None

    def _at(self, when: datetime, action: Callable[[datetime], None], *, observable: bool = True) -> None:
        heapq.heappush(self._due, (when, next(self._order), action))
        if observable:
            heapq.heappush(self._observable, when)
            self._world.notify()

    def trigger(
        self,
        project: Project,
        *,
        branch: str | None,
        tag: str | None,
        parameters: Mapping[str, str | int | bool],
        actor: User,
    ) -> Pipeline:
        """Create a pipeline, in state `pending` or `setup-pending`."""
        now = self._world.clock()
        setup = project.setup_recipe
        pipeline = project.pipeline(
            branch=branch,
            tag=tag,
            parameters=parameters,
            actor=actor,
            state="pending",
            created_at=now,
            trigger_type="api",
            config=as_yaml(setup) if setup else None,
            setup=bool(setup),
        )
        if setup:
            pipeline.state = "setup-pending"
        lag = max(recipe.lag for recipe in (*setup, *project.recipe))
        pipeline.found_from = now + timedelta(seconds=lag) if lag else None
        self._begin(pipeline, now)
        return pipeline

    def resume(self, pipeline: Pipeline, *, config: str, parameters: Mapping[str, str | int | bool]) -> None:
        """Continue a pipeline that waits in state `setup`, with this configuration."""
        pipeline.state = "pending"
        self._world.continuations.pop(pipeline.continuation_key, None)
        pipeline.config = config
        pipeline.parameters = {**pipeline.parameters, **parameters}
        self._begin(pipeline, self._world.clock())

    def _set_up(self, pipeline: Pipeline, at: datetime) -> None:
        """Continue a pipeline whose setup has succeeded, if its project has other workflows."""
        newest = {workflow.name: workflow.status for workflow in pipeline.workflows if workflow.tag == "setup"}
        project = self._project(pipeline)
        continues = project is not None and any(not recipe.setup for recipe in project.recipes.values())
        if continues and pipeline.id not in self._continued and set(newest.values()) == {"success"}:
            self._continued.add(pipeline.id)
            self._at(at + self._run_time * _CREATION, partial(self._continue, pipeline))

    def _continue(self, pipeline: Pipeline, at: datetime) -> None:
        project = self._project(pipeline)
        if project is not None and pipeline.state == "setup":  # not continued by a call in the meantime
            self._world.continuations.pop(pipeline.continuation_key, None)
            pipeline.config = as_yaml(project.recipe)
            self._create(pipeline, at)

    def _project(self, pipeline: Pipeline) -> Project | None:
        """Return the project of a pipeline; None if it was deleted."""
        return self._world.projects[pipeline.project.slug] if pipeline.id in self._world.pipelines_by_id else None

    def _begin(self, pipeline: Pipeline, now: datetime) -> None:
        self._at(now + self._run_time * _CREATION, partial(self._create, pipeline))

    def _create(self, pipeline: Pipeline, at: datetime) -> None:
        project = self._project(pipeline)
        if project is None:
            return
        pipeline.updated_at = at
        setup = pipeline.state == "setup-pending"
        error = project.setup_error if setup else project.config_error
        if error is not None:
            pipeline.fail(error)
            return
        pipeline.state = "setup" if setup else "created"
        for recipe in project.setup_recipe if setup else project.recipe:
            if recipe.delay:
                self._at(at + timedelta(seconds=recipe.delay), partial(self._appear, pipeline, recipe))
            else:
                self._appear(pipeline, recipe, at)

    def _appear(self, pipeline: Pipeline, recipe: Recipe, at: datetime) -> None:
        if pipeline.id in self._world.pipelines_by_id:
            tag = "setup" if recipe.setup else None
            self._run_recipe(pipeline.workflow(recipe.workflow, status="running", created_at=at, tag=tag), recipe, at)

    def _run_recipe(self, workflow: Workflow, recipe: Recipe, at: datetime) -> None:
        jobs: dict[str, Job] = {}
        for part in recipe.jobs:
            requires = [jobs[name] for name in part.requires]
            jobs[part.name] = workflow.add(part.name, approval=part.approval, parallelism=1, requires=requires, at=at)
        contents = [
            (
                path,
                Content.given(what) if isinstance(what, bytes) else Content.generated(what, f"{workflow.id} {path}"),
                0,
            )
            for path, what in recipe.artifacts.items()
        ]
        self._run(
            workflow,
            at,
            time=self._run_time * (1 - _CREATION),
            outcomes={part.name: part.outcome for part in recipe.jobs},
            artifacts={part.name: contents for part in recipe.jobs},
            suites={part.name: _suite(part) for part in recipe.jobs if "test" in part.name},
            output=recipe.output,
        )

    def _run(
        self,
        workflow: Workflow,
        at: datetime,
        *,
        time: timedelta,
        outcomes: Mapping[str, str],
        artifacts: Mapping[str, Sequence[tuple[str, Content, int]]],
        suites: Mapping[str, Sequence[JobTest]],
        output: Mapping[str, Printed],
    ) -> None:
        self._runs[workflow.id] = _Run(time / _stages(workflow.jobs), outcomes, artifacts, suites, output)
        self._advance(workflow, at)

    def _advance(self, workflow: Workflow, at: datetime) -> None:
        """Start the jobs whose required jobs have succeeded, then update the workflow's status."""
        run = self._runs.get(workflow.id)
        for job in workflow.jobs:
            if job.status == "blocked" and all(before.status == "success" for before in job.requires):
                if job.type == "approval":
                    job.status = "on_hold"
                elif run is not None:
                    job.enqueue(at)
                    self._at(at + run.job_time * _QUEUE, partial(self._start, job))
                    self._at(at + run.job_time, partial(self._finish, job))
        workflow.update_status(at)
        if workflow.pipeline.state == "setup":
            self._set_up(workflow.pipeline, at)

    def _start(self, job: Job, at: datetime) -> None:
        if job.status != "queued":
            return  # canceled in the meantime
        job.start(at)
        run = self._runs[job.workflow.id]
        time = run.job_time * (1 - _QUEUE)
        uploads = len(run.artifacts.get(job.name, ()))
        outcome = run.outcomes.get(job.name, "success")
        for step in plan_steps(job, outcome, run.output.get(job.name), uploads=uploads):
            self._at(at, partial(self._run_step, job, step, time * step.share), observable=False)
            at += time * step.share

    def _run_step(self, job: Job, planned: PlannedStep, time: timedelta, at: datetime) -> None:
        """Start a step on every node, and queue its output and its end."""
        if job.status != "running":
            return
        steps = [
            job.step(planned.name, status="running", node=node, command=planned.command)
            for node in range(job.parallelism)
        ]
        chunks = planned.chunks
        for number, chunk in enumerate(chunks, 1):
            when = at + time * number / (len(chunks) + 1)
            self._at(when, partial(self._print, steps, chunk), observable=False)
        if planned.status != "canceled":  # a canceled job ends during this step
            self._at(at + time, partial(self._end_steps, steps, planned), observable=False)

    def _print(self, steps: Sequence[Step], chunk: Sequence[tuple[Stream, str]], at: datetime) -> None:
        for step in steps:
            if step.status == "running":
                step.write(chunk, at)

    def _end_steps(self, steps: Sequence[Step], planned: PlannedStep, at: datetime) -> None:
        for step in steps:
            if step.status == "running":
                step.end(status=planned.status, exit_code=planned.exit_code, at=at)

    def _finish(self, job: Job, at: datetime) -> None:
        if job.status not in LIVE:
            return  # canceled in the meantime
        run = self._runs[job.workflow.id]
        job.end(run.outcomes.get(job.name, "success"), at)
        for path, content, node in run.artifacts.get(job.name, ()):
            job.attach(path, content, node=node)
        job.tests.extend(run.suites.get(job.name, ()))
        self._advance(job.workflow, at)

    def rerun(self, workflow: Workflow, *, jobs: Collection[Job], by: User) -> Workflow:
        """Run these jobs of a workflow again, in a new workflow of the same pipeline that keeps the other jobs.

        A rerun job ends with the status of the project's recipe, or succeeds, and uploads the same artifacts again.
        """
        at = self._world.clock()
        new = workflow.pipeline.workflow(
            workflow.name, status="running", created_at=at, started_by=by, tag=workflow.tag
        )
        copies: dict[str, Job] = {}
        for job in workflow.jobs:
            if job in jobs:
                requires = [copies.get(before.id, before) for before in job.requires]
                copies[job.id] = copy = new.add(
                    job.name,
                    approval=job.type == "approval",
                    parallelism=job.parallelism,
                    requires=requires,
                    at=at,
                )
                copy.executor, copy.resource_class, copy.contexts = job.executor, job.resource_class, job.contexts
            else:
                new.jobs.append(job)
                new.taken_over |= {job.id}
                job.workflow = new
        project = self._project(workflow.pipeline)
        recipe = project.recipes.get(workflow.name) if project else None
        self._run(
            new,
            at,
            time=self._run_time,
            outcomes={part.name: part.outcome for part in recipe.jobs} if recipe else {},
            artifacts={job.name: [(a.path, a.content, a.node) for a in job.artifacts] for job in workflow.jobs},
            suites={job.name: [evolve(t, result="success", message=None) for t in job.tests] for job in workflow.jobs},
            output=recipe.output if recipe else {},
        )
        return new

    def cancel_workflow(self, workflow: Workflow, *, by: User) -> None:
        """Cancel a workflow and its jobs."""
        at = self._world.clock()
        for job in workflow.jobs:
            if job.status in CANCELABLE:
                job.canceled_by = by
                job.end("canceled", at)
        workflow.canceled_by = by
        workflow.stopped_at = at
        workflow.status = "canceled"

    def cancel_job(self, job: Job, *, by: User) -> None:
        """Cancel a job. Jobs that require it never run."""
        at = self._world.clock()
        job.canceled_by = by
        job.end("canceled", at)
        self._advance(job.workflow, at)

    def approve(self, job: Job, *, by: User) -> None:
        """Approve a job, so that the jobs that require it start."""
        at = self._world.clock()
        job.approved_by = by
        job.start(at)
        job.end("success", at)
        workflow = job.workflow
        if workflow.id not in self._runs:  # not triggered by a call
            waiting = [each for each in workflow.jobs if each.status == "blocked"]
            self._runs[workflow.id] = _Run(self._run_time / _stages(waiting), {})
        self._advance(workflow, at)


def _stages(jobs: Sequence[Job]) -> int:
    """Return the number of build jobs on the longest path through these jobs."""
    depth: dict[str, int] = {}
    for job in jobs:
        before = max((depth.get(each.id, 0) for each in job.requires), default=0)
        depth[job.id] = before + (job.type == "build")
    return max(depth.values(), default=0) or 1


def _suite(part: RecipeJob) -> list[JobTest]:
    failed = part.outcome == "failed"
    first = JobTest(_TESTS[0], "failure" if failed else "success", message="assert 1 == 2" if failed else None)
    return [first, *(JobTest(name) for name in _TESTS[1:])]
