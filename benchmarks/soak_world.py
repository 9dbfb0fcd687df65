"""The data of the soak's CircleCI: the server serves it, and the client's results are compared with it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random

from circleci_async.testing import Artifact, Job, Pipeline, Project, World

API = "gh/acme/api"
"""Three pages of finished pipelines."""
WEB = "gh/acme/web"
"""A pipeline that waits for an approval, one that never ends, and one with an invalid config."""
DOCS = "gh/acme/docs"
"""A small project to harvest."""

PIPELINES = 45
BRANCHES = ("main", "feature/dark-mode")
KIB = 1024
LARGE = 640 * KIB + 17
"""Size of the only artifact large enough to be written by a thread. Threads keep their buffers allocated."""

SECRET = "of-the-soak"
FAILURE = "\x1b[31mE   assert 1 == 2\x1b[0m\n1 failed, 4 passed"

PERIOD = 20
"""Seconds for which pipelines are triggered in the same projects; older projects are deleted."""
KEPT = 3
"""Periods for which a project is kept after its own."""


def build(seed: int, now: datetime) -> World:
    """Return the world; the same seed and time give the same ids and bytes."""
    world = World(seed=seed)
    chance = Random(seed)
    _fill(world.project(API), now - timedelta(days=20), chance)
    web = world.project(WEB)
    hold = web.pipeline().workflow("release", status="on_hold")
    hold.job("approve", approval=True, requires=[hold.job("test")])
    web.pipeline().workflow("nightly", status="running").job("endless", status="running")
    web.pipeline(errors=[("config", "There is no job named tset")])
    workflow = world.project(DOCS).pipeline().workflow("build")
    for name in ("html", "pdf"):
        job = workflow.job(name)
        for number in range(3):
            job.artifact(f"{name}/{number}.bin", size=chance.randrange(64 * KIB))
    return world


def _fill(project: Project, at: datetime, chance: Random) -> None:
    for number in range(PIPELINES):
        failed = number % 5 == 1
        pipeline = project.pipeline(branch=BRANCHES[number % 3 == 1], created_at=at + timedelta(hours=8) * number)
        workflow = pipeline.workflow("build", status="failed" if failed else "success")
        lint = workflow.job("lint", duration=chance.randrange(5, 50))
        test = workflow.job(
            "test", status="failed" if failed else "success", parallelism=2, requires=[lint], duration=60
        )
        for name in ("test_login", "test_logout", "test_list"):
            test.test(name, result="failure" if failed and name == "test_list" else "success")
        test.step("Run tests", output="4 passed\n", node=0)
        test.step("Run tests", output="collected 5 items\n", errors=FAILURE, node=1, exit_code=1 if failed else 0)
        for file in range(chance.randrange(1, 6)):
            test.artifact(f"reports/größe {file}.xml", size=chance.randrange(96 * KIB), node=file % 2)
        lint.artifact("log.txt", b"ok\n")
        if number == PIPELINES - 1:
            lint.artifact("dist/app.tar.gz", size=LARGE)


# Projects to trigger pipelines in. New projects replace old ones, so that no list grows.


def places(now: float) -> tuple[str, str]:
    """Return the project where pipelines succeed and the one where they fail, at `now` (as of `time.time()`)."""
    period = int(now) // PERIOD
    return f"gh/acme/good-{period}", f"gh/acme/bad-{period}"


def renew(world: World, now: float, webhook: str) -> None:
    """Make the projects of this and the next period, and delete the unused ones."""
    wanted = {place for age in range(-1, KEPT + 1) for place in places(now - age * PERIOD)}
    for project in list(world.projects.values()):
        if project.slug.startswith(("gh/acme/good-", "gh/acme/bad-")) and project.slug not in wanted:
            world.delete_project(project)
    for coming in (now, now + PERIOD):
        for slug, last in zip(places(coming), ("test", "test:failed"), strict=True):
            if slug not in world.projects:
                project = world.project(slug)
                project.on_trigger("build", ("lint", last), artifacts={"log.txt": b"built\n"})
                project.webhook(webhook, secret=SECRET, duplicates=1)


# Queries.


def jobs(project: Project) -> Sequence[Job]:
    """Return the jobs of a project, in the order of their numbers."""
    return list(project.jobs.values())


def newest_first(project: Project, branch: str | None = None) -> list[Pipeline]:
    """Return the pipelines of a project or branch, in the order in which they are listed."""
    found = project.pipelines.all if branch is None else project.pipelines.of_branch(branch)
    return list(reversed(found))


def artifacts_of(pipeline: Pipeline) -> Iterator[Artifact]:
    """Yield the artifacts of a pipeline, in the order in which its workflows and jobs are listed."""
    for workflow in pipeline.workflows:
        for job in workflow.jobs:
            yield from job.artifacts
