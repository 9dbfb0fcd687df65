"""Fills a world with a realistic build history, made from a seed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from attrs import define

from .builds import Job, Pipeline, Workflow
from .projects import Project
from .registry import User
from .results import JobTest
from .script import record_steps

PROJECT_NAMES = ("api", "web", "mobile", "billing", "search", "docs", "infra", "reports")
BRANCHES = ("fix-login", "feature/dark-mode", "renovate/deps", "spike")
SUBJECTS = ("Fix the login", "Add dark mode", "Update dependencies", "Try something", "Tidy up", "Écrire les tests")
TESTS = (
    ("test_login", "tests.test_auth", "tests/test_auth.py"),
    ("test_logout", "tests.test_auth", "tests/test_auth.py"),
    ("test_expired_session", "tests.test_auth", "tests/test_auth.py"),
    ("test_list", "tests.test_orders", "tests/test_orders.py"),
    ("test_create", "tests.test_orders", "tests/test_orders.py"),
    ("test_cancel", "tests.test_orders", "tests/test_orders.py"),
    ("test_upload", "tests.test_files", None),
    ("test_download", "tests.test_files", None),
)
FLAKY = "test_upload"
_FILES = (
    "coverage/html/index.html",
    "coverage/coverage.xml",
    "logs/server.log",
    "logs/Server.log",
    "screenshots/sign in page.png",
    "screenshots/größe.png",
    "dist/app-1.0%2Bbuild.tar.gz",
    "traces/trace.json",
)
_SPAN = timedelta(days=60)
_MAX_GAP = timedelta(hours=9)
_AGE = timedelta(minutes=90)  # of the newest pipeline: all jobs that wait for no approval have ended


def populate(
    projects: Sequence[Project],
    people: Sequence[User],
    pipelines: int,
    artifacts: int,
    artifact_sizes: tuple[int, int],
    now: datetime,
) -> None:
    """Add pipelines to projects; see `World.generate`."""
    gap = min(_MAX_GAP, _SPAN / max(1, pipelines))
    for age in range(pipelines, 0, -1):
        for place, project in enumerate(projects):
            at = now - _AGE - gap * (age - (place + 1) / len(projects))
            history = _History(project.world.random, project, people, artifact_sizes)
            history.pipeline(at, artifacts if age == 1 else None)


@define
class _History:
    """Creates the pipelines of a project."""

    random: Random
    project: Project
    people: Sequence[User]
    sizes: tuple[int, int]

    def pipeline(self, at: datetime, artifacts: int | None) -> None:
        """Create a pipeline. With a number of `artifacts`, it succeeds on the default branch."""
        random, newest = self.random, artifacts is not None
        branch = "main" if newest or random.random() < 0.6 else random.choice(BRANCHES)
        actor = random.choice(self.people)
        kind = "api" if random.random() < 0.2 else "webhook"
        pipeline = self.project.pipeline(
            branch=branch,
            created_at=at,
            actor=actor,
            trigger_type=kind,
            subject=random.choice(SUBJECTS),
            errors=[("config", "Job test_all is not defined.")] if not newest and random.random() < 0.03 else (),
        )
        if pipeline.errors:
            return
        outcome = "success" if newest else random.choices(("success", "failed", "canceled"), (75, 18, 7))[0]
        build = self._build(pipeline, at, outcome, artifacts)
        if outcome == "failed" and random.random() < 0.6:
            build = self._build(pipeline, at + timedelta(minutes=20), "success", None)
        if branch == "main" and build.status == "success" and build.stopped_at is not None:
            self._deploy(pipeline, build.stopped_at, waits=newest)

    def _build(self, pipeline: Pipeline, at: datetime, outcome: str, artifacts: int | None) -> Workflow:
        workflow = pipeline.workflow("build-and-test", status=outcome, created_at=at)
        lint = self._job(workflow, "lint", 40)
        unit = self._job(workflow, "unit-tests", 190, status=outcome, parallelism=4)
        later = "success" if outcome == "success" else "canceled" if outcome == "canceled" else "blocked"
        integration = self._job(workflow, "integration-tests", 260, status=later, requires=(lint,))
        package = self._job(workflow, "package", 90, status=later, requires=(unit, integration))
        self._tests(unit, failing=outcome == "failed")
        if later == "success":
            self._tests(integration, failing=False)
        self._artifacts(unit, package, artifacts)
        return workflow

    def _deploy(self, pipeline: Pipeline, at: datetime, *, waits: bool) -> None:
        workflow = pipeline.workflow("deploy", status="on_hold" if waits else "success", created_at=at)
        staging = self._job(workflow, "deploy-staging", 60)
        hold = workflow.job("hold", approval=True, duration=600, requires=(staging,))
        if not waits:
            hold.approved_by = self.random.choice(self.people)
        self._job(workflow, "deploy-production", 80, status="blocked" if waits else "success", requires=(hold,))

    def _job(
        self,
        workflow: Workflow,
        name: str,
        seconds: float,
        *,
        status: str = "success",
        parallelism: int = 1,
        requires: Sequence[Job] = (),
    ) -> Job:
        duration = round(seconds * self.random.lognormvariate(0, 0.2), 3)
        job = workflow.job(name, status=status, parallelism=parallelism, duration=duration, requires=requires)
        if job.stopped_at is not None:
            record_steps(job, status)
        return job

    def _tests(self, job: Job, *, failing: bool) -> None:
        for name, classname, file in TESTS:
            failed = failing and (name == FLAKY or self.random.random() < 0.1)
            job.tests.append(
                JobTest(
                    name,
                    result="failure" if failed else "skipped" if name == "test_cancel" else "success",
                    run_time=round(self.random.lognormvariate(-1, 0.8), 3),
                    classname=classname,
                    file=file,
                    message="AssertionError: 401 != 200" if failed else None,
                )
            )

    def _artifacts(self, unit: Job, package: Job, number: int | None) -> None:
        """Add a report and other files, `number` in all; every fifth file belongs to the last job."""
        count = self.random.randrange(4) if number is None else number
        if count:
            unit.artifact("reports/junit.xml", junit(unit))
        round_size = len(_FILES) * unit.parallelism
        for index in range(count - 1):
            number_of_round, place = divmod(index, round_size)
            name = _FILES[index % len(_FILES)]
            job, node = (package, 0) if index % 5 == 4 else (unit, place // len(_FILES))
            job.artifact(f"part-{number_of_round}/{name}" if number_of_round else name, size=self._size(), node=node)

    def _size(self) -> int:
        low, high = self.sizes
        return round(low * (high / low) ** self.random.random()) if low else self.random.randint(0, high)


def junit(job: Job) -> bytes:
    """Return a JUnit report of the tests of a job."""
    lines = [f'<testsuite name="{job.name}" tests="{len(job.tests)}">']
    for test in job.tests:
        inside = f"<failure>{test.message}</failure>" if test.message else ""
        lines.append(f'  <testcase classname="{test.classname}" name="{test.name}">{inside}</testcase>')
    return "\n".join([*lines, "</testsuite>", ""]).encode()
