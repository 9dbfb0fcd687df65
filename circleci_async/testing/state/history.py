"""Fills a world with months of runs, made from a seed, which insights and usage exports summarize."""

import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from attrs import Factory, define, field, frozen

from .builds import Job, Pipeline, Workflow, ready_at
from .generate import BRANCHES, SUBJECTS, TESTS, junit
from .projects import Project
from .registry import User
from .results import JobTest, Utilization
from .script import record_steps

BUILD, DEPLOY, NIGHTLY = "build-and-test", "deploy", "nightly"
QUEUED_CLASS: Final = "large"
"""The resource class whose jobs wait for minutes at nine o'clock."""
SLOWER_JOB: Final = "build-image"
"""The job that the regression slows down."""

_E2E_TESTS = (
    ("test_sign_up", "e2e.test_account", "e2e/test_account.py"),
    ("test_checkout", "e2e.test_shop", "e2e/test_shop.py"),
    ("test_search", "e2e.test_shop", "e2e/test_shop.py"),
    ("test_report", "e2e.test_reports", "e2e/test_reports.py"),
)


@frozen
class JobPlan:
    """A job: its median duration in seconds, and what it runs on."""

    name: str
    seconds: float
    resource_class: str
    executor: str = "docker"
    parallelism: int = 1
    requires: tuple[str, ...] = ()
    cpu: Utilization = (45.0, 75.0)
    ram: Utilization = (40.0, 65.0)
    fragility: int = 0
    """Weight with which it is the job that fails in a failed run."""
    fragility_after: int | None = None
    """The same after the regression; None for the same weight."""
    tests: tuple[tuple[str, str, str | None], ...] = ()
    test_seconds: float = 0.4
    flaky: tuple[str, ...] = ()
    """Names of flaky tests; a name that is repeated flakes more often."""


@frozen
class WorkflowPlan:
    """A workflow: its jobs in the order of their requirements, and the fractions of its runs that do not succeed."""

    name: str
    jobs: tuple[JobPlan, ...]
    failed: float
    canceled: float = 0.0
    error: float = 0.0


WORKFLOWS: Final = {
    plan.name: plan
    for plan in (
        WorkflowPlan(
            BUILD,
            (
                JobPlan("lint", 40, "small", fragility=15),
                JobPlan(
                    "unit-tests",
                    190,
                    "medium",
                    parallelism=4,
                    cpu=(68.0, 94.0),
                    ram=(52.0, 71.0),
                    fragility=50,
                    tests=TESTS,
                    flaky=("test_upload", "test_upload", "test_upload", "test_expired_session"),
                ),
                JobPlan(
                    "integration-tests",
                    280,
                    QUEUED_CLASS,
                    executor="machine",
                    requires=("lint",),
                    cpu=(16.0, 36.0),
                    ram=(14.0, 29.0),
                    fragility=35,
                    fragility_after=150,
                    tests=TESTS,
                    test_seconds=6.0,
                    flaky=("test_create", "test_create", "test_download"),
                ),
                JobPlan("package", 90, "medium+", requires=("unit-tests", "integration-tests")),
            ),
            failed=0.08,
            canceled=0.03,
            error=0.006,
        ),
        WorkflowPlan(
            DEPLOY,
            (
                JobPlan(SLOWER_JOB, 240, "medium", cpu=(74.0, 97.0), ram=(80.0, 96.0), fragility=1),
                JobPlan("deploy-staging", 60, "small", requires=(SLOWER_JOB,), fragility=1),
                JobPlan("smoke-tests", 90, "medium", requires=("deploy-staging",), fragility=2),
                JobPlan("deploy-production", 70, "small", requires=("smoke-tests",)),
            ),
            failed=0.03,
        ),
        WorkflowPlan(
            NIGHTLY,
            (
                JobPlan(
                    "e2e",
                    1500,
                    "xlarge",
                    parallelism=2,
                    cpu=(82.0, 98.0),
                    ram=(85.0, 97.0),
                    fragility=4,
                    tests=_E2E_TESTS,
                    test_seconds=60.0,
                    flaky=("test_checkout",),
                ),
                JobPlan("dependency-scan", 150, "small", fragility=1),
                JobPlan("load-test", 600, QUEUED_CLASS, executor="machine", cpu=(12.0, 31.0), ram=(22.0, 41.0)),
            ),
            failed=0.08,
        ),
    )
}


_DAY = timedelta(days=1)
_WEEK = (1.0, 1.15, 1.2, 1.1, 0.9, 0.1, 0.06)  # how busy the days are, from Monday
_WORKDAY = dict(zip(range(7, 20), (2, 6, 14, 11, 9, 5, 6, 10, 11, 8, 6, 3, 1), strict=True))  # by hour
_BRANCHES = ("main",) * 7 + BRANCHES + ("fix-timeout", "feature/export", "refactor-auth", "bump-python")
_AGE = timedelta(hours=4)  # of the newest pipeline: all of its jobs have ended
_RERUN = (timedelta(minutes=10), timedelta(minutes=40))
_RUNS_PER_PUSH = 1.45  # a pipeline that a push triggers has reruns and deployments
_NIGHTLY_SHARE = 0.12
_TAG_INTERVAL = timedelta(days=14)
_FLAKY_SHARE, _DEPLOYED_SHARE, _RERUN_SHARE = 0.45, 0.9, 0.2
_SKIPPED = {"failed": "blocked", "canceled": "not_run"}  # the status of jobs that did not start
_MAX_REGRESSION = 30  # days


@frozen(kw_only=True)
class Regression:
    """What became worse in a world of `World.history`: one workflow fails more often, and another has a slower job."""

    started_at: datetime
    failing_project: str
    """Slug of the project with the failing workflow."""
    failing_workflow: str
    failing_job: str
    """The job that fails most of the added failures."""
    failure_rate_before: float
    failure_rate_after: float
    slower_project: str
    slower_workflow: str
    slower_job: str
    slowdown: float
    """The factor of the job's duration."""

    def raises_failures_of(self, project: Project, workflow: str, at: datetime) -> bool:
        """Return whether runs of a workflow that start at this time fail more often."""
        return at >= self.started_at and (project.slug, workflow) == (self.failing_project, self.failing_workflow)

    def slows_down(self, run: Workflow, job: str) -> bool:
        """Return whether a job of a run takes longer."""
        slower = (self.slower_project, self.slower_workflow, self.slower_job)
        return run.created_at >= self.started_at and (run.project.slug, run.name, job) == slower


def populate_history(
    projects: Sequence[Project], people: Sequence[User], days: int, runs: int, now: datetime, *, regression: bool
) -> Regression | None:
    """Add pipelines to projects; see `World.history`."""
    if not projects:
        return None
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    planned = _regression(projects, today - _DAY * min(_MAX_REGRESSION, days // 3)) if regression else None
    weights = [1 / math.sqrt(place + 1) for place in range(len(projects))]  # the first projects are the busiest
    histories = [
        _History(project.world.random, project, people, today - _DAY * (days - 1), now - _AGE, planned)
        for project in projects
    ]
    events = [
        (at, place, kind)
        for place, (history, weight) in enumerate(zip(histories, weights, strict=True))
        for at, kind in history.events(days, runs * weight / sum(weights))
    ]
    for at, place, kind in sorted(events):
        histories[place].pipeline(at, kind)
    for history in histories:
        history.finish()
    projects[0].organization.usage.rows_per_part = 5_000
    return planned


def _regression(projects: Sequence[Project], started_at: datetime) -> Regression:
    return Regression(
        started_at=started_at,
        failing_project=projects[0].slug,
        failing_workflow=BUILD,
        failing_job="integration-tests",
        failure_rate_before=WORKFLOWS[BUILD].failed,
        failure_rate_after=0.3,
        slower_project=projects[min(1, len(projects) - 1)].slug,
        slower_workflow=DEPLOY,
        slower_job=SLOWER_JOB,
        slowdown=1.6,
    )


@frozen
class _Failure:
    """Why a run fails: this test of this job, or the job itself."""

    job: str
    test: str | None = None
    flaky: bool = False


@define
class _History:
    """Creates the pipelines of a project."""

    random: Random
    project: Project
    people: Sequence[User]
    first_day: datetime
    last: datetime
    regression: Regression | None
    scale: float = field(default=Factory(lambda self: self.random.uniform(0.8, 1.3), takes_self=True), init=False)
    """How long the jobs of this project take, relative to the plan."""
    _accumulated: defaultdict[tuple[str, ...], float] = field(
        default=Factory(lambda self: defaultdict(self.random.random), takes_self=True), init=False
    )
    _newest: Workflow | None = field(default=None, init=False)
    _tags: int = field(default=0, init=False)

    def events(self, days: int, runs: float) -> list[tuple[datetime, str]]:
        """Return the times and kinds of events in these days that create about this number of runs, in any order."""
        if runs < 1:
            return []
        interval = max(1, round(days / (runs * _NIGHTLY_SHARE)))
        phase = self.random.randrange(interval)
        nights = [
            self.first_day + _DAY * day + timedelta(hours=2, seconds=self.random.uniform(0, 600))
            for day in range(phase, days, interval)
        ]
        tags = [self.first_day + _TAG_INTERVAL * n + timedelta(hours=15) for n in range(1, days // _TAG_INTERVAL.days)]
        tags = tags[: int(runs / 50)]
        pushes = self._pushes(days, (runs - len(nights) - len(tags)) / _RUNS_PER_PUSH)
        kinds = ((nights, "night"), (tags, "tag"), (pushes, "push"))
        return [(at, kind) for times, kind in kinds for at in times if at <= self.last]

    def _pushes(self, days: int, number: float) -> list[datetime]:
        """Spread pushes over the days and the hours of work."""
        dates = [self.first_day + _DAY * day for day in range(days)]
        weights = [_WEEK[date.weekday()] * self.random.uniform(0.75, 1.25) for date in dates]
        hours, busy = list(_WORKDAY), list(_WORKDAY.values())
        pushes: list[datetime] = []
        remainder = 0.5
        for date, weight in zip(dates, weights, strict=True):
            remainder += number * weight / sum(weights)
            pushes += [
                date + timedelta(hours=hour, seconds=round(self.random.uniform(0, 3600), 3))
                for hour in self.random.choices(hours, busy, k=max(0, int(remainder)))
            ]
            remainder %= 1
        return pushes

    def pipeline(self, at: datetime, kind: str) -> None:
        """Create the pipeline of an event."""
        if kind == "night":
            bot = self.people[-1]
            pipeline = self.project.pipeline(
                created_at=at, actor=bot, trigger_type="scheduled_pipeline", subject="Scheduled run"
            )
            self._attempts(pipeline, WORKFLOWS[NIGHTLY], at)
        elif kind == "tag":
            self._tags += 1
            name = f"v1.{self._tags}.0"
            pipeline = self.project.pipeline(tag=name, created_at=at, actor=self.people[1], subject=f"Release {name}")
            self._attempts(pipeline, WORKFLOWS[DEPLOY], at)
        else:
            pipeline = self.project.pipeline(
                branch=self.random.choice(_BRANCHES),
                created_at=at,
                actor=self.random.choice(self.people),
                subject=self.random.choice(SUBJECTS),
            )
            build = self._attempts(pipeline, WORKFLOWS[BUILD], at)
            self._newest = build if build.jobs else self._newest
            deployable = pipeline.branch == self.project.default_branch and build.status == "success"
            if deployable and build.stopped_at and self.random.random() < _DEPLOYED_SHARE:
                self._attempts(pipeline, WORKFLOWS[DEPLOY], build.stopped_at + timedelta(seconds=5))

    def finish(self) -> None:
        """Add steps and an artifact to the jobs of the newest build."""
        for job in self._newest.jobs if self._newest else ():
            if job.stopped_at is not None:
                record_steps(job, job.status)
            if job.tests:
                job.artifact("reports/junit.xml", junit(job))

    def _attempts(self, pipeline: Pipeline, plan: WorkflowPlan, at: datetime) -> Workflow:
        """Run a workflow, and a second time after a flaky test or, sometimes, another failure. Return the last run."""
        status, failure = self._outcome(plan, pipeline)
        run = self._run(pipeline, plan, at, status, failure)
        if failure is None or not (failure.flaky or self.random.random() < _RERUN_SHARE):
            return run
        shortest, longest = _RERUN
        again = (run.stopped_at or at) + self.random.uniform(0, 1) * (longest - shortest) + shortest
        return self._run(
            pipeline, plan, again, "success" if failure.flaky else "failed", None if failure.flaky else failure
        )

    def _outcome(self, plan: WorkflowPlan, pipeline: Pipeline) -> tuple[str, _Failure | None]:
        worse = self.regression
        if worse and not worse.raises_failures_of(self.project, plan.name, pipeline.created_at):
            worse = None
        rate = worse.failure_rate_after if worse else plan.failed
        main = str(pipeline.branch == self.project.default_branch)
        if self._is_due(rate, plan.name, "failed", main):
            return "failed", self._failure(plan, worse is not None)
        for status, share in (("canceled", plan.canceled), ("error", plan.error)):
            if share and self._is_due(share, plan.name, status):
                return status, None
        return "success", None

    def _is_due(self, share: float, *what: str) -> bool:
        """Return whether an event occurs this time: in nearly this share of any series, at irregular intervals."""
        self._accumulated[what] += share * self.random.uniform(0.1, 1.9)
        is_due = self._accumulated[what] >= 1
        self._accumulated[what] -= is_due
        return is_due

    def _failure(self, plan: WorkflowPlan, worse: bool) -> _Failure:
        weights = [
            job.fragility_after if worse and job.fragility_after is not None else job.fragility for job in plan.jobs
        ]
        [job] = self.random.choices(plan.jobs, weights)
        if not job.tests:
            return _Failure(job.name)
        if self.random.random() < _FLAKY_SHARE:
            return _Failure(job.name, self.random.choice(job.flaky), flaky=True)
        return _Failure(job.name, self.random.choice([name for name, *_ in job.tests if name not in job.flaky]))

    def _run(
        self, pipeline: Pipeline, plan: WorkflowPlan, at: datetime, status: str, failure: _Failure | None
    ) -> Workflow:
        workflow = pipeline.workflow(plan.name, status=status, created_at=at)
        jobs: dict[str, Job] = {}
        stop = self.random.randrange(len(plan.jobs)) if status == "canceled" else None
        for place, job in enumerate(plan.jobs if status != "error" else ()):
            requires = [jobs[name] for name in job.requires]
            ended = "canceled" if place == stop else "failed" if failure and failure.job == job.name else "success"
            if any(each.status != "success" for each in requires) or (stop is not None and place > stop):
                ended = _SKIPPED[status]
            jobs[job.name] = self._job(workflow, job, ended, requires, failure)
        return workflow

    def _job(
        self, workflow: Workflow, plan: JobPlan, status: str, requires: Sequence[Job], failure: _Failure | None
    ) -> Job:
        random = self.random
        seconds = plan.seconds * self.scale * random.lognormvariate(0, 0.16)
        if (worse := self.regression) and worse.slows_down(workflow, plan.name):
            seconds *= worse.slowdown
        if status in ("failed", "canceled"):
            seconds *= random.uniform(0.4, 0.95)
        job = workflow.job(
            plan.name,
            status=status,
            parallelism=plan.parallelism,
            duration=round(seconds, 3),
            requires=requires,
            executor=plan.executor,
            resource_class=plan.resource_class,
            queue_time=self._queue_time(plan.resource_class, ready_at(requires, workflow.created_at)),
            cpu=self._varied(plan.cpu),
            ram=self._varied(plan.ram),
        )
        if status in ("success", "failed"):
            job.tests += [
                self._test(plan, *test, failed=status == "failed" and failure is not None and failure.test == test[0])
                for test in plan.tests
            ]
        return job

    def _queue_time(self, resource_class: str, at: datetime) -> float:
        if resource_class == QUEUED_CLASS and at.weekday() < 5 and at.hour == 9:
            return round(self.random.lognormvariate(math.log(300), 0.4), 3)
        return round(self.random.uniform(1, 6), 3)

    def _varied(self, use: Utilization) -> Utilization:
        factor = self.random.uniform(0.9, 1.1)
        return round(min(100.0, use[0] * factor), 2), round(min(100.0, use[1] * factor), 2)

    def _test(self, plan: JobPlan, name: str, classname: str, file: str | None, *, failed: bool) -> JobTest:
        seconds = plan.test_seconds * self.random.lognormvariate(0, 0.3) * (3 if failed else 1)
        message = "AssertionError: 401 != 200" if failed else None
        return JobTest(name, "failure" if failed else "success", round(seconds, 3), classname, file, message)
