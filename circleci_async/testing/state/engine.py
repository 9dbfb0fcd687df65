"""How time changes the world: what was triggered, rerun or approved goes on, and comes to its end.

Nothing runs in the background, unless a webhook is to be told of it. What is to happen stands in a queue with its time,
and `settle`, called before anything is read, makes happen whatever is due: the records then say what they would say had
time passed evenly.
"""

import heapq
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import count

from attrs import define, evolve, field

from .accounts import User
from .builds import Pipeline, Workflow
from .content import Content
from .jobs import LIVE, UNENDED, Job, JobTest
from .output import Stream
from .projects import Project
from .recipes import Recipe, RecipeJob, as_yaml
from .script import Act, script
from .steps import Printed, Step
from .world import World

_CREATION = 0.1  # the part of a run that passes before the workflows are there
_QUEUE = 0.1  # the part of a job's time that it waits in the queue
_TESTS = ("test_login", "test_logout", "test_a_long_name", "test_nothing", "test_everything")


@define(eq=False)
class _Run:
    """How a workflow that goes on does so: the time of each job, how it ends, what it leaves and what it prints."""

    job_time: timedelta
    outcomes: Mapping[str, str]
    products: Mapping[str, Sequence[tuple[str, Content, int]]] = field(
        factory=dict[str, "Sequence[tuple[str, Content, int]]"]
    )
    suites: Mapping[str, Sequence[JobTest]] = field(factory=dict[str, "Sequence[JobTest]"])
    output: Mapping[str, Printed] = field(factory=dict[str, Printed])


class Engine:
    """Drives a world; a run takes `run_time` seconds from its trigger to its end, waiting for approvals apart."""

    def __init__(self, world: World, run_time: float) -> None:
        self._world = world
        self._run_time = timedelta(seconds=run_time)
        self._due: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self._notable: list[datetime] = []
        self._order = count()
        self._runs: dict[str, _Run] = {}
        self._continued: set[str] = set()

    def settle(self) -> None:
        """Make happen what is due by now."""
        if self._due:
            now = self._world.clock()
            while self._due and self._due[0][0] <= now:
                at, _, action = heapq.heappop(self._due)
                action(at)
            while self._notable and self._notable[0] <= now:
                heapq.heappop(self._notable)

    @property
    def next_notable(self) -> datetime | None:
        """When something is to happen next of which a webhook may be told; None if nothing is to happen by itself."""
        return self._notable[0] if self._notable else None

    def _at(self, when: datetime, action: Callable[[datetime], None], *, notable: bool = True) -> None:
        heapq.heappush(self._due, (when, next(self._order), action))
        if notable:
            heapq.heappush(self._notable, when)
            for wake in self._world.deliverers:
                wake()

    def trigger(
        self,
        project: Project,
        *,
        branch: str | None,
        tag: str | None,
        parameters: Mapping[str, str | int | bool],
        actor: User,
    ) -> Pipeline:
        """Make a pipeline, in state `pending` or `setup-pending` at first."""
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
        """Go on with a pipeline that waits for the rest of its configuration."""
        pipeline.state = "pending"
        self._world.continuations.pop(pipeline.continuation_key, None)
        pipeline.config = config
        pipeline.parameters = {**pipeline.parameters, **parameters}
        self._begin(pipeline, self._world.clock())

    def _set_up(self, pipeline: Pipeline, at: datetime) -> None:
        """Go on with a pipeline whose setup has succeeded, if its project knows how."""
        newest = {workflow.name: workflow.status for workflow in pipeline.workflows if workflow.tag == "setup"}
        told = any(not recipe.setup for recipe in pipeline.project.recipes.values())
        if told and pipeline.id not in self._continued and set(newest.values()) == {"success"}:
            self._continued.add(pipeline.id)
            self._at(at + self._run_time * _CREATION, partial(self._continue, pipeline))

    def _continue(self, pipeline: Pipeline, at: datetime) -> None:
        if pipeline.state == "setup":  # nobody else did in the meantime
            self._world.continuations.pop(pipeline.continuation_key, None)
            pipeline.config = as_yaml(pipeline.project.recipe)
            self._create(pipeline, at)

    def _begin(self, pipeline: Pipeline, now: datetime) -> None:
        self._at(now + self._run_time * _CREATION, partial(self._create, pipeline))

    def _create(self, pipeline: Pipeline, at: datetime) -> None:
        if pipeline.id not in self._world.pipelines_by_id:
            return  # deleted in the meantime, with its project
        pipeline.updated_at = at
        project = pipeline.project
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
        made: dict[str, Job] = {}
        for part in recipe.jobs:
            requires = [made[name] for name in part.requires]
            made[part.name] = workflow.add(part.name, approval=part.approval, parallelism=1, requires=requires, at=at)
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
            products={part.name: contents for part in recipe.jobs},
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
        products: Mapping[str, Sequence[tuple[str, Content, int]]],
        suites: Mapping[str, Sequence[JobTest]],
        output: Mapping[str, Printed],
    ) -> None:
        self._runs[workflow.id] = _Run(time / _stages(workflow.jobs), outcomes, products, suites, output)
        self._advance(workflow, at)

    def _advance(self, workflow: Workflow, at: datetime) -> None:
        """Let go whatever waits for nothing any more, then work out the workflow's status."""
        run = self._runs.get(workflow.id)
        for job in workflow.jobs:
            if job.status == "blocked" and all(before.status == "success" for before in job.requires):
                if job.type == "approval":
                    job.status = "on_hold"
                elif run is not None:
                    job.enqueue(at)
                    self._at(at + run.job_time * _QUEUE, partial(self._start, job))
                    self._at(at + run.job_time, partial(self._finish, job))
        workflow.settle(at)
        if workflow.pipeline.state == "setup":
            self._set_up(workflow.pipeline, at)

    def _start(self, job: Job, at: datetime) -> None:
        if job.status != "queued":
            return  # canceled in the meantime
        job.start(at)
        run = self._runs[job.workflow.id]
        time = run.job_time * (1 - _QUEUE)
        uploads = len(run.products.get(job.name, ()))
        outcome = run.outcomes.get(job.name, "success")
        for act in script(job, outcome, run.output.get(job.name), uploads=uploads):
            self._at(at, partial(self._act, job, act, time * act.share), notable=False)
            at += time * act.share

    def _act(self, job: Job, act: Act, time: timedelta, at: datetime) -> None:
        """Begin a step on every node; let it print one portion after the other, and end."""
        if job.status != "running":
            return
        steps = [
            job.step(act.name, status="running", node=node, command=act.command) for node in range(job.parallelism)
        ]
        portions = act.portions
        for number, portion in enumerate(portions, 1):
            when = at + time * number / (len(portions) + 1)
            self._at(when, partial(self._print, steps, portion), notable=False)
        if act.status != "canceled":  # such a job ends in the middle of it
            self._at(at + time, partial(self._end_steps, steps, act), notable=False)

    def _print(self, steps: Sequence[Step], portion: Sequence[tuple[Stream, str]], at: datetime) -> None:
        for step in steps:
            if step.status == "running":
                step.write(portion, at)

    def _end_steps(self, steps: Sequence[Step], act: Act, at: datetime) -> None:
        for step in steps:
            if step.status == "running":
                step.end(status=act.status, exit_code=act.exit_code, at=at)

    def _finish(self, job: Job, at: datetime) -> None:
        if job.status not in LIVE:
            return  # canceled in the meantime
        run = self._runs[job.workflow.id]
        job.end(run.outcomes.get(job.name, "success"), at)
        for path, content, node in run.products.get(job.name, ()):
            job.attach(path, content, node=node)
        job.tests.extend(run.suites.get(job.name, ()))
        self._advance(job.workflow, at)

    def rerun(self, workflow: Workflow, *, again: Collection[Job], by: User) -> Workflow:
        """Run these jobs of a workflow again, in a new workflow of the same pipeline that keeps the others as they are.

        A job that runs again ends as the project's recipe says, or with success; it leaves what it left before.
        """
        at = self._world.clock()
        new = workflow.pipeline.workflow(
            workflow.name, status="running", created_at=at, started_by=by, tag=workflow.tag
        )
        renewed: dict[str, Job] = {}
        for job in workflow.jobs:
            if job in again:
                requires = [renewed.get(before.id, before) for before in job.requires]
                renewed[job.id] = copy = new.add(
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
        recipe = workflow.pipeline.project.recipes.get(workflow.name)
        self._run(
            new,
            at,
            time=self._run_time,
            outcomes={part.name: part.outcome for part in recipe.jobs} if recipe else {},
            products={job.name: [(a.path, a.content, a.node) for a in job.artifacts] for job in workflow.jobs},
            suites={job.name: [evolve(t, result="success", message=None) for t in job.tests] for job in workflow.jobs},
            output=recipe.output if recipe else {},
        )
        return new

    def cancel_workflow(self, workflow: Workflow, *, by: User) -> None:
        """End a workflow before its time, and whatever of it has not ended."""
        at = self._world.clock()
        for job in workflow.jobs:
            if job.status in UNENDED:
                job.canceled_by = by
                job.end("canceled", at)
        workflow.canceled_by = by
        workflow.stopped_at = at
        workflow.status = "canceled"

    def cancel_job(self, job: Job, *, by: User) -> None:
        """End a job before its time; what waits for it will never run."""
        at = self._world.clock()
        job.canceled_by = by
        job.end("canceled", at)
        self._advance(job.workflow, at)

    def approve(self, job: Job, *, by: User) -> None:
        """Let the jobs go on that wait for this approval."""
        at = self._world.clock()
        job.approved_by = by
        job.start(at)
        job.end("success", at)
        workflow = job.workflow
        if workflow.id not in self._runs:  # made by hand
            waiting = [each for each in workflow.jobs if each.status == "blocked"]
            self._runs[workflow.id] = _Run(self._run_time / _stages(waiting), {})
        self._advance(workflow, at)


def _stages(jobs: Sequence[Job]) -> int:
    """Count the build jobs that run one after another on the longest way through these jobs."""
    depth: dict[str, int] = {}
    for job in jobs:
        before = max((depth.get(each.id, 0) for each in job.requires), default=0)
        depth[job.id] = before + (job.type == "build")
    return max(depth.values(), default=0) or 1


def _suite(part: RecipeJob) -> list[JobTest]:
    failed = part.outcome == "failed"
    first = JobTest(_TESTS[0], "failure" if failed else "success", message="assert 1 == 2" if failed else None)
    return [first, *(JobTest(name) for name in _TESTS[1:])]
