"""`harvest(what=...)`: which kinds of files are taken of each job, and their records in the ledger."""

import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from obstore.store import MemoryStore

import circleci_async as ca
from circleci_async.harvest.ledger import schema
from circleci_async.testing import Artifact, FakeCircleCI, Job, Pipeline, World
from tests.harvest.harvests import QUICK, all_artifacts, harvest, rows, states, tree
from tests.harvest.killer import killer

EVERYTHING: Any = ("artifacts", "logs", "tests", "builds")
FOLDER = "gh/acme/api/1/build/test-1"


def build(world: World, *, status: str = "success", created_at: datetime | None = None, parallelism: int = 1) -> Job:
    """Add a pipeline with one job that has files of all kinds."""
    project = world.projects.get("gh/acme/api") or world.project("gh/acme/api")
    pipeline = project.pipeline(branch="main", created_at=created_at)
    job = pipeline.workflow("build", status=status).job("test", status=status, parallelism=parallelism)
    job.step("Run tests", output="1 passed\n", number=101)
    job.step("Upload", output="done", number=102)
    job.test("test_it")
    job.artifact("report.html", b"<html>")
    return job


def requested(fake: FakeCircleCI) -> dict[str, int]:
    """Return how often each kind of path was requested since the last call."""
    kinds = Counter(
        "output" if each.origin == "storage" and "action-output" in each.path else _kind(each.path)
        for each in fake.requests
        if each.origin == "api" or "action-output" in each.path
    )
    fake.requests.clear()
    return dict(kinds)


def _kind(path: str) -> str:
    if path.startswith("/api/v1.1"):
        return "v1 output" if "/output/" in path else "build"
    *_, parent, last = path.split("/")
    return {"job": "job details", "pipeline": "pipeline", "workflow": "workflow"}.get(parent, last + "s")


def files_of(into: Path) -> list[str]:
    return [name.removeprefix(f"{FOLDER}/") for name in sorted(tree(into))]


async def test_all_kinds_are_taken_once(into: Path) -> None:
    world = World()
    for _ in range(2):
        build(world, created_at=datetime.now(UTC) - timedelta(days=20))
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, what=EVERYTHING, select=ca.Selection(since="30d"))
        report.raise_for_failures()
        names = ["build.json", "tests.xml", "logs/0/101-Run tests.txt", "logs/0/102-Upload.txt", "report.html"]
        expected = [f"gh/acme/api/{number}/build/test-{number}/{name}" for number in (1, 2) for name in names]
        assert sorted(tree(into)) == sorted(
            [*expected, *(each.replace("tests.xml", "tests.jsonl") for each in expected if "tests.xml" in each)]
        )
        assert requested(fake) == {
            "pipelines": 1,
            "workflows": 2,
            "jobs": 2,
            "artifactss": 2,
            "build": 2,
            "output": 4,
            "testss": 2,
            "job details": 2,
            "pipeline": 2,
            "workflow": 2,
        }
        assert report.requests_saved == 0
        before = tree(into)
        report = await harvest(fake, into, what=EVERYTHING, select=ca.Selection(since="30d"))
        assert (requested(fake), report.requests_saved) == ({"pipelines": 1}, 12)
        assert (len(report.files), len(report.skipped), tree(into)) == (0, 12, before)


@pytest.mark.parametrize("what", ["logs", ["logs"], ("logs", "logs"), {"logs"}, iter(["logs"])])
async def test_one_kind_is_taken_alone(what: Any, into: Path) -> None:
    world = World()
    build(world)
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, what=what)
        assert files_of(into) == ["logs/0/101-Run tests.txt", "logs/0/102-Upload.txt"]
        assert [(file.kind, file.node, file.artifact) for file in report.files] == [
            ("logs", 0, "logs/0/101-Run tests.txt"),
            ("logs", 0, "logs/0/102-Upload.txt"),
        ]
        assert {file.url for file in report.files} == {
            f"{fake.url}/api/v1.1/project/gh/acme/api/1/output/{number}/0?file=true" for number in (101, 102)
        }


async def test_kinds_are_added_later(into: Path) -> None:
    world = World()
    build(world)
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
        assert files_of(into) == ["report.html"]
        for what in (["artifacts", "tests"], "builds", EVERYTHING):
            (await harvest(fake, into, what=what)).raise_for_failures()
        assert len(files_of(into)) == 6
        assert rows(into, "SELECT kind, listed FROM jobs ORDER BY id") == [
            *(("artifacts", "whole"), ("tests", "whole"), ("builds", "whole"), ("logs", "whole"))
        ]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("log", "what must be one of 'artifacts', 'logs', 'tests', 'builds', got 'log'"),
        ("", "what must be one of 'artifacts', 'logs', 'tests', 'builds', got ''"),
        (["logs", "x"], "what must be one of 'artifacts', 'logs', 'tests', 'builds', got 'x'"),
        ([], r"what must contain at least one of 'artifacts', 'logs', 'tests', 'builds', got \[\]"),
        ([None], "what must be one of 'artifacts', 'logs', 'tests', 'builds', got None"),
        (None, "what must be one of 'artifacts', 'logs', 'tests', 'builds', got None"),
        (7, "what must be one of 'artifacts', 'logs', 'tests', 'builds', got 7"),
    ],
)
async def test_unknown_kinds_are_refused(what: Any, message: str, into: Path) -> None:
    async with FakeCircleCI(World()) as fake, fake.client() as circle:
        with pytest.raises(ca.InvalidArgument, match=message):
            await circle.harvest("gh/acme/api", into, what=what)
        assert fake.requests == []
    assert not into.exists()


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("logs/**", ["logs/0/101-Run tests.txt", "logs/0/102-Upload.txt"]),
        ("**/101-*", ["logs/0/101-Run tests.txt"]),
        ("*.xml", ["tests.xml"]),
        ("build.json", ["build.json"]),
    ],
)
async def test_path_selects_files_of_all_kinds(path: str, names: list[str], into: Path) -> None:
    world = World()
    build(world)
    async with FakeCircleCI(world) as fake:
        (await harvest(fake, into, what=EVERYTHING, select=ca.Selection(path=path))).raise_for_failures()
        assert files_of(into) == names


async def test_latest_takes_the_newest_pipeline_with_matching_files_of_any_kind(into: Path) -> None:
    world = World()
    build(world)
    world.projects["gh/acme/api"].pipeline(branch="main").workflow("build").job("empty")
    select = ca.Selection(latest=True, path="logs/**")
    async with FakeCircleCI(world) as fake:
        (await harvest(fake, into, what=EVERYTHING, select=select)).raise_for_failures()
        assert files_of(into) == ["logs/0/101-Run tests.txt", "logs/0/102-Upload.txt"]


async def test_a_running_job_is_taken_when_it_has_finished(into: Path) -> None:
    world = World()
    job = build(world, status="running")
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, what=EVERYTHING)
        assert (files_of(into), report.is_complete) == (["report.html"], True)
        job.end("success", datetime.now(UTC))
        job.workflow.status = "success"
        world.projects["gh/acme/api"].pipelines.all[0].created_at -= timedelta(
            days=300
        )  # outside of the next selection
        report = await harvest(fake, into, what=EVERYTHING)
        assert len(files_of(into)) == 6
        assert rows(into, "SELECT listed, count(*) FROM jobs GROUP BY 1") == [("whole", 4)]
        assert rows(into, "SELECT * FROM listings") == []


async def test_a_collision_of_an_artifact_with_a_log_keeps_both(into: Path) -> None:
    world = World()
    job = build(world)
    job.artifact("logs/0/101-Run tests.txt", b"mine")
    job.artifact("logs/0/102-upload.txt", b"mine too")
    async with FakeCircleCI(world) as fake:
        (await harvest(fake, into, what=EVERYTHING)).raise_for_failures()
        found = {name.removeprefix(f"{FOLDER}/"): data for name, data in tree(into).items()}
        assert found["logs/0/101-Run tests.txt"] == b"mine"
        assert found["logs/0/102-upload.txt"] == b"mine too"
        assert found["logs/0/101-Run tests~2.txt"] == b"1 passed\n"
        assert found["logs/0/102-Upload~2.txt"] == b"done\n"


LAYOUT = "project={project}/date={created_at:%Y}/{workflow}/{job}-{number}/node={node}/{path}"


async def test_layouts_apply_to_all_kinds(into: Path) -> None:
    world = World()
    job = build(world, created_at=datetime(2026, 1, 2, tzinfo=UTC), parallelism=2)
    job.artifact("b.txt", b"b", node=1)
    job.step("Run tests", output="2 passed\n", number=101, node=1)
    async with FakeCircleCI(world) as fake:
        (await harvest(fake, into, what=EVERYTHING, layout=LAYOUT)).raise_for_failures()
    folder = "project=gh%2Facme%2Fapi/date=2026/build/test-1"
    assert sorted(name.removeprefix(f"{folder}/") for name in tree(into)) == [
        "node=0/build.json",
        "node=0/logs/0/101-Run tests.txt",
        "node=0/logs/0/102-Upload.txt",
        "node=0/report.html",
        "node=0/tests.jsonl",
        "node=0/tests.xml",
        "node=1/b.txt",
        "node=1/logs/1/101-Run tests.txt",
    ]


async def test_logs_of_several_nodes_have_no_second_folder_for_the_node(into: Path) -> None:
    world = World()
    job = build(world, parallelism=2)
    job.artifact("report.html", b"b", node=1)
    job.step("Run tests", output="2 passed\n", number=101, node=1)
    async with FakeCircleCI(world) as fake:
        (await harvest(fake, into, what=EVERYTHING)).raise_for_failures()
    assert files_of(into) == [
        *("0/report.html", "1/report.html", "build.json", "logs/0/101-Run tests.txt"),
        *("logs/0/102-Upload.txt", "logs/1/101-Run tests.txt", "tests.jsonl", "tests.xml"),
    ]


async def test_identical_logs_share_their_disk_space_with_dedupe(into: Path) -> None:
    world = World()
    for _ in range(2):
        build(world)
    async with FakeCircleCI(world) as fake:
        (await harvest(fake, into, what="logs", dedupe="hardlink")).raise_for_failures()
    inodes = {path.stat().st_ino for path in into.rglob("101-*.txt")}
    assert len(inodes) == 1


async def test_events_and_failures_name_the_kind(into: Path) -> None:
    world = World()
    build(world)
    events: list[ca.HarvestEvent] = []
    calls: list[tuple[str, str]] = []

    async def on_event(event: ca.HarvestEvent) -> None:
        events.append(event)

    async def on_file(file: ca.HarvestedFile) -> None:
        calls.append((file.kind, file.artifact))

    async with FakeCircleCI(world) as fake:
        faults = [fake.fail(path, times=None, status=404) for path in ("*/1/output/*", "/action-output/*")]
        fake.fail("*/1/tests", status=400)
        report = await harvest(fake, into, what=EVERYTHING, on_progress=on_event, on_file=on_file)
        kinds = {type(event).__name__: set[str]() for event in events}
        for event in events:
            if not isinstance(event, ca.HarvestProgress):
                kinds[type(event).__name__].add(event.kind)  # type: ignore[attr-defined]
        assert kinds["JobListed"] == {"artifacts", "logs", "builds"}
        assert kinds["FileDone"] == {"artifacts", "builds"}
        assert (kinds["FileFailed"], kinds["ListingFailed"]) == ({"logs"}, {"tests"})
        assert sorted((each.kind, each.name) for each in report.failed) == [
            ("log", "logs/0/101-Run tests.txt"),
            ("log", "logs/0/102-Upload.txt"),
            ("tests", "job 1 (test) of gh/acme/api"),
        ]
        assert str(min(report.failed, key=lambda each: each.name[-5:] != "s.txt")).startswith(
            "gh/acme/api job 1: logs/0/101-Run tests.txt: 404"
        )
        assert sorted(calls) == [("artifacts", "report.html"), ("builds", "build.json")]
        for fault in faults:
            fault.times = 0
        (await harvest(fake, into, what=EVERYTHING)).raise_for_failures()
        assert len(files_of(into)) == 6


async def test_a_kind_that_is_not_selected_any_more_is_not_continued(into: Path) -> None:
    world = World()
    build(world)
    async with FakeCircleCI(world) as fake:
        fake.fail("*/1/tests", status=400)
        assert not (await harvest(fake, into, what=EVERYTHING)).is_complete
        assert (await harvest(fake, into)).is_complete
        assert requested(fake).get("testss") == 1


async def test_verify_status_and_prune_handle_all_kinds(into: Path) -> None:
    world = World()
    build(world, created_at=datetime.now(UTC) - timedelta(days=100))
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into, what=EVERYTHING)
        status = await ca.harvest_status(into)
        assert (status.done, status.is_complete) == (6, True)
        assert {file.kind for file in status.files} == set(EVERYTHING)
        assert (await ca.verify_harvest(into)).files == 6
        assert {(row["kind"], row["path"]) for row in (await ca.harvest_catalog(into)).rows()} == {
            *(("artifacts", "report.html"), ("builds", "build.json"), ("tests", "tests.xml"), ("tests", "tests.jsonl")),
            *(("logs", "logs/0/101-Run tests.txt"), ("logs", "logs/0/102-Upload.txt")),
        }
        assert (await ca.prune_harvest(into, older_than="50d")).files == 6
        assert (await harvest(fake, into, what=EVERYTHING)).is_complete
        assert tree(into) == {}


async def test_a_killed_harvest_of_all_kinds_is_continued(into: Path) -> None:
    world = World()
    for _ in range(4):
        build(world)
    async with FakeCircleCI(world) as fake:
        with killer() as process:
            for files in (3, 9):
                await process.kill(fake, into, files=files, what=EVERYTHING)
                fake.requests.clear()
            await process.harvest(fake, into, what=EVERYTHING)
        (await harvest(fake, into, what=EVERYTHING)).raise_for_failures()
        found = tree(into)
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into.with_name("other"), what=EVERYTHING)
    assert found == tree(into.with_name("other"))
    assert len(found) == 24


# The ledger


async def test_a_ledger_of_version_3_is_read_and_upgraded(into: Path) -> None:
    """It holds 2 files of job 1 that are done, 1 that is not selected, and a failed list of artifacts of job 2."""
    world = World()
    workflow = world.project("gh/acme/api").pipeline(branch="main").workflow("build")
    for number in range(2):
        job = workflow.job(f"test-{number}")
        job.step("Run", output="x\n")
        for artifact in range(3):
            job.artifact(f"logs/{artifact}.txt", f"{number} {artifact}".encode())
    artifacts = all_artifacts(world)
    into.mkdir()
    async with FakeCircleCI(world) as fake:
        load(into, fake)
        for each in artifacts[1:3]:
            place(into, each)
        (await ca.verify_harvest(into)).raise_for_differences()
        status = await ca.harvest_status(into)
        assert (status.done, status.failed, {file.kind for file in status.files}) == (2, 1, {"artifacts"})
        assert rows(into, "PRAGMA user_version") == [(3,)]
        before = rows(into, "SELECT id, project, number, name, workflow, pipeline FROM jobs")
        report = await harvest(fake, into, what=["artifacts", "logs"], select=ca.Selection(path="logs/**"))
        assert (len(report.files), len(report.skipped), report.is_complete) == (6, 2, True)
        columns = "id, project, number, name, workflow, pipeline"
        assert rows(into, f"SELECT {columns} FROM jobs WHERE kind = 'artifacts' ORDER BY id") == before
        assert rows(into, "PRAGMA user_version") == [(schema.VERSION,)]
        assert states(into) == {"done": 8}


def load(into: Path, fake: FakeCircleCI) -> None:
    dump = Path(__file__).with_name("third_edition.sql").read_text()
    with closing(sqlite3.connect(into / schema.LEDGER_NAME)) as sql:
        sql.executescript(dump.replace("ARTIFACT_HOST", fake.artifact_host))


def place(into: Path, artifact: Artifact) -> None:
    pipeline: Pipeline = artifact.job.workflow.pipeline
    folder = f"{pipeline.project.slug}/{pipeline.number}/build/{artifact.job.name}-{artifact.job.number}"
    path = into / folder / artifact.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(artifact.data)


# Buckets


async def test_a_bucket_gets_the_same_tree(into: Path) -> None:
    world = World()
    job = build(world, parallelism=2)
    job.step("Run tests", output="2 passed\n", number=101, node=1)
    store = MemoryStore()
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into, what=EVERYTHING)
        async with fake.client(retry=QUICK) as circle:
            for files in (7, 0):
                report = await circle.harvest("gh/acme/api", store, ledger=into.with_name("ledger"), what=EVERYTHING)
                report.raise_for_failures()
                assert (len(report.files), len(report.skipped)) == (files, 7 - files)
    listed: Any = store.list()  # pyright: ignore[reportUnknownMemberType]
    objects = {each["path"]: bytes(store.get(each["path"]).bytes()) for each in chain.from_iterable(listed)}
    assert {path: data for path, data in objects.items() if not path.startswith(".")} == tree(into)
