"""A plausible world, made from a seed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from attrs import define

from .accounts import User
from .builds import Pipeline, Workflow
from .jobs import Job, JobTest
from .projects import Project
from .script import play
from .world import World

_PROJECTS = ("api", "web", "mobile", "billing", "search", "docs", "infra", "reports")
_BRANCHES = ("fix-login", "feature/dark-mode", "renovate/deps", "spike")
_SUBJECTS = ("Fix the login", "Add dark mode", "Update dependencies", "Try something", "Tidy up", "Écrire les tests")
_TESTS = (
    ("test_login", "tests.test_auth", "tests/test_auth.py"),
    ("test_logout", "tests.test_auth", "tests/test_auth.py"),
    ("test_expired_session", "tests.test_auth", "tests/test_auth.py"),
    ("test_list", "tests.test_orders", "tests/test_orders.py"),
    ("test_create", "tests.test_orders", "tests/test_orders.py"),
    ("test_cancel", "tests.test_orders", "tests/test_orders.py"),
    ("test_upload", "tests.test_files", None),
    ("test_download", "tests.test_files", None),
)
_FLAKY = "test_upload"
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
_LONGEST_GAP = timedelta(hours=9)
_AGE = timedelta(minutes=90)  # of the newest pipeline: by now, all that does not wait has ended


def populate(
    world: World, projects: int, pipelines: int, artifacts: int, artifact_sizes: tuple[int, int], now: datetime
) -> None:
    """Fill a world; see `World.generate`."""
    people = [world.me, world.user("ada", name="Ada"), world.user("grace", name="Grace"), world.user("release-bot")]
    places = [world.project(f"gh/acme/{_name(index)}") for index in range(projects)]
    gap = min(_LONGEST_GAP, _SPAN / max(1, pipelines))
    for age in range(pipelines, 0, -1):
        for place, project in enumerate(places):
            at = now - _AGE - gap * (age - (place + 1) / projects)
            _History(world.random, project, people, artifact_sizes).pipeline(at, artifacts if age == 1 else None)


def _name(index: int) -> str:
    return _PROJECTS[index] if index < len(_PROJECTS) else f"service-{index}"


@define
class _History:
    """Makes one pipeline of a project after the other."""

    random: Random
    project: Project
    people: Sequence[User]
    sizes: tuple[int, int]

    def pipeline(self, at: datetime, artifacts: int | None) -> None:
        """Make a pipeline; with a number of `artifacts` it is one that succeeds on the default branch."""
        random, newest = self.random, artifacts is not None
        branch = "main" if newest or random.random() < 0.6 else random.choice(_BRANCHES)
        actor = random.choice(self.people)
        kind = "api" if random.random() < 0.2 else "webhook"
        pipeline = self.project.pipeline(
            branch=branch,
            created_at=at,
            actor=actor,
            trigger_type=kind,
            subject=random.choice(_SUBJECTS),
            errors=[("config", "Job test_all is not defined.")] if not newest and random.random() < 0.03 else (),
        )
        if pipeline.errors:
            return
        fate = "success" if newest else random.choices(("success", "failed", "canceled"), (75, 18, 7))[0]
        build = self._build(pipeline, at, fate, artifacts)
        if fate == "failed" and random.random() < 0.6:
            build = self._build(pipeline, at + timedelta(minutes=20), "success", None)
        if branch == "main" and build.status == "success" and build.stopped_at is not None:
            self._deploy(pipeline, build.stopped_at, waits=newest)

    def _build(self, pipeline: Pipeline, at: datetime, fate: str, artifacts: int | None) -> Workflow:
        workflow = pipeline.workflow("build-and-test", status=fate, created_at=at)
        lint = self._job(workflow, "lint", 40)
        unit = self._job(workflow, "unit-tests", 190, status=fate, parallelism=4)
        later = "success" if fate == "success" else "canceled" if fate == "canceled" else "blocked"
        integration = self._job(workflow, "integration-tests", 260, status=later, requires=(lint,))
        package = self._job(workflow, "package", 90, status=later, requires=(unit, integration))
        self._tests(unit, failing=fate == "failed")
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
            play(job, status)
        return job

    def _tests(self, job: Job, *, failing: bool) -> None:
        for name, classname, file in _TESTS:
            bad = failing and (name == _FLAKY or self.random.random() < 0.1)
            job.tests.append(
                JobTest(
                    name,
                    result="failure" if bad else "skipped" if name == "test_cancel" else "success",
                    run_time=round(self.random.lognormvariate(-1, 0.8), 3),
                    classname=classname,
                    file=file,
                    message="AssertionError: 401 != 200" if bad else None,
                )
            )

    def _artifacts(self, unit: Job, package: Job, number: int | None) -> None:
        """Leave a report, and files up to the number wanted; every fifth belongs to the last job."""
        wanted = self.random.randrange(4) if number is None else number
        if wanted:
            unit.artifact("reports/junit.xml", _junit(unit))
        turns = len(_FILES) * unit.parallelism
        for index in range(wanted - 1):
            turn, place = divmod(index, turns)
            name = _FILES[index % len(_FILES)]
            job, node = (package, 0) if index % 5 == 4 else (unit, place // len(_FILES))
            job.artifact(f"part-{turn}/{name}" if turn else name, size=self._size(), node=node)

    def _size(self) -> int:
        least, most = self.sizes
        return round(least * (most / least) ** self.random.random()) if least else self.random.randint(0, most)


def _junit(job: Job) -> bytes:
    lines = [f'<testsuite name="{job.name}" tests="{len(job.tests)}">']
    for test in job.tests:
        inside = f"<failure>{test.message}</failure>" if test.message else ""
        lines.append(f'  <testcase classname="{test.classname}" name="{test.name}">{inside}</testcase>')
    return "\n".join([*lines, "</testsuite>", ""]).encode()
