"""Failures: all available files are downloaded, the others reported, and files match the ledger."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.downloads import destination
from circleci_async.harvest import layout
from circleci_async.testing import FakeCircleCI, Fault, RateLimit, World
from circleci_async.testing.server.exchange import Origin
from tests.downloads.file_server import by_path, random_bytes, redirect, served
from tests.fastclock import fast_clock
from tests.harvest.harvests import (
    QUICK,
    all_artifacts,
    check_agreement,
    gets,
    harvest,
    parts,
    small_world,
    states,
    tree,
    usual_place,
    usual_tree,
)
from tests.leftovers import check_nothing_in_use, tasks_of_the_package
from tests.raw_server import Request, answer, raw_server

# 429


async def test_many_429s_only_delay_the_harvest(into: Path) -> None:
    world = small_world(pipelines=6)
    limit = RateLimit(200, burst=3, retry_after=None, headers=None)
    async with FakeCircleCI(world, rate_limit=limit) as fake:
        fake.fail(origin="artifacts", status=429, times=40, after=5)
        fake.fail(origin="storage", status=429, times=40, after=5)
        report = await harvest(fake, into, retry=ca.RetryPolicy(attempts=5, initial_delay=0.002, max_delay=0.02))
        assert fake.rate_limited > 0
    report.raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(world))


@fast_clock
async def test_retry_after_pauses_all_requests(tmp_path: Path) -> None:
    world = small_world(pipelines=1)
    events: list[ca.HarvestEvent] = []

    async def note(event: ca.HarvestEvent) -> None:
        events.append(event)

    async with FakeCircleCI(world) as fake:
        fake.fail(origin="artifacts", status=429, headers={"Retry-After": "15"}, times=2, after=1)
        report = await harvest(fake, tmp_path / "out", on_progress=note)
    report.raise_for_failures()
    assert len(report.files) == 8
    held = [event.seconds for event in events if isinstance(event, ca.Throttled)]
    assert sum(held) >= 15
    assert [event.paused for event in events if isinstance(event, ca.HarvestProgress)][-1] >= 15


async def test_a_retry_after_beyond_max_wait_ends_the_run(into: Path) -> None:
    world = small_world(pipelines=1)
    async with FakeCircleCI(world) as fake:
        fault = fake.fail(origin="artifacts", status=429, headers={"Retry-After": "3600"}, times=None, after=3)
        report = await harvest(fake, into, concurrency=1)
        assert isinstance(report.error, ca.RateLimited)
        assert "429 Too Many Requests" in str(report.stopped)
        assert (len(report.files), len(report.failed), states(into)) == (3, 0, {"done": 3, "found": 5})
        with pytest.raises(ca.RateLimited):
            report.raise_for_failures()
        fault.stop()
        report = await harvest(fake, into)
        report.raise_for_failures()
        assert (len(report.files), len(report.skipped)) == (5, 3)
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_a_rejected_token_ends_the_run(into: Path) -> None:
    async with FakeCircleCI(small_world()) as fake:
        fault = fake.fail(origin="artifacts", status=401, times=None, after=3)
        report = await harvest(fake, into, concurrency=1)
        assert isinstance(report.error, ca.AuthenticationError)
        assert len(gets(fake)) == 3
        assert states(into) == {"done": 3, "found": 21}
        fault.stop()
        fake.fail(origin="api", status=401, times=None)
        report = await harvest(fake, into)
        assert isinstance(report.error, ca.AuthenticationError)
        assert [failure.kind for failure in report.failed] == ["pipelines"]


# Failed responses


def plan_failures(fake: FakeCircleCI, chance: random.Random) -> list[Fault]:
    """Let about three of ten requests of a harvest fail, each in one of many ways."""
    origins: tuple[Origin, ...] = ("api", "artifacts", "storage")
    faults: list[Fault] = []
    for origin, requests in zip(origins, (50, 150, 150), strict=True):
        ways: list[dict[str, Any]] = [
            *({"status": status} for status in (408, 429, 500, 502, 503, 504)),
            {"status": 502, "body": "<html>Bad gateway</html>"},
            {"reset": "before"},
            {"reset": "after"},
            {"cut": chance.randrange(30_000)},
            {"cut": 10},
            {"broken_json": True} if origin == "api" else {"expired": True},
        ]
        for _ in range(requests * 3 // 10):
            faults.append(fake.fail("*", origin=origin, after=chance.randrange(requests), **chance.choice(ways)))
    return faults


@pytest.mark.parametrize("seed", range(3))
async def test_all_files_are_downloaded_although_30_percent_of_requests_fail(seed: int, into: Path) -> None:
    world = small_world(pipelines=6, jobs=3, artifacts=8, size=20_000)
    all_artifacts(world)[0].job.artifact("large", size=3_000_000)
    async with FakeCircleCI(world, page_size=5) as fake:
        faults = plan_failures(fake, random.Random(seed))
        report = await harvest(fake, into, attempts=8)
        report.raise_for_failures()
    assert sum(fault.hits for fault in faults) > 90
    assert len(report.files) == 6 * 3 * 8 + 1
    assert tree(into) == usual_tree(all_artifacts(world))
    assert parts(into) == []


async def test_an_artifact_that_keeps_failing_is_reported_and_retried_by_the_next_run(into: Path) -> None:
    world = small_world(pipelines=1)
    bad, *good = all_artifacts(world)
    async with FakeCircleCI(world) as fake:
        fault = fake.fail(bad.location, times=None, status=500)
        report = await harvest(fake, into, attempts=4, retry=ca.RetryPolicy(attempts=2, initial_delay=0.001))
        assert fault.hits == 4 * 2
        [failure] = report.failed
        assert (failure.kind, failure.name, failure.number) == ("artifact", bad.path, bad.job.number)
        assert "500 Internal Server Error" in str(failure)
        assert tree(into) == usual_tree(good)
        with pytest.raises(ca.DownloadError, match=r"^1 of 8 failed:\n  gh/acme/api job 1: logs/0\.txt: 500 "):
            report.raise_for_failures()
        assert (await ca.harvest_status(into)).failed == 1
        assert str((await ca.harvest_status(into)).failures[0]) == str(failure)
        fault.stop()
        fake.requests.clear()
        report = await harvest(fake, into)
        report.raise_for_failures()
        assert [file.artifact for file in report.files] == [bad.path]
        assert len(gets(fake)) == 1
    assert (await ca.harvest_status(into)).is_complete


async def test_a_403_is_not_retried(into: Path) -> None:
    world = small_world(pipelines=1)
    bad = all_artifacts(world)[3]
    async with FakeCircleCI(world) as fake:
        fault = fake.fail(bad.location, times=None, status=403)
        report = await harvest(fake, into)
        assert fault.hits == 1
    assert ["403 Forbidden" in str(failure) for failure in report.failed] == [True]
    assert len(report.files) == 7


async def test_a_response_that_is_not_json_is_retried(into: Path) -> None:
    async with FakeCircleCI(small_world()) as fake:
        fake.fail("*/workflow", origin="api", broken_json=True, times=2)
        fake.fail("*/artifacts", origin="api", body="<html>Maintenance</html>", times=2)
        report = await harvest(fake, into)
    report.raise_for_failures()
    assert len(report.files) == 24


async def test_a_repeated_page_token_fails_the_list(into: Path) -> None:
    async with FakeCircleCI(small_world(pipelines=1, jobs=1), page_size=2) as fake:
        page = {"items": [], "next_page_token": "again"}
        fake.fail("*/artifacts", origin="api", body=page, times=None)
        report = await harvest(fake, into)
    assert [failure.kind for failure in report.failed] == ["artifacts"]
    assert "repeated the page token" in str(report.failed[0])


# A host that is down

PATIENT = ca.RetryPolicy(attempts=1, initial_delay=10, max_delay=40)


@asynccontextmanager
async def down(fake: FakeCircleCI, origin: str) -> AsyncGenerator[None]:
    fault = fake.fail(origin=origin, reset="before", times=None)  # type: ignore[arg-type]
    try:
        yield
    finally:
        fault.stop()


@fast_clock
async def test_the_run_survives_an_outage_of_the_artifact_host(tmp_path: Path) -> None:
    world = small_world(pipelines=10)
    into = tmp_path / "out"
    async with FakeCircleCI(world) as fake, fake.client(retry=PATIENT) as circle:
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with down(fake, "artifacts"):
            running = asyncio.create_task(circle.harvest("gh/acme/api", into, concurrency=8))
            await asyncio.sleep(240)
            assert not running.done()
            asked = len([each for each in fake.requests if each.origin == "artifacts"])
            assert asked < 200  # no storm
        report = await running
        report.raise_for_failures()
        assert loop.time() - began < 300
    assert tree(into) == usual_tree(all_artifacts(world))
    await check_agreement(into)


@fast_clock
async def test_a_long_outage_of_the_artifact_host_ends_the_run(tmp_path: Path) -> None:
    world = small_world(pipelines=2)
    into = tmp_path / "out"
    async with FakeCircleCI(world) as fake:
        async with down(fake, "storage"):
            report = await harvest(fake, into, retry=PATIENT)
        assert isinstance(report.error, ca.TransportError)
        assert str(report.stopped).startswith("no download succeeded for 5 minutes: ")
        assert (len(report.failed), states(into)) == (0, {"found": 16})
        report = await harvest(fake, into)
        report.raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(world))


@fast_clock
async def test_the_run_survives_an_outage_of_the_api(tmp_path: Path) -> None:
    world = small_world(pipelines=6)
    into = tmp_path / "out"
    async with FakeCircleCI(world) as fake, fake.client(retry=PATIENT) as circle:
        fake.fail("*/workflow", origin="api", after=1, times=1, delay=0.2)
        running = asyncio.create_task(circle.harvest("gh/acme/api", into))
        while not any(each.path.endswith("/workflow") for each in fake.requests):
            await asyncio.sleep(0)
        async with down(fake, "api"):
            await asyncio.sleep(200)
        report = await running
        report.raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(world))


@fast_clock
async def test_a_long_outage_of_the_api_ends_the_run(tmp_path: Path) -> None:
    world = small_world(pipelines=5)
    into = tmp_path / "out"
    async with FakeCircleCI(world) as fake:
        fault = fake.fail("*/job", origin="api", status=502, times=None)
        report = await harvest(fake, into, retry=PATIENT)
        assert isinstance(report.error, ca.ServerError)
        assert str(report.stopped).startswith("no API request succeeded for 5 minutes: ")
        fault.stop()
        report = await harvest(fake, into)
        report.raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(world))


# Signatures, deletions, changes


async def test_expired_signatures_are_requested_again(into: Path) -> None:
    world = small_world()
    async with FakeCircleCI(world) as fake:
        fake.fail(origin="artifacts", expired=True, times=10, after=2)
        fake.fail(origin="storage", expired=True, times=10, after=4)
        report = await harvest(fake, into)
    report.raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(world))


@pytest.mark.parametrize("is_redirected", [True, False])
@pytest.mark.parametrize("status", [400, 403])
async def test_jobs_of_expired_urls_are_listed_again(status: int, is_redirected: bool, into: Path) -> None:
    world = small_world(pipelines=1, jobs=2, artifacts=3)
    first, *others = all_artifacts(world)
    content = random_bytes(1_000)
    files = by_path({"/old": answer(status, "Request has expired"), "/new": served(content)})
    async with FakeCircleCI(world) as fake, raw_server(files) as storage, raw_server(redirect("")) as host:
        host.behaviours = [redirect(f"{storage.url}/old")]
        for url, times in ((host.url if is_redirected else f"{storage.url}/old", 1), (f"{storage.url}/new", None)):
            urls = [url, *(f"http://{fake.artifact_host}{each.location}" for each in others[:2])]
            named = zip(first.job.artifacts, urls, strict=True)
            items = [{"path": each.path, "node_index": 0, "url": url} for each, url in named]
            body = {"items": items, "next_page_token": None}
            fake.fail(f"*/{first.job.number}/artifacts", origin="api", status=200, body=body, times=times)
        report = await harvest(fake, into)
        report.raise_for_failures()
        assert tree(into) == {**usual_tree(others), usual_place(first): content}
        lists = [each.path.split("/")[-2] for each in fake.requests if each.path.endswith("/artifacts")]
        assert sorted(lists) == ["1", "1", "2"]


@fast_clock
async def test_an_artifact_that_trickles_fails_and_the_others_arrive(tmp_path: Path) -> None:
    async def trickle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 200 X\r\nETag: "v1"\r\nContent-Length: 1000000\r\n\r\n')
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(5)

    world = small_world(pipelines=1, jobs=1, artifacts=4)
    slow, *others = all_artifacts(world)
    async with FakeCircleCI(world) as fake, raw_server(trickle) as server:
        urls = [f"{server.url}/slow", *(f"http://{fake.artifact_host}{each.location}" for each in others)]
        named = zip(slow.job.artifacts, urls, strict=True)
        items = [{"path": each.path, "node_index": 0, "url": url} for each, url in named]
        fake.fail("*/artifacts", origin="api", status=200, body={"items": items, "next_page_token": None})
        report = await harvest(fake, tmp_path, attempts=2)
        assert ["incomplete download: interrupted 3 times" in str(failure) for failure in report.failed] == [True]
        assert tree(tmp_path) == usual_tree(others)
        assert len(server.requests) == 2 * QUICK.attempts


async def test_urls_that_stay_refused_end_after_the_attempts(into: Path) -> None:
    world = small_world(pipelines=1, jobs=1, artifacts=3)
    async with FakeCircleCI(world) as fake:
        fake.fail(all_artifacts(world)[1].location, origin="artifacts", expired=True, times=None)
        report = await harvest(fake, into, attempts=3)
        assert [str(failure).partition(" (")[0] for failure in report.failed] == [
            "gh/acme/api job 1: logs/1.txt: 403 Forbidden: Request has expired"
        ]
        assert len([each for each in fake.requests if each.path.endswith("/artifacts")]) == 3


async def test_a_job_that_cannot_be_listed_again_keeps_its_urls(into: Path) -> None:
    world = small_world(pipelines=1, jobs=1, artifacts=3)
    async with FakeCircleCI(world) as fake:
        fake.fail(all_artifacts(world)[1].location, origin="artifacts", expired=True, times=QUICK.attempts)
        fake.fail("*/artifacts", origin="api", status=404, times=None, after=1)
        (await harvest(fake, into)).raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_an_artifact_deleted_before_its_download_fails_once(into: Path) -> None:
    world = small_world(pipelines=1)
    gone, *left = all_artifacts(world)
    async with FakeCircleCI(world) as fake:
        fake.fail("*/artifacts", origin="api", delay=0.05)  # the server has built the list by then

        async def delete() -> None:
            while not any(each.path.endswith("/artifacts") for each in fake.requests):
                await asyncio.sleep(0.001)
            gone.delete()

        report, _ = await asyncio.gather(harvest(fake, into), delete())
        [failure] = report.failed
        assert "404 Not Found" in str(failure)
        assert failure.name == gone.path
        assert tree(into) == usual_tree(left)
        again = await harvest(fake, into)
        again.raise_for_failures()
        assert (len(again.files), len(again.skipped)) == (0, 7)
        assert states(into) == {"done": 7, "gone": 1}
        assert (await ca.harvest_status(into)).gone == 1
        assert (await ca.harvest_status(into)).is_complete


async def test_files_stay_when_their_artifacts_expire(into: Path) -> None:
    world = small_world(pipelines=1)
    whole = usual_tree(all_artifacts(world))
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
        for artifact in all_artifacts(world):
            artifact.delete()
        report = await harvest(fake, into)
        report.raise_for_failures()
        assert len(report.skipped) == 8
    assert tree(into) == whole


@pytest.mark.parametrize("ranges", [True, False])
async def test_two_versions_of_a_file_never_mix(ranges: bool, into: Path) -> None:
    world = World()
    job = world.project("gh/acme/api").pipeline().workflow("build").job("test")
    artifacts = [job.artifact(f"{number}", size=5_000_000) for number in range(4)]
    async with (
        FakeCircleCI(world, ranges=ranges) as fake,
        fake.client(retry=ca.RetryPolicy(attempts=1, initial_delay=0.001)) as circle,
    ):
        fake.fail(origin="storage", cut=3_000_000, times=4)
        seen: set[str] = set()

        async def change(event: ca.HarvestEvent) -> None:
            if isinstance(event, ca.FileFailed) and event.path not in seen:
                seen.add(event.path)
                artifacts[int(event.path)].replace(size=4_000_000)

        report = await circle.harvest("gh/acme/api", into, on_progress=change)
        report.raise_for_failures()
        assert len(seen) == 4
    assert tree(into) == usual_tree(artifacts)
    await check_agreement(into)


async def test_a_retry_resumes_an_interrupted_download(into: Path) -> None:
    world = World()
    artifact = world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("big", size=8_000_000)
    async with FakeCircleCI(world) as fake:
        fake.fail(origin="storage", cut=5_000_000)
        report = await harvest(fake, into, retry=ca.RetryPolicy(attempts=1, initial_delay=0.001))
        report.raise_for_failures()
        ranges = [each.headers.get("Range") for each in fake.requests if each.origin == "storage"]
        assert ranges[0] is None
        assert int(str(ranges[1]).removeprefix("bytes=").removesuffix("-")) > 1_000_000
    assert tree(into) == usual_tree([artifact])


# Names


async def test_unsafe_paths_fail_and_are_never_written(into: Path) -> None:
    world = World()
    job = world.project("gh/acme/api").pipeline().workflow("../..").job(".. /x")
    hostile = [
        "../up",
        "/etc/passwd",
        "a/../../b",
        "C:/x",
        "a\\b",
        "nul\0l",
        "a//b",
        ".",
        "..",
        "x/",
        "a" * 300,
    ]
    for path in hostile:
        job.artifact(path, b"bad")
    job.artifact("good", b"good")
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into)
        assert sorted(failure.name for failure in report.failed) == sorted(hostile)
        assert all("refused: " in str(failure) and str(failure).isprintable() for failure in report.failed)
        assert len(gets(fake)) == 1
    assert tree(into) == {"gh/acme/api/1/%2E.%2F.%2E/%2E. %2Fx-1/good": b"good"}
    assert {path.name for path in into.parent.iterdir()} == {"home", "out"}


async def test_a_path_that_is_not_valid_text_fails_and_is_never_written(into: Path) -> None:
    async with FakeCircleCI(small_world(pipelines=1, jobs=1)) as fake:
        strange = {"path": "half \ud800", "node_index": 0, "url": f"http://{fake.artifact_host}/half\ud800"}
        fake.fail("*/artifacts", origin="api", body={"items": [strange]})
        report = await harvest(fake, into)
        assert ["half \\ud800" in str(failure) for failure in report.failed] == [True]
    assert tree(into) == {}


async def test_paths_that_are_too_long_together_fail_and_leave_nothing(into: Path) -> None:
    world = World()
    job = world.project("gh/acme/api").pipeline().workflow("build").job("test")
    left = 4096 - len(str(into)) - len("/gh/acme/api/1/build/test-1/")
    longest = f"{'/'.join(['x' * 200] * (left // 201))}/{'y' * (left % 201 - 1)}"
    for path in ("/".join(["n" * 255] * 20), "/".join(["n"] * 2_500), f"{longest}z"):
        job.artifact(path, b"bad")
    job.artifact(longest, b"good")
    async with FakeCircleCI(world) as fake:
        for _ in range(2):
            report = await harvest(fake, into)
            assert len(report.failed) == 3
            assert all("more than 4095 bytes" in str(failure) for failure in report.failed)
            assert parts(into) == []
    folders = [path for path in into.rglob("*") if path.is_dir() and not path.name.startswith(".")]
    assert len(folders) == 6 + left // 201
    assert (into / f"gh/acme/api/1/build/test-1/{longest}").read_bytes() == b"good"


async def test_a_file_system_with_shorter_names_leaves_nothing(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of the file system is unknown."""
    monkeypatch.setattr(destination, "MAX_NAME", 10_000)
    world = small_world(pipelines=1, jobs=1)
    job = all_artifacts(world)[0].job
    good = usual_tree(all_artifacts(world))
    for path in (f"a/b/{'n' * 300}/c", f"a/b/{'n' * 300}"):
        job.artifact(path, b"bad")
    async with FakeCircleCI(world) as fake:
        with monkeypatch.context() as patch:
            patch.setattr(layout, "MAX_NAME", 10_000)
            report = await harvest(fake, into)
    assert ["File name too long" in str(failure) for failure in report.failed] == [True, True]
    assert tree(into) == good
    assert parts(into) == []
    assert not (into / "gh/acme/api/1/build/test-0-1/a").exists()


async def test_colliding_names_get_the_same_separate_paths_in_every_run(tmp_path: Path) -> None:
    world = World()
    job = world.project("gh/acme/api").pipeline().workflow("build").job("test")
    names = [
        "log",
        "LOG",
        "Log",
        "log/x",
        "LOG/x",
        "é",
        "e\u0301",
        ".env",
        "%2Eenv",
        "log~2",
        ".harvest.sqlite",
        ".a/b",
    ]
    contents = {name.encode(): job.artifact(name, name.encode()) for name in names}
    async with FakeCircleCI(world) as fake:
        await harvest(fake, tmp_path / "one")
        job.artifacts.reverse()
        await harvest(fake, tmp_path / "two", concurrency=1)
    assert sorted(tree(tmp_path / "one").values()) == sorted(contents)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert len({name.lower() for name in tree(tmp_path / "one")}) == len(names)


async def test_projects_that_differ_in_case_get_separate_folders(into: Path) -> None:
    world = World()
    slugs = [f"circleci/{'a' * 22}/{letter * 22}" for letter in "bB"]
    for slug in slugs:
        world.project(slug).pipeline().workflow("build").job("test").artifact("a/b", slug.encode())
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, projects=slugs)
    report.raise_for_failures()
    assert sorted(tree(into).values()) == sorted(slug.encode() for slug in slugs)
    assert len({name.lower() for name in tree(into)}) == 2


@pytest.mark.parametrize("leads", ["out", "in"])
async def test_symbolic_links_are_not_followed(leads: str, into: Path, tmp_path: Path) -> None:
    world = small_world(pipelines=1)
    elsewhere = tmp_path / "elsewhere" if leads == "out" else into / "elsewhere"
    elsewhere.mkdir(parents=True)
    folder = into / "gh/acme/api/1/build"
    folder.mkdir(parents=True)
    (folder / "test-0-1").symlink_to(elsewhere)
    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        report = await circle.harvest("gh/acme/api", into)
        assert len(report.failed) == 4
        assert all("refused: it is a symbolic link" in str(failure) for failure in report.failed)
        assert list(elsewhere.iterdir()) == []
        (folder / "test-0-1").unlink()
        report = await harvest(fake, into)
        report.raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_a_file_in_place_of_a_folder_fails_only_the_files_below(into: Path) -> None:
    world = small_world(pipelines=1)
    folder = into / "gh/acme/api/1/build"
    folder.mkdir(parents=True)
    (folder / "test-0-1").mkdir()
    (folder / "test-0-1" / "logs").write_text("mine")
    (folder / "test-1-2" / "logs" / "2.txt").mkdir(parents=True)
    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        report = await circle.harvest("gh/acme/api", into)
        assert sorted(
            usual_place(each) for each in all_artifacts(world) if usual_place(each) not in tree(into)
        ) == sorted(
            f"gh/acme/api/1/build/{name}"
            for name in (*(f"test-0-1/logs/{n}.txt" for n in range(4)), "test-1-2/logs/2.txt")
        )
        assert len(report.failed) == 5
        (folder / "test-0-1" / "logs").unlink()
        (folder / "test-1-2" / "logs" / "2.txt").rmdir()
        report = await harvest(fake, into)
        report.raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_downloaded_files_that_cannot_get_their_names_are_failures_in_the_numbers_too(into: Path) -> None:
    """The list of the job is slow, so that its first files are downloaded before they have paths."""
    world = small_world(pipelines=1, jobs=1, artifacts=8)
    folder = into / "gh/acme/api/1/build"
    folder.mkdir(parents=True)
    (folder / "test-0-1").write_text("in the way")
    numbers: list[ca.HarvestProgress] = []

    async def note(event: ca.HarvestEvent) -> None:
        if isinstance(event, ca.HarvestProgress):
            numbers.append(event)

    async with FakeCircleCI(world, page_size=2) as fake, fake.client(retry=QUICK) as circle:
        fake.fail("*/artifacts", origin="api", after=2, delay=0.3)
        report = await circle.harvest("gh/acme/api", into, on_progress=note)
    assert (len(report.files), len(report.failed), report.bytes) == (0, 8, 0)
    assert (numbers[-1].done, numbers[-1].failed, numbers[-1].bytes) == (0, 8, 0)
    assert states(into) == {"failed": 8}
    assert parts(into) == []


async def test_a_file_that_is_deleted_or_changed_meanwhile_is_a_failure(into: Path) -> None:
    """A report that claims to be complete has counted the files on the disk."""
    world = small_world(pipelines=1)

    async def spoil(event: ca.HarvestEvent) -> None:
        if isinstance(event, ca.FileDone) and event.path == "logs/0.txt":
            (into / event.target).unlink()
        if isinstance(event, ca.FileDone) and event.path == "logs/1.txt":
            (into / event.target).write_bytes(b"other")

    async with FakeCircleCI(world, latency=0.005) as fake, fake.client(retry=QUICK) as circle:
        fake.fail("*logs/3.txt", origin="storage", delay=0.1, times=2)
        report = await circle.harvest("gh/acme/api", into, on_progress=spoil)
        assert (len(report.files), report.bytes, len(list(report.files))) == (4, 4 * 3_000, 4)
        assert sorted(failure.name for failure in report.failed) == ["logs/0.txt"] * 2 + ["logs/1.txt"] * 2
        assert all("changed or deleted" in str(failure) for failure in report.failed)
        assert not report.is_complete
        report = await harvest(fake, into)
        report.raise_for_failures()
        assert (len(report.files), len(report.skipped)) == (4, 4)
    assert tree(into) == usual_tree(all_artifacts(world))


# Cancelled


@pytest.mark.parametrize("seed", range(8))
async def test_a_cancelled_harvest_is_clean_and_the_next_run_continues(seed: int, into: Path) -> None:
    world = small_world(pipelines=4, artifacts=6)
    job = world.projects["gh/acme/api"].pipelines.all[0].workflows[0].job("large")
    for number in range(3):
        job.artifact(f"{number}.bin", size=4_000_000)
    whole = usual_tree(all_artifacts(world))
    async with FakeCircleCI(world, page_size=4) as fake, fake.client(retry=QUICK) as circle:
        task = asyncio.create_task(circle.harvest("gh/acme/api", into, concurrency=4))
        world.random.seed(seed)
        while len(fake.requests) < world.random.randrange(100):
            await asyncio.sleep(0)
        for _ in range(world.random.randrange(3)):
            task.cancel()
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert tasks_of_the_package() == []
        check_nothing_in_use(circle)
        if (into / ".harvest.sqlite").exists():
            await check_agreement(into)
        there = tree(into) if into.exists() else {}
        assert {name: data for name, data in there.items() if whole[name] != data} == {}
        fake.requests.clear()
        report = await harvest(fake, into)
        report.raise_for_failures()
        keys = {each.key for each in all_artifacts(world) if usual_place(each) in there}
        assert not keys & set(gets(fake))
    assert tree(into) == whole
    assert parts(into) == []


async def test_a_large_file_is_resumed_after_a_cancellation(into: Path) -> None:
    world = World()
    artifact = world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("big", size=9_000_000)
    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        fake.fail(origin="storage", cut=6_000_000)
        fake.fail(origin="artifacts", after=1, delay=60)  # the next attempt hangs
        task = asyncio.create_task(circle.harvest("gh/acme/api", into))
        while len([each for each in fake.requests if each.origin == "artifacts"]) < 2:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await check_agreement(into)
        [part] = (into / ".harvest.parts").iterdir()
        size = part.stat().st_size
        assert size > 1_000_000
        fake.requests.clear()
        report = await harvest(fake, into)
        report.raise_for_failures()
        assert [each.headers.get("Range") for each in fake.requests if each.origin == "storage"] == [f"bytes={size}-"]
    assert tree(into) == usual_tree([artifact])


def test_a_harvest_cancelled_by_the_end_of_the_program_can_be_continued(into: Path) -> None:
    """`asyncio.run` cancels a harvest that runs in a separate task."""
    world = small_world(pipelines=6)
    ports: list[int] = []

    async def program() -> None:
        async with FakeCircleCI(world, latency=0.001) as fake, fake.client() as circle:
            hosts = (fake.url, fake.artifact_host, fake.storage_host)
            ports.extend(int(host.rpartition(":")[2]) for host in hosts)
            running = asyncio.create_task(circle.harvest("gh/acme/api", into))
            running.add_done_callback(lambda task: task.cancelled())
            while len(gets(fake)) < 20:
                await asyncio.sleep(0)
                assert not running.done()

    async def again() -> None:
        await check_agreement(into)
        assert len(tree(into)) < 48
        async with FakeCircleCI(world, ports=(ports[0], ports[1], ports[2])) as fake:
            report = await harvest(fake, into)
            report.raise_for_failures()

    asyncio.run(program())
    asyncio.run(again())
    assert tree(into) == usual_tree(all_artifacts(world))


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("ledger.queue.LedgerQueue.note_version", 1),
        ("ledger.catalog.Catalog.add", 6),
        ("list_reader.ListReader.items", 1),
    ],
)
async def test_an_internal_error_of_one_item_is_a_failure(
    where: str, count: int, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = small_world()
    all_artifacts(world)[0].job.artifact("large", size=3_000_000)

    def fail(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("a fault")

    async with FakeCircleCI(world) as fake:
        with monkeypatch.context() as patch:
            patch.setattr(f"circleci_async.harvest.{where}", fail)
            report = await harvest(fake, into)
        assert [failure.error for failure in report.failed] == ["a fault"] * count
        report = await harvest(fake, into)
        report.raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(world))


@pytest.mark.parametrize("where", ["backpressure.Backpressure.queued", "placement.Placement.commit"])
async def test_an_internal_error_ends_the_run_cleanly(where: str, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = small_world()
    all_artifacts(world)[0].job.artifact("large", size=3_000_000)

    def fail(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("a fault")

    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        with monkeypatch.context() as patch:
            patch.setattr(f"circleci_async.harvest.{where}", fail)
            with pytest.raises(ZeroDivisionError):
                await circle.harvest("gh/acme/api", into)
        assert tasks_of_the_package() == []
        check_nothing_in_use(circle)
        await check_agreement(into)
        report = await harvest(fake, into)
        report.raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(world))


# An unreachable host


@pytest.mark.parametrize("projects", [1, 8])
async def test_a_host_that_never_answered_ends_the_harvest_with_its_error(into: Path, projects: int) -> None:
    async with raw_server(answer(200, {})) as server:
        pass  # its port is closed now
    slugs = [f"gh/acme/p{number}" for number in range(projects)]
    async with ca.CircleCI("t", host=server.url, retry=QUICK) as circle:
        report = await circle.harvest(slugs, into, attempts=2)
    assert isinstance(report.error, ca.TransportError)
    assert not report.error.sent
    assert f"{server.host} refused the connection" in str(report.error)
    assert report.stopped == str(report.error)
    assert not report.is_complete
    assert not report.files
    with pytest.raises(ca.TransportError, match="refused the connection"):
        report.raise_for_failures()


async def test_a_harvest_continues_after_a_run_that_did_not_reach_the_host(into: Path) -> None:
    world = small_world()
    async with FakeCircleCI(world) as fake:
        async with raw_server(answer(200, {})) as server:
            pass
        async with ca.CircleCI("t", host=server.url, retry=QUICK) as circle:
            report = await circle.harvest("gh/acme/api", into, attempts=1)
        assert report.error is not None
        report = await harvest(fake, into)
    report.raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(world))
