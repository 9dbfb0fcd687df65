"""Logs: one file for each step and node, streamed, without escape codes and secrets."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.downloads.file_threads import FIRST_BATCH
from circleci_async.harvest.sources import logs
from circleci_async.testing import FakeCircleCI, Job, World
from tests.harvest.harvests import QUICK, gets, harvest, parts, rows, tree
from tests.harvest.killer import killer
from tests.logs.server import PROJECT, action, serving, stored
from tests.raw_server import answer

TOKEN = "ghp_" + "a1B2" * 9


def job_of(world: World, **options: Any) -> Job:
    project = world.projects.get("gh/acme/api") or world.project("gh/acme/api")
    return project.pipeline(branch="main").workflow("build").job("test", **options)


def logs_in(into: Path) -> dict[str, bytes]:
    return {name.partition("/logs/")[2]: data for name, data in tree(into).items()}


async def taken(world: World, into: Path, **options: Any) -> dict[str, bytes]:
    """Harvest logs, and return them by node and name."""
    async with FakeCircleCI(world) as fake:
        (await harvest(fake, into, what="logs", **options)).raise_for_failures()
    return logs_in(into)


async def test_each_step_with_output_is_a_file_on_each_node(into: Path) -> None:
    world = World()
    job = job_of(world, parallelism=2)
    job.step("Spin up environment", output="ready\n")
    for node in (0, 1):
        job.step("Run tests", output=f"node {node}\r\n", errors="warning", node=node)
    job.step("Silent")
    assert await taken(world, into) == {
        "0/0-Spin up environment.txt": b"ready\n",
        "0/99-Run tests.txt": b"node 0\nwarning\n",
        "1/99-Run tests.txt": b"node 1\nwarning\n",
    }


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("../x", "0-..%2Fx.txt"),
        ("a/b\\c", "0-a%2Fb%5Cc.txt"),
        ("/etc/passwd", "0-%2Fetc%2Fpasswd.txt"),
        ("a\nb\x00\x1b[31m", "0-a%0Ab%00%1B[31m.txt"),
        ("", "0-.txt"),
        ("CON", "0-CON.txt"),
        ("dot.", "0-dot%2E.txt"),
        ("größe 漢字", "0-größe 漢字.txt"),
        ("n" * 300, f"0-{'n' * 300}"),
        ("漢" * 300, f"0-{'漢' * 300}"),
    ],
)
async def test_hostile_names_of_steps_are_made_safe(name: str, file: str, into: Path) -> None:
    world = World()
    job_of(world).step(name, output="x\n")
    (found,) = await taken(world, into)
    if len(file) < 300:
        assert found == f"0/{file}"
    else:
        stem, _, checksum = found.removesuffix(".txt").partition("~")
        assert file.startswith(stem.removeprefix("0/"))
        assert (len(checksum), len(found.removeprefix("0/").encode()) in range(252, 256)) == (12, True)


async def test_equal_names_are_numbered(into: Path) -> None:
    world = World()
    job = job_of(world)
    job.step("Run", output="1\n", number=101)
    job.step("run", output="2\n", number=102)
    job.step("Run", output="3\n", number=103)
    assert await taken(world, into) == {"0/101-Run.txt": b"1\n", "0/102-run.txt": b"2\n", "0/103-Run.txt": b"3\n"}


async def test_steps_without_number_are_named_and_numbered_by_their_name(into: Path) -> None:
    first = action(None, name="Run", output_url="/1?signed", start_time="2026-11-24T12:00:00Z")
    second = action(None, name="Run", output_url="/2?signed", start_time="2026-11-24T12:00:01Z")
    lists = lists_of([first], [second])
    files = {"/1": stored("one\n"), "/2": stored("two\n")}
    async with serving([lists.build], files=files | lists.files) as (server, circle):
        report = await circle.harvest(PROJECT, into, what="logs")
        report.raise_for_failures()
        assert logs_in(into) == {"0/Run.txt": b"one\n", "0/Run~2.txt": b"two\n"}
        assert {file.url for file in report.files} == {f"{server.url}/api/v1.1/project/gh/acme/api/42"}


class Lists:
    """The lists of a server with job 42 only."""

    def __init__(self, build: dict[str, Any]) -> None:
        self.build = build
        page: dict[str, Any] = {"next_page_token": None}
        times = {"created_at": "2026-11-24T12:00:00Z", "stopped_at": "2026-11-24T12:10:00Z"}
        ids = {name: f"00000000-0000-4000-8000-00000000000{number}" for number, name in enumerate("pwj")}
        trigger = {"type": "api", "received_at": times["created_at"], "actor": {"login": "x"}}
        pipeline: dict[str, Any] = {"id": ids["p"], "number": 1, "project_slug": PROJECT, "state": "created", **times}
        pipeline |= {"errors": [], "trigger": trigger}
        workflow: dict[str, Any] = {"id": ids["w"], "name": "build", "status": "success", **times}
        workflow |= {"pipeline_id": ids["p"], "project_slug": PROJECT, "pipeline_number": 1, "started_by": ids["p"]}
        job: dict[str, Any] = {"id": ids["j"], "name": "test", "job_number": 42, "status": "success", "type": "build"}
        job |= {"project_slug": PROJECT, "dependencies": [], "started_at": times["created_at"]}
        self.files = {
            f"/api/v2/project/{PROJECT}/pipeline": answer(200, {"items": [pipeline], **page}),
            f"/api/v2/pipeline/{ids['p']}/workflow": answer(200, {"items": [workflow], **page}),
            f"/api/v2/workflow/{ids['w']}/job": answer(200, {"items": [job], **page}),
        }


def lists_of(*steps: list[dict[str, Any]], **more: Any) -> Lists:
    body = [{"name": actions[0]["name"], "actions": actions} for actions in steps]
    return Lists({"build_num": 42, "lifecycle": "finished", "status": "success", "steps": body, **more})


async def test_a_job_without_steps_or_build_has_no_logs(into: Path) -> None:
    world = World()
    job_of(world)
    workflow = world.projects["gh/acme/api"].pipeline(branch="main").workflow("build")
    never_started = workflow.job("canceled", status="canceled")
    never_started.started_at = None
    async with FakeCircleCI(world) as fake:
        for saved in (0, 2):
            report = await harvest(fake, into, what="logs")
            assert (len(report.files), report.is_complete) == (0, True)
            assert [row for (row,) in rows(into, "SELECT listed FROM jobs")] == ["whole", "whole"]
            assert len([each for each in fake.requests if each.path.startswith("/api/v1.1/")]) == 2
            assert report.requests_saved >= saved


async def test_the_steps_of_a_job_are_requested_once_for_all_logs(into: Path) -> None:
    world = World()
    job = job_of(world)
    for number in range(40):
        job.step(f"step {number}", output=f"{number}\n")
    async with FakeCircleCI(world) as fake:
        (await harvest(fake, into, what="logs")).raise_for_failures()
        assert [each for each in gets(fake, origin="api") if "/v1.1/" in each] == ["/api/v1.1/project/gh/acme/api/1"]
        assert len(logs_in(into)) == 40
        fake.requests.clear()
        report = await harvest(fake, into, what="logs")
        assert (len(report.skipped), [each.path for each in fake.requests if "/v1.1/" in each.path]) == (40, [])


async def test_steps_that_are_not_kept_are_requested_again(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_ACTIONS", 3)
    world = World()
    for _ in range(4):
        job = job_of(world)
        for number in range(3):
            job.step(f"step {number}", output=f"{job.number} {number}\n")
    assert len(await taken(world, into)) == 12 - 9  # by node and name
    assert len(tree(into)) == 12


async def test_addresses_that_have_expired_are_requested_once_for_all_logs(into: Path) -> None:
    world = World()
    job = job_of(world)
    for number in range(10):
        job.step(f"step {number}", output=f"{number}\n")
    async with FakeCircleCI(world) as fake:
        fake.fail("/action-output/*", status=403, times=10)
        (await harvest(fake, into, what="logs", concurrency=10)).raise_for_failures()
        assert len(logs_in(into)) == 10
        assert len([each for each in fake.requests if each.path.startswith("/api/v1.1/")]) == 2


async def test_no_signed_address_is_recorded(into: Path) -> None:
    world = World()
    job_of(world).step("Run", output="x\n")
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into, what="logs")
    dump = b"".join(path.read_bytes() for path in into.glob(".harvest.sqlite*"))
    assert b"/api/v1.1/project/gh/acme/api/1/output/0/0?file=true" in dump
    assert b"action-output" not in dump
    assert b"Signature" not in dump


async def test_codes_are_removed_or_kept_with_ansi(into: Path) -> None:
    world = World()
    output = f"\x1b[32mok\x1b[0m {TOKEN[:9]}\x1b[1m{TOKEN[9:]}\r\n10%\r100%\n"
    job_of(world).step("Run", output=output)
    assert await taken(world, into) == {"0/0-Run.txt": b"ok [scrubbed]\n100%\n"}
    kept = await taken(world, into.with_name("ansi"), ansi=True)
    assert kept == {"0/0-Run.txt": b"\x1b[32mok\x1b[0m [scrubbed]\n10%\r100%\n"}


async def test_secrets_are_replaced_and_counted(into: Path) -> None:
    world = World()
    job = job_of(world)
    job.step("Run", output=f"a {TOKEN}\nhunter2 b")
    job.step("Again", output=f"{TOKEN}\n")
    job.artifact("raw.txt", TOKEN.encode())
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, what=["artifacts", "logs"], scrub=["hunter[0-9]"])
        assert report.scrubbed == {"github-token": 2, "hunter[0-9]": 1}
        assert logs_in(into) | {} == {
            "0/0-Run.txt": b"a [scrubbed]\n[scrubbed] b\n",
            "0/99-Again.txt": b"[scrubbed]\n",
            "": TOKEN.encode(),
        }
        assert (await harvest(fake, into, what=["artifacts", "logs"])).scrubbed == {}
        report = await harvest(fake, into.with_name("raw"), what="logs", scrub=False)
        assert report.scrubbed == {}
        assert logs_in(into.with_name("raw"))["0/99-Again.txt"] == f"{TOKEN}\n".encode()


async def test_a_secret_in_a_line_of_any_length_is_replaced(into: Path) -> None:
    world = World()
    output = "x" * 65_520 + f" {TOKEN} " + "y" * 100_000
    job_of(world).step("Run", output=[("out", output[:65_530]), ("out", output[65_530:])])
    expected = f"{output.replace(TOKEN, '[scrubbed]')}\n".encode()
    assert await taken(world, into) == {"0/0-Run.txt": expected}


async def test_large_output_is_streamed_to_its_partial_file(into: Path) -> None:
    world = World()
    job = job_of(world)
    step = job.step("Run", size=4 * FIRST_BATCH, output=f"{TOKEN}\n")
    events: list[int] = []

    async def on_event(event: ca.HarvestEvent) -> None:
        if isinstance(event, ca.FileAdvanced):
            events.append(event.received)

    (data,) = (await taken(world, into, on_progress=on_event)).values()
    assert data.decode() == step.output.replace(TOKEN, "[scrubbed]")
    assert parts(into) == []


async def test_output_that_is_refused_or_cut_is_read_again(into: Path) -> None:
    world = World()
    step = job_of(world).step("Run", size=3 * FIRST_BATCH)
    async with FakeCircleCI(world) as fake:
        fake.fail("/action-output/*", cut=2 * FIRST_BATCH, times=2)
        fake.fail("/action-output/*", status=503, after=2, times=4)
        fake.fail("*/output/*", status=500, times=8)
        report = await harvest(fake, into, what="logs")
        report.raise_for_failures()
        assert logs_in(into) == {"0/0-Run.txt": step.output.encode()}


async def test_output_that_cannot_be_read_is_a_failure_until_the_next_run(into: Path) -> None:
    world = World()
    job = job_of(world)
    job.step("Run", size=2 * FIRST_BATCH)
    job.step("Other", output="x\n")
    async with FakeCircleCI(world) as fake:
        faults = [
            fake.fail("/action-output/*/0", cut=FIRST_BATCH + 400_000),
            fake.fail("/action-output/*/0", status=503, times=None),
            fake.fail("*/1/output/*", status=404, times=None),
        ]
        report = await harvest(fake, into, what="logs", attempts=2)
        assert [(each.kind, each.name) for each in report.failed] == [("log", "logs/0/0-Run.txt")]
        assert list(logs_in(into)) == ["0/99-Other.txt"]
        assert parts(into) == []
        for fault in faults:
            fault.times = 0
        (await harvest(fake, into, what="logs")).raise_for_failures()
        assert len(logs_in(into)) == 2


async def test_a_killed_harvest_of_a_large_log_starts_it_over(into: Path) -> None:
    world = World()
    step = job_of(world).step("Run", size=4 * FIRST_BATCH)
    async with FakeCircleCI(world) as fake:
        with killer() as process:
            await process.kill(fake, into, written=2 * FIRST_BATCH, what="logs")
            assert tree(into) == {}
            await process.harvest(fake, into, what="logs")
        assert logs_in(into) == {"0/0-Run.txt": step.output.encode()}
        assert parts(into) == []


async def test_a_build_that_has_not_ended_in_the_old_api_is_left_to_the_next_run(into: Path) -> None:
    lists = lists_of([action(101, output_url="/1?signed")], lifecycle="running")
    ended = json.loads(json.dumps(lists.build)) | {"lifecycle": "finished"}
    async with serving([lists.build, ended], files={"/1": stored("done\n")} | lists.files) as (_, circle):
        report = await circle.harvest(PROJECT, into, what="logs")
        assert (len(report.files), report.is_complete, logs_in(into)) == (0, True, {})
        (await circle.harvest(PROJECT, into, what="logs")).raise_for_failures()
        assert logs_in(into) == {"0/101-step 101.txt": b"done\n"}


async def test_a_limit_of_bytes_ends_the_run_and_the_next_one_continues(into: Path) -> None:
    world = World()
    job = job_of(world)
    job.step("Small", output="x\n")
    job.step("Large", size=2 * FIRST_BATCH)
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, what="logs", max_bytes=FIRST_BATCH)
        assert (report.is_complete, "0/99-Large.txt" in logs_in(into)) == (False, False)
        (await harvest(fake, into, what="logs")).raise_for_failures()
        assert sorted(logs_in(into)) == ["0/0-Small.txt", "0/99-Large.txt"]


async def test_a_cancelled_harvest_leaves_only_complete_logs(into: Path) -> None:
    world = World()
    job = job_of(world)
    job.step("Small", output="x\n")
    step = job.step("Large", size=4 * FIRST_BATCH)
    async with FakeCircleCI(world) as fake:
        async with fake.client(retry=QUICK) as circle:
            began = asyncio.Event()

            async def on_event(event: ca.HarvestEvent) -> None:
                if isinstance(event, ca.FileAdvanced) and event.received > FIRST_BATCH:
                    began.set()

            running = asyncio.create_task(circle.harvest(PROJECT, into, what="logs", on_progress=on_event))
            await began.wait()
            running.cancel()
            await asyncio.wait([running])
        assert set(logs_in(into)) <= {"0/0-Small.txt", "0/99-Large.txt"}
        (await harvest(fake, into, what="logs")).raise_for_failures()
        assert logs_in(into) == {"0/0-Small.txt": b"x\n", "0/99-Large.txt": step.output.encode()}
