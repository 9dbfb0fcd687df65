"""Worlds to harvest, and checks after each harvest."""

import hashlib
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import circleci_async as ca
from circleci_async.harvest.destination.parts import PARTS_NAME
from circleci_async.harvest.ledger.schema import LEDGER_NAME
from circleci_async.testing import Artifact, FakeCircleCI, Job, World
from tests.downloads.file_server import random_bytes
from tests.leftovers import check_nothing_in_use, tasks_of_the_package

Items = list[dict[str, Any]]
"""The items of a list of the API."""

QUICK = ca.RetryPolicy(attempts=3, initial_delay=0.001, max_delay=0.01)


def small_world(*, pipelines: int = 3, jobs: int = 2, artifacts: int = 4, size: int = 3_000) -> World:
    """Some pipelines of one project; no two artifacts have the same content."""
    world = World()
    project = world.project("gh/acme/api")
    for _ in range(pipelines):
        workflow = project.pipeline(branch="main").workflow("build")
        for number in range(jobs):
            fill(workflow.job(f"test-{number}"), artifacts, size)
    return world


def fill(job: Job, artifacts: int, size: int = 3_000, *, node: int = 0) -> None:
    """Add some artifacts to a job."""
    for number in range(artifacts):
        job.artifact(f"logs/{number}.txt", random_bytes(size, (job.id, node, number)), node=node)


def all_artifacts(world: World) -> list[Artifact]:
    return [artifact for job in world.jobs.values() for artifact in job.artifacts]


def usual_place(artifact: Artifact) -> str:
    """Return the path of an artifact with a safe name."""
    job = artifact.job
    pipeline = job.workflow.pipeline
    node = f"{artifact.node}/" if len({each.node for each in job.artifacts}) > 1 else ""
    folder = f"{pipeline.project.slug}/{pipeline.number}/{job.workflow.name}/{job.name}-{job.number}"
    return f"{folder}/{node}{artifact.path}"


def usual_tree(artifacts: Iterable[Artifact]) -> dict[str, bytes]:
    return {usual_place(each): each.data for each in artifacts}


def tree(into: Path) -> dict[str, bytes]:
    """Return every finished file: all that are not hidden."""
    files = (path for path in into.rglob("*") if path.is_file())
    shown = {path.relative_to(into).as_posix(): path for path in files}
    return {name: path.read_bytes() for name, path in shown.items() if not any(p[0] == "." for p in name.split("/"))}


def parts(into: Path) -> list[str]:
    """Return the names of the partial files."""
    return sorted(path.name for path in (into / PARTS_NAME).glob("*"))


def rows(into: Path, query: str, *values: object) -> list[Any]:
    """Query the ledger."""
    with closing(sqlite3.connect(into / LEDGER_NAME)) as sql:
        return sql.execute(query, values).fetchall()


def states(into: Path) -> dict[str, int]:
    return dict(rows(into, "SELECT state, count(*) FROM artifacts GROUP BY state"))


async def harvest(fake: FakeCircleCI, into: Path, **options: Any) -> ca.HarvestReport:
    """Harvest gh/acme/api, or `projects`, and check what must hold after every harvest."""
    client = {name: options.pop(name) for name in ("retry", "concurrency_of_client") if name in options}
    retry = client.get("retry", QUICK)
    async with fake.client(retry=retry, concurrency=client.get("concurrency_of_client", 32)) as circle:
        report = await circle.harvest(options.pop("projects", "gh/acme/api"), into, **options)
        check_nothing_in_use(circle)
    assert tasks_of_the_package() == []
    await check_agreement(into)
    return report


async def check_agreement(into: Path) -> None:
    """Check that the files match the ledger, and that no unfinished file has a final name."""
    report = await ca.verify_harvest(into)
    report.raise_for_differences()
    done = rows(into, "SELECT target, size, sha256 FROM artifacts WHERE state = 'done'")
    found = tree(into)
    assert {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in found.items()} == {
        target: (size, sha256) for target, size, sha256 in done
    }
    known = rows(into, "SELECT id FROM artifacts WHERE state != 'done' AND etag IS NOT NULL OR target IS NULL")
    # Workers that were given up delete their .tmp files, or the next harvest does.
    left = {name for name in parts(into) if not name.endswith(".tmp")}
    incomplete = {name for name in left if name.count(".") == 2}
    assert incomplete <= {f".{id}.part" for (id,) in known}
    unfinished = {str(id) for (id,) in rows(into, "SELECT id FROM artifacts WHERE state != 'done'")}
    for name in left - incomplete:
        _, id, sha256, _ = name.split(".")
        assert id in unfinished
        assert hashlib.sha256((into / PARTS_NAME / name).read_bytes()).hexdigest() == sha256


def gets(fake: FakeCircleCI, *, origin: str = "storage") -> list[str]:
    """Return the paths that were requested successfully."""
    return [each.path for each in fake.requests if each.origin == origin and each.status in {200, 206, 302}]


async def change_list(
    fake: FakeCircleCI, path: str, change: Callable[[Items], object], *, times: int | None = None
) -> None:
    """Let the API answer a list with its items changed, as a faulty server would."""
    async with fake.client(retry=QUICK) as circle:
        page = await circle.request("GET", path)
    change(page["items"])
    fake.fail(f"/api/v2{path}", origin="api", body=page, times=times)
    fake.requests.clear()


def spoil(field: str, value: object, **which: str) -> Callable[[Items], None]:
    """Change a field of the first item, or the first with these fields."""

    def change(items: Items) -> None:
        next(item for item in items if which.items() <= item.items())[field] = value

    return change
