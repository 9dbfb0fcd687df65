"""The soak's mixed calls, each with a check of its result: reading, files, logs, and errors."""

import asyncio
import hashlib
import shutil
from collections.abc import Generator
from contextlib import aclosing, contextmanager
from functools import cache
from pathlib import Path
from random import Random
from tempfile import mkdtemp

import circleci_async as ca
from circleci_async.models import Artifact
from circleci_async.testing import Artifact as FakeArtifact
from circleci_async.testing import Pipeline

from .soak_site import Site
from .soak_world import API, BRANCHES, DOCS, FAILURE, WEB, artifacts_of, jobs, newest_first

FAILED = "failed"


# Reading.


async def user(site: Site, chance: Random) -> None:
    me = await site.circle.users.me()
    wanted = site.world.me
    site.expect("me", (me.id, me.login, me.name), (wanted.id, wanted.login, wanted.name))


async def project(site: Site, chance: Random) -> None:
    wanted = site.world.projects[chance.choice((API, WEB, DOCS))]
    found = await site.circle.projects.get(wanted.slug)
    site.expect("the project", (found.id, found.slug, found.name), (wanted.id, wanted.slug, wanted.name))


async def all_pipelines(site: Site, chance: Random) -> None:
    branch = chance.choice((None, *BRANCHES))
    found = await site.circle.pipelines.list(API, branch=branch).collect()
    wanted = newest_first(site.world.projects[API], branch)
    site.expect("the pipelines", [_actual(each) for each in found], [_expected(each) for each in wanted])


async def some_pipelines(site: Site, chance: Random) -> None:
    """Stop iterating a list early, sometimes without closing the iterator."""
    wanted = newest_first(site.world.projects[API])
    count = chance.randrange(1, len(wanted))
    found: list[str] = []
    if chance.random() < 0.5:
        async for each in site.circle.pipelines.list(API):
            found.append(each.id)
            if len(found) == count:
                break
    else:
        async with aclosing(site.circle.pipelines.list(API).pages()) as pages:
            async for page in pages:
                found += [each.id for each in page.items]
                if len(found) >= count:
                    break
        found = found[:count]
    site.expect("some pipelines", found, [each.id for each in wanted[:count]])


async def workflows_and_jobs(site: Site, chance: Random) -> None:
    pipeline = chance.choice(site.world.projects[chance.choice((API, WEB))].pipelines.all)
    found = await site.circle.pipelines.workflows(pipeline.id).collect()
    site.expect(
        "the workflows",
        [(each.id, each.name, each.status, each.pipeline_number) for each in found],
        [(each.id, each.name, each.status, pipeline.number) for each in pipeline.workflows],
    )
    for workflow in pipeline.workflows:
        listed = [job async for job in site.circle.workflows.jobs(workflow.id)]
        site.expect(
            "the jobs",
            [(job.id, job.name, job.status, job.job_number, job.type) for job in listed],
            [(job.id, job.name, job.status, job.number, job.type) for job in workflow.jobs],
        )


async def job(site: Site, chance: Random) -> None:
    wanted = chance.choice(jobs(site.world.projects[API]))
    found = await site.circle.jobs.get(API, wanted.number or 0)
    site.expect(
        "the job",
        (found.number, found.name, found.status, found.parallelism, found.pipeline.id, found.duration),
        (
            wanted.number,
            wanted.name,
            wanted.status,
            wanted.parallelism,
            wanted.workflow.pipeline.id,
            round((wanted.duration or 0) * 1000),
        ),
    )


async def test_results(site: Site, chance: Random) -> None:
    wanted = chance.choice(jobs(site.world.projects[API]))
    found = await site.circle.jobs.tests(API, wanted.number or 0).collect()
    results = [(each.name, each.result) for each in wanted.tests]
    site.expect("the tests", [(each.name, each.result) for each in found], results)


async def insights(site: Site, chance: Random) -> None:
    branch = chance.choice(BRANCHES)
    runs = [each.workflows[0] for each in newest_first(site.world.projects[API], branch)]
    good = sum(run.status == "success" for run in runs)
    if chance.random() < 0.5:
        [found] = await site.circle.insights.workflows(API, branch=branch).collect()
        counts = (found.name, found.metrics.total_runs, found.metrics.successful_runs)
        site.expect("the metrics", counts, ("build", len(runs), good))
    else:
        listed = await site.circle.insights.workflow_runs(API, "build", branch=branch).collect()
        site.expect("the runs", [(run.id, run.status) for run in listed], [(run.id, run.status) for run in runs])


async def other_options(site: Site, chance: Random) -> None:
    hurried = site.circle.with_options(timeout=1.5, retry=ca.RetryPolicy(attempts=4, initial_delay=0.05, deadline=20))
    wanted = site.world.me
    site.expect("me, with other options", (await hurried.users.me()).login, wanted.login)


async def another_client(site: Site, chance: Random) -> None:
    async with site.another() as other:
        first = other.pipelines.list(API).first()
        me, newest = await asyncio.gather(other.users.me(), first, return_exceptions=True)
    for found in (me, newest):
        if isinstance(found, BaseException):
            raise found
    wanted = (site.world.me.id, newest_first(site.world.projects[API])[0].id)
    site.expect("the results of another client", (getattr(me, "id", None), getattr(newest, "id", None)), wanted)


# Files.


async def downloads(site: Site, chance: Random) -> None:
    """Download all artifacts of a job. However it ends, only complete files may be there."""
    wanted = chance.choice([each for each in jobs(site.world.projects[API]) if each.artifacts])
    sums = {(each.node, each.path): sha256(each) for each in wanted.artifacts}
    with folder(site) as place:
        try:
            artifacts = site.circle.artifacts.list(API, wanted.number or 0)
            report = await site.circle.artifacts.download_all(artifacts, place, concurrency=3)
        finally:
            left = [_sum(file) for file in place.rglob("*") if file.is_file()]
            site.expect("files with wrong content", sorted(set(left) - set(sums.values())), [])
        if report.failed:
            raise report.failed[0].error
        found = {(file.artifact.node_index, file.artifact.path): file.sha256 for file in report.files}
        site.expect("the reported files", found, sums)
        site.expect("the written files", sorted(left), sorted(sums.values()))


async def stream(site: Site, chance: Random) -> None:
    """Stream an artifact, sometimes only its beginning."""
    wanted = chance.choice(newest_first(site.world.projects[API])[0].workflows[0].jobs).artifacts[-1]
    artifacts = site.circle.artifacts.list(API, wanted.job.number or 0)
    [artifact] = [each async for each in artifacts if each.path == wanted.path and each.node_index == wanted.node]
    stop = chance.randrange(wanted.size + 1) if chance.random() < 0.6 else None
    digest, length = hashlib.sha256(), 0
    async with site.circle.artifacts.open(artifact) as opened:
        site.expect("the size of the artifact", opened.size, wanted.size)
        async for part in opened:
            digest.update(part)
            length += len(part)
            if stop is not None and length >= stop:
                break
    if stop is None:
        site.expect("the streamed bytes", (length, digest.hexdigest()), (wanted.size, sha256(wanted)))
    else:
        site.expect("the streamed beginning", digest.digest(), _beginning(wanted, length))


async def latest_artifacts(site: Site, chance: Random) -> None:
    branch, path = chance.choice(BRANCHES), chance.choice((None, "log.txt", "reports/*"))
    found = await site.circle.artifacts.latest(API, branch=branch, path=path)
    newest = next(each for each in newest_first(site.world.projects[API], branch) if _succeeded(each))
    wanted = [each for each in artifacts_of(newest) if path is None or each.path.startswith(path.rstrip("*"))]
    site.expect("the latest pipeline", found and found.pipeline.id, newest.id)
    listed = sorted((each.node_index, each.path) for each in found.artifacts) if found else []
    site.expect("the latest artifacts", listed, sorted((each.node, each.path) for each in wanted))


async def harvest(site: Site, chance: Random) -> None:
    wanted = [each for pipeline in site.world.projects[DOCS].pipelines.all for each in artifacts_of(pipeline)]
    with folder(site) as place:
        report = await site.circle.harvest(DOCS, place, concurrency=4)
        site.expect("failures of the harvest", [str(each) for each in report.failed], [])
        found = sorted((file.artifact, file.sha256, _sum(file.path)) for file in report.files)
        site.expect("the harvest", found, sorted((each.path, sha256(each), sha256(each)) for each in wanted))


# Logs.


async def failed_output(site: Site, chance: Random) -> None:
    wanted = chance.choice([each for each in jobs(site.world.projects[API]) if each.name == "test"])
    found = await site.circle.jobs.failed_output(API, wanted.number or 0, tail=2, ansi=True)
    for output in found:
        if output.error is not None:
            raise output.error
    said = [("Run tests", 1, 1, FAILURE)] if wanted.status == FAILED else []
    site.expect("the failed output", [(each.name, each.node, each.exit_code, each.text) for each in found], said)


async def log(site: Site, chance: Random) -> None:
    wanted = chance.choice([each for each in jobs(site.world.projects[API]) if each.name == "test"])
    [step] = await site.circle.jobs.steps(API, wanted.number or 0).collect()
    site.expect("the step", (step.name, len(step.actions)), ("Run tests", 2))
    lines = [line async for line in site.circle.jobs.output(API, wanted.number or 0, step, node=0).lines()]
    site.expect("the log", lines, ["4 passed"])


# Errors.


async def not_found(site: Site, chance: Random) -> None:
    try:
        await site.circle.jobs.get(API, 1_000_000 + chance.randrange(1000))
    except ca.NotFound as error:
        site.expect("the status", error.status, 404)
    else:
        site.expect("a missing job", "found", "not found")


async def invalid_arguments(site: Site, chance: Random) -> None:
    refused = 0
    for slug in ("no-slug", "gh/acme/..", ""):
        try:
            await site.circle.projects.get(slug)
        except ca.InvalidArgument:
            refused += 1
    site.expect("refused slugs", refused, 3)
    hostile = Artifact(path="../../etc/passwd", node_index=0, url="http://127.0.0.1:9/")
    with folder(site) as place:
        try:
            await site.circle.artifacts.download(hostile, place)
        except ca.UnsafePath:
            refused += 1
    site.expect("a hostile path refused", refused, 4)


# Expected values.


@contextmanager
def folder(site: Site) -> Generator[Path]:
    """Make a temporary folder."""
    place = Path(mkdtemp(dir=site.folder))
    try:
        yield place
    finally:
        shutil.rmtree(place)


@cache
def sha256(artifact: FakeArtifact) -> str:
    """Return the expected SHA-256 of an artifact."""
    return artifact.sha256


def _sum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _beginning(artifact: FakeArtifact, length: int) -> bytes:
    digest = hashlib.sha256()
    for piece in artifact.content.pieces(0, length):
        digest.update(piece)
    return digest.digest()


def _succeeded(pipeline: Pipeline) -> bool:
    return all(workflow.status == "success" for workflow in pipeline.workflows)


def _actual(pipeline: ca.models.Pipeline) -> tuple[object, ...]:
    branch = pipeline.vcs.branch if pipeline.vcs else None
    return pipeline.id, pipeline.number, pipeline.state, branch, pipeline.created_at


def _expected(pipeline: Pipeline) -> tuple[object, ...]:
    return pipeline.id, pipeline.number, pipeline.state, pipeline.branch, pipeline.created_at
