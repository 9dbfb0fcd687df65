"""The archive is a bucket that gets the artifacts, logs, tests and builds of an organization, without secrets."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest

import circleci_async as ca
from circleci_async.testing import FakeCircleCI, Job, World
from docs.examples import archive
from tests.s3.server import SECRETS, TestBucket

from .processes import EXAMPLES, STOPS, TIMEOUT, ended, in_terminal, started

ARCHIVE = str(EXAMPLES / "archive.py")
TOKEN = "ghp_" + "a1B2" * 9
OWN = "acme-" + "0f" * 16
OWN_PATTERN = "acme-[0-9a-f]{32}"

KINDS = ("build.json", "dist/app.whl", "logs/0/0-Deploy.txt", "tests.jsonl", "tests.xml")

Night: TypeAlias = Callable[..., Awaitable[tuple[int, str, str]]]
"""Runs the program once."""


def build(world: World, name: str) -> Job:
    """Add a build with one file of each kind to a project, and secrets in its log and its test results."""
    project = world.projects.get(f"gh/acme/{name}") or world.project(f"gh/acme/{name}")
    job = project.pipeline(branch="main").workflow("build").job("test")
    job.artifact("dist/app.whl", name.encode())
    job.step("Deploy", output=f"login {TOKEN}\nkey {OWN}\n")
    job.test("deploys", result="failure", message=f"{TOKEN} is refused")
    return job


def organization() -> World:
    """Return a world with two projects of one build."""
    world = World()
    build(world, "api")
    build(world, "web")
    return world


def folder(job: Job) -> str:
    """Return the folder of a job in the bucket, with its node."""
    slug = job.workflow.pipeline.project.slug.replace("/", "%2F")
    date = f"{job.workflow.pipeline.created_at:%Y-%m-%d}"
    return f"ci/project={slug}/date={date}/build/test-{job.number}"


def keys(world: World) -> set[str]:
    """Return the names that the objects of a world's builds have."""
    jobs = [
        job
        for project in world.projects.values()
        for pipeline in project.pipelines.all
        for workflow in pipeline.workflows
        for job in workflow.jobs
    ]
    return {f"{folder(job)}/{kind}" for job in jobs for kind in KINDS}


def stored(s3: TestBucket) -> set[str]:
    """Return the names of the objects, without the ledger."""
    return {key for key in s3.files() if "/.harvest/" not in key}


@pytest.fixture
def night(
    use: Callable[[FakeCircleCI], None], s3: TestBucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Night:
    """Return a function that runs the program once, in this process, and returns its exit code and output."""

    async def run(fake: FakeCircleCI, *scrub: str) -> tuple[int, str, str]:
        use(fake)
        code = await archive.main(["gh/acme"], f"{s3.url}/ci", "7d", scrub)
        return code, *capsys.readouterr()

    return run


async def test_everything_is_in_the_bucket_without_secrets(night: Night, s3: TestBucket) -> None:
    world = organization()
    async with FakeCircleCI(world) as fake:
        code, out, err = await night(fake, OWN_PATTERN)
        sent = [str(request.headers) for request in fake.requests]
    first, *replaced = out.splitlines()
    assert (code, err, first.partition(",")[0]) == (0, "", "10 new files")
    assert sorted(replaced) == [f"{OWN_PATTERN}: 2 replaced", "github-token: 6 replaced"]
    assert stored(s3) == keys(world)
    (job,) = world.projects["gh/acme/api"].pipelines.all[0].workflows[0].jobs
    found = s3.files(f"{folder(job)}/")
    assert found["logs/0/0-Deploy.txt"] == b"login [scrubbed]\nkey [scrubbed]\n"
    assert found["dist/app.whl"] == b"api"
    assert json.loads(found["tests.jsonl"])["message"] == "[scrubbed] is refused"
    assert json.loads(found["build.json"])["job"]["number"] == job.number
    everything = b"".join(s3.files().values())
    assert not any(secret.encode() in everything for secret in (TOKEN, OWN, fake.token, *SECRETS))
    assert not any(secret in each for each in sent for secret in SECRETS)


async def test_the_next_night_requests_only_what_can_be_new(night: Night, s3: TestBucket) -> None:
    world = organization()
    async with FakeCircleCI(world) as fake:
        await night(fake)
        before = len(fake.requests)
        assert await night(fake) == (0, "0 new files, 0 bytes, 6 requests\n", "")
        asked = [request.path.rpartition("/")[2] for request in fake.requests[before:]]
        assert sorted(asked) == ["pipeline"] * 3 + ["summary"] + ["workflow"] * 2
        build(world, "api")
        code, out, err = await night(fake)
    assert (code, out.partition(",")[0], err) == (0, "5 new files", "")
    assert stored(s3) == keys(world)


async def test_a_failed_file_is_listed_and_fetched_in_the_next_night(night: Night, s3: TestBucket) -> None:
    world = organization()
    async with FakeCircleCI(world) as fake:
        fault = fake.fail("*/app.whl", origin="artifacts", status=404, times=2)
        code, out, err = await night(fake)
        assert (code, out.partition(",")[0], err.count("dist/app.whl: 404")) == (1, "8 new files", 2)
        fault.stop()
        code, out, err = await night(fake)
    assert (code, out.partition(",")[0], err) == (0, "2 new files", "")
    assert stored(s3) == keys(world)


async def test_the_command_archives_a_project_with_its_options(s3: TestBucket, tmp_path: Path) -> None:
    world = organization()
    options = ("--since", "2d", "--scrub", OWN_PATTERN)
    async with (
        FakeCircleCI(world) as fake,
        started(
            ARCHIVE, "gh/acme/web", f"{s3.url}/ci", *options, env={**fake.environment, **s3.env}, folder=tmp_path
        ) as process,
    ):
        code, out, err = await ended(process)
    assert (code, out.partition(",")[0], err) == (0, "5 new files", "")
    assert f"{OWN_PATTERN}: 1 replaced" in out
    assert stored(s3) == {key for key in keys(world) if "web" in key}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--since", "soon"), "error: since must be a datetime"),
        (("--scrub", "("), "error: scrub must contain valid regular expressions"),
    ],
)
async def test_an_invalid_option_is_a_short_message(
    arguments: tuple[str, ...], problem: str, s3: TestBucket, tmp_path: Path
) -> None:
    async with (
        FakeCircleCI() as fake,
        started(ARCHIVE, "gh/acme", s3.url, *arguments, env={**fake.environment, **s3.env}, folder=tmp_path) as process,
    ):
        code, out, err = await ended(process)
    assert (code, out, err.count("\n"), err[: len(problem)]) == (1, "", 1, problem)
    assert s3.keys() == []


async def test_a_bucket_that_does_not_exist_is_a_short_message(s3: TestBucket, tmp_path: Path) -> None:
    async with (
        FakeCircleCI(organization()) as fake,
        started(ARCHIVE, "gh/acme", "s3://no-such-bucket", env={**fake.environment, **s3.env}, folder=tmp_path) as ran,
    ):
        code, out, err = await ended(ran)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("error: cannot ")
    assert "NoSuchBucket" in err


@pytest.mark.parametrize("how", STOPS)
async def test_a_night_that_is_stopped_is_continued_by_the_next_one(
    how: str, night: Night, s3: TestBucket, tmp_path: Path
) -> None:
    world = organization()
    async with FakeCircleCI(world) as fake:
        waiting = fake.fail("*/app.whl", origin="storage", delay=600, times=2)
        env = {**fake.environment, **s3.env}
        async with in_terminal(ARCHIVE, "gh/acme", f"{s3.url}/ci", env=env, folder=tmp_path) as terminal:
            async with asyncio.timeout(TIMEOUT):
                while waiting.hits < 2 or len(stored(s3)) < 8:
                    await asyncio.sleep(0.02)
            terminal.stop(how)
            code, out = await terminal.ended()
        assert (code, out.removeprefix("^C")) == (130, "interrupted: run it again to continue\n")
        assert not any(key.endswith("app.whl") for key in stored(s3))
        code, out, err = await night(fake)
    assert (code, out.partition(",")[0], err) == (0, "2 new files", "")
    assert stored(s3) == keys(world)


async def test_a_night_that_is_killed_is_continued_at_once(night: Night, s3: TestBucket, tmp_path: Path) -> None:
    world = organization()
    async with FakeCircleCI(world) as fake:
        waiting = fake.fail("*/app.whl", origin="storage", delay=600, times=2)
        env = {**fake.environment, **s3.env}
        async with started(ARCHIVE, "gh/acme", f"{s3.url}/ci", env=env, folder=tmp_path) as process:
            async with asyncio.timeout(TIMEOUT):
                while waiting.hits < 2 or len(stored(s3)) < 8:
                    await asyncio.sleep(0.02)
            process.kill()
            await process.wait()
        outputs = len([request for request in fake.requests if "action-output" in request.path])
        code, _, err = await night(fake)
        again = len([request for request in fake.requests if "action-output" in request.path]) - outputs
    assert (code, err, again) == (0, "", 0)
    assert stored(s3) == keys(world)
    checked = await ca.verify_harvest(f"{s3.url}/ci", deep=True)
    assert (checked.is_intact, checked.files) == (True, 10)


async def test_a_second_archive_at_once_is_refused(night: Night, s3: TestBucket, tmp_path: Path) -> None:
    async with FakeCircleCI(organization()) as fake:
        waiting = fake.fail("*/app.whl", origin="storage", delay=600, times=2)
        env = {**fake.environment, **s3.env}
        other = {**env, "XDG_CACHE_HOME": str(tmp_path / "other machine")}
        async with started(ARCHIVE, "gh/acme", f"{s3.url}/ci", env=env, folder=tmp_path) as first:
            async with asyncio.timeout(TIMEOUT):
                while waiting.hits < 2:
                    await asyncio.sleep(0.02)
            async with started(ARCHIVE, "gh/acme", f"{s3.url}/ci", env=other, folder=tmp_path) as second:
                code, out, err = await ended(second)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: another harvest (process {first.pid} on ")
