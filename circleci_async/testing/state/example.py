"""The world that the documentation shows."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

from .organizations import Verdict
from .registry import utc_now
from .world import World


def example_world(*, clock: Callable[[], datetime] = utc_now) -> World:
    """Create the world that the documentation shows, and that `circleci-async fake` serves by default.

    It has the projects `gh/acme/api`, `gh/acme/web` and `gh/acme/infra`, with the builds of three weeks. Its ids, names
    and contents are always the same. Its dates end at the clock's time.
    """
    world = World(clock=clock)
    now = clock()
    _add_api(world, now)
    _add_web(world, now)
    _add_infra(world, now)
    # A separate generator: the pages show ids of objects that the examples create, which must not change.
    ids, world.random = world.random, Random("more")
    _add_deploys(world, now)
    _add_policies(world, now)
    _add_approval(world)
    world.random = ids
    return world


def _add_api(world: World, now: datetime) -> None:
    """Add one pipeline a day for three weeks, one on a branch, and a newest one with more artifacts."""
    api = world.project("gh/acme/api")
    for day in range(21, 0, -1):
        at = now - timedelta(days=day)
        if day % 7 == 0:
            api.pipeline(created_at=at, subject="Break the config", errors=[("config", "Job unit is not defined.")])
            continue
        failing = day % 6 == 0
        pipeline = api.pipeline(created_at=at, subject=f"Change number {22 - day}")
        build = pipeline.workflow("build", status="failed" if failing else "success")
        lint = build.job("lint", duration=30 + day)
        lint.artifact("lint.txt", b"No complaints.\n")
        test = build.job("test", duration=120 + 3 * day, status="failed" if failing else "success")
        test.artifact("junit.xml", f"<testsuite tests='{day}'/>\n".encode())
        test.test(
            "test_login", classname="tests.test_session", result="failure" if failing else "success", run_time=0.5
        )
        if failing:  # a test that fails and succeeds for the same commit is flaky
            rerun = pipeline.workflow("build", created_at=at + timedelta(minutes=10))
            rerun.jobs.append(lint)
            rerun.taken_over = frozenset({lint.id})
            rerun.job("test", duration=118).test("test_login", classname="tests.test_session", run_time=0.5)
    branch = api.pipeline(branch="feature/search", created_at=now - timedelta(hours=5), subject="Begin the search")
    branch.workflow("build").job("lint", duration=31)
    newest = api.pipeline(created_at=now - timedelta(hours=1), subject="Make the search faster")
    build = newest.workflow("build")
    build.job("lint", duration=31).artifact("lint.txt", b"No complaints.\n")
    test = build.job("test", duration=124, parallelism=2, contexts=("test-database",))
    test.artifact("coverage/index.html", b"<h1>97 %</h1>\n")
    test.artifact("dist/api-1.4.0-py3-none-any.whl", size=300_000)
    test.artifact("junit.xml", b"<testsuite tests='2'/>\n", node=0)
    test.artifact("junit.xml", b"<testsuite tests='1'/>\n", node=1)
    test.test("test_login", classname="tests.test_session", run_time=0.52, file="tests/test_session.py")
    test.test("test_search", classname="tests.test_search", run_time=2.3, file="tests/test_search.py")
    test.test("test_empty_search", classname="tests.test_search", result="skipped", run_time=0.0, message="not decided")
    for node, said in enumerate(("test_login", "test_search")):
        test.step("Spin up environment", output="Build-agent version 1.0.0\n", node=node)
        test.step("pytest", output=f"\x1b[32m{said} passed\x1b[0m in 2.8{node} s\r\n", node=node, command="pytest")


def _add_web(world: World, now: datetime) -> None:
    """Add a project whose triggered pipelines require an approval."""
    web = world.project("gh/acme/web", default_branch="master")
    web.on_trigger("release", ("test", "hold:approval", "deploy"))
    for day in (4, 2):
        release = web.pipeline(created_at=now - timedelta(days=day)).workflow("release")
        release.job("test", duration=60).artifact("junit.xml", b"<testsuite tests='9'/>\n")
        release.job("deploy", duration=20)


def _add_infra(world: World, now: datetime) -> None:
    """Add a project with a failed workflow, and a pipeline that waits for its continuation."""
    infra = world.project("gh/acme/infra")
    plan = infra.pipeline(created_at=now - timedelta(days=3)).workflow("plan", status="failed")
    plan.job("validate", duration=12)
    failed = plan.job("plan", duration=45, status="failed")
    failed.step("Spin up environment", output="Build-agent version 1.0.0\n")
    failed.step(
        "terraform init",
        output="Fetching: 30 %\rFetching: 100 %\n\x1b[32mInitialized.\x1b[0m\n",
        command="terraform init",
    )
    failed.step(
        "terraform plan",
        output="Refreshing state...\n",
        errors="\x1b[31mError:\x1b[0m no bucket named acme-logs\n",
        exit_code=1,
        command="terraform plan",
    )
    infra.pipeline(created_at=now - timedelta(hours=2), setup=True)


def _add_deploys(world: World, now: datetime) -> None:
    """Add two environments, and a component of the first project that was deployed to both."""
    staging = world.deploy_environment("gh/acme", "staging", description="Renewed every night")
    production = world.deploy_environment("gh/acme", "production", labels={"region": "eu-west-1"})
    api = world.projects["gh/acme/api"]
    component = api.deploy_component("api")
    job = api.jobs[42]
    for days, name in ((9, "1.2.0"), (4, "1.3.0")):
        component.version(name, production, deployed_at=now - timedelta(days=days))
    component.version("1.4.0", staging, deployed_at=now - timedelta(hours=1), job=job)


def _add_policies(world: World, now: datetime) -> None:
    """Add a policy and two decisions, one of which failed."""
    world.policy("gh/acme", "images.rego", 'package org\n\nenable_rule["check_image"]\n')
    api = world.projects["gh/acme/api"]
    api.decision(build_number=41, created_at=now - timedelta(hours=2))
    broken = Verdict("HARD_FAIL", hard_failures={"check_image": "use an image of ours"})
    api.decision(broken, branch="feature/search", build_number=43, created_at=now - timedelta(hours=1))


def _add_approval(world: World) -> None:
    """Add a workflow that waits for an approval to a pipeline of the first project."""
    preview = world.projects["gh/acme/api"].pipelines.all[19].workflow("preview", status="on_hold")
    hold = preview.job("hold", approval=True)
    preview.job("deploy", status="blocked", requires=[hold])
