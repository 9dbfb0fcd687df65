"""Downloading many artifacts: failures are independent, paths are unique, and concurrency is bounded."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.downloads.download import Progress
from circleci_async.models import Artifact
from circleci_async.testing import FakeCircleCI, RateLimit, World
from tests.downloads.file_server import all_files, artifact_at, by_path, client, in_sequence, random_bytes, served
from tests.leftovers import check_nothing_in_use
from tests.raw_server import Behaviour, Request, answer, raw_server


def counting(inner: Behaviour, running: list[int], *, seconds: float = 0.01) -> Behaviour:
    """Respond after a delay, and record the number of running requests."""
    now = 0

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        nonlocal now
        now += 1
        running.append(now)
        try:
            await asyncio.sleep(seconds)
            return await inner(request, writer)
        finally:
            now -= 1

    return behave


async def test_every_file_is_complete_although_all_are_interrupted(tmp_path: Path) -> None:
    chance = random.Random(7)
    contents = {f"/{n}": random_bytes(chance.choice([0, 1, 5_000, 70_000]), n) for n in range(60)}
    files: dict[str, Behaviour] = {}
    for path, content in contents.items():
        etag = chance.choice(['"v"', 'W/"v"', None])
        ranges = chance.random() < 0.7
        cuts = [chance.randrange(len(content) + 1) for _ in range(chance.randrange(3))]
        whole = served(content, etag=etag, ranges=ranges)
        files[path] = in_sequence(*[served(content, etag=etag, ranges=ranges, cut=cut) for cut in cuts], whole)
    async with raw_server(by_path(files)) as server, client(server) as circle:
        artifacts = [artifact_at(server, f"d{n % 7}/{n}", node=n % 3, address=f"/{n}") for n in range(60)]
        report = await circle.artifacts.download_all(artifacts, tmp_path / "out")
        report.raise_for_failures()
        check_nothing_in_use(circle)
    assert {file.artifact for file in report.files} == set(artifacts)
    for file in report.files:
        assert file.path.read_bytes() == contents[f"/{file.artifact.path.partition('/')[2]}"]
    assert set(all_files(tmp_path / "out")) == {
        file.path.relative_to(tmp_path / "out").as_posix() for file in report.files
    }
    assert report.bytes == sum(map(len, contents.values()))
    assert report.seconds > 0


async def test_failures_are_reported_and_all_other_files_downloaded(tmp_path: Path) -> None:
    content = random_bytes(1000)
    files = {
        "/good": served(content),
        "/forbidden": answer(403, {"message": "not yours"}),
        "/cut": served(content, etag=None, cut=10),
        "/broken": answer(500, "down"),
    }
    async with raw_server(by_path(files)) as server, client(server, attempts=2) as circle:
        good = [artifact_at(server, f"good/{n}", address="/good") for n in range(20)]
        bad = [artifact_at(server, name, address=f"/{name}") for name in ("gone", "forbidden", "cut", "broken")]
        hostile = artifact_at(server, "../escape", address="/good")
        wrong = Artifact(path="wrong", node_index=0, url="ftp://example.com/x")
        mixed = [*bad[:2], *good[:10], hostile, wrong, *good[10:], *bad[2:]]
        report = await circle.artifacts.download_all(mixed, tmp_path / "out", concurrency=3)
    assert {file.artifact for file in report.files} == set(good)
    kinds = {failure.artifact.path: type(failure.error) for failure in report.failed if failure.artifact}
    assert kinds == {
        "gone": ca.NotFound,
        "forbidden": ca.PermissionDenied,
        "cut": ca.DownloadInterrupted,
        "broken": ca.ServerError,
        "../escape": ca.UnsafePath,
        "wrong": ca.DownloadError,
    }
    assert set(all_files(tmp_path / "out")) == {artifact.path for artifact in good}
    assert not (tmp_path / "escape").exists()
    with pytest.raises(ca.DownloadError, match=r"^6 of 26 artifacts failed:\n") as caught:
        report.raise_for_failures()
    for path in kinds:
        assert f"  {path}: " in str(caught.value)
    assert caught.value.__cause__ is report.failed[0].error


async def test_one_file_that_cannot_be_written_does_not_fail_the_others(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    def spoil(progress: Progress) -> None:
        if progress.artifact.path == "3" and not progress.done:
            (tmp_path / "out" / "3").mkdir(exist_ok=True)  # under the name of the file

    async with raw_server(served(b"x")) as server, client(server) as circle:
        artifacts = [artifact_at(server, str(n)) for n in range(6)]
        report = await circle.artifacts.download_all(artifacts, tmp_path / "out", on_progress=spoil)
    assert [(f.artifact, type(f.error)) for f in report.failed] == [(artifacts[3], ca.DownloadError)]
    assert set(all_files(tmp_path / "out")) == {"0", "1", "2", "4", "5"}


async def test_a_failure_is_printable_for_any_artifact_path(tmp_path: Path) -> None:
    async with raw_server(served(b"x")) as server, client(server) as circle:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "gone").symlink_to("/dev/null/x")
        names = ["a\x1b[2Jb", "half \ud800", "line\nbreak", "", "gone/x/y/" + "z" * 300]
        artifacts = [artifact_at(server, name) for name in names]
        report = await circle.artifacts.download_all(artifacts, tmp_path / "out", concurrency=1)
    assert [failure.artifact for failure in report.failed] == artifacts
    assert [type(failure.error) for failure in report.failed] == [ca.UnsafePath] * 5
    for failure in report.failed:
        assert str(failure).isprintable()
    with pytest.raises(ca.DownloadError) as caught:
        report.raise_for_failures()
    assert len(str(caught.value).encode().splitlines()) == 6
    assert "'line\\nbreak'" in str(caught.value)


async def test_a_failure_names_its_artifact_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    async with raw_server(answer(404, {"message": "gone"})) as server, client(server) as circle:
        report = await circle.artifacts.download_all([artifact_at(server, "a/b")], tmp_path / "file")
        assert str(report.failed[0]).startswith("a/b: cannot be placed in ")
        report = await circle.artifacts.download_all([artifact_at(server, "a/b")], tmp_path / "out")
        assert str(report.failed[0]).startswith("a/b: 404 Not Found: gone")


async def test_a_long_list_of_failures_is_shortened(tmp_path: Path) -> None:
    async with raw_server(answer(404, {"message": "gone"})) as server, client(server) as circle:
        artifacts = [artifact_at(server, f"a{n}") for n in range(25)]
        report = await circle.artifacts.download_all(artifacts, tmp_path)
    with pytest.raises(ca.DownloadError, match="25 of 25 artifacts failed") as caught:
        report.raise_for_failures()
    assert "and 15 more" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 12
    assert len(server.requests) == 25  # a 404 is final


async def test_no_artifacts_give_an_empty_report(tmp_path: Path) -> None:
    async with raw_server(answer(500, "")) as server, client(server) as circle:
        report = await circle.artifacts.download_all([], tmp_path / "out")
    report.raise_for_failures()
    assert (report.files, report.failed, report.bytes, server.requests) == ((), (), 0, [])
    assert not (tmp_path / "out").exists()


async def test_files_of_parallel_nodes_and_colliding_names_get_unique_paths(tmp_path: Path) -> None:
    paths = [("log", 0), ("log", 1), ("log", 2), ("LOG", 0), ("log/x", 0), ("node-1/log", 0), ("log", 0)]
    files = {f"/{n}": served(random_bytes(500, n)) for n in range(len(paths))}
    async with raw_server(by_path(files)) as server, client(server) as circle:
        artifacts = [artifact_at(server, path, node=node, address=f"/{n}") for n, (path, node) in enumerate(paths)]
        for _ in range(2):  # a second run gets the paths of the first
            report = await circle.artifacts.download_all(artifacts, tmp_path / "out")
            report.raise_for_failures()
            assert len({file.path for file in report.files}) == len(paths)
            for file in report.files:
                assert file.path.read_bytes() == random_bytes(500, int(file.artifact.url.rpartition("/")[2]))
            assert set(all_files(tmp_path / "out")) == (
                {"log", "node-1/log", "node-2/log", "LOG~2", "log~3/x", "node-1/log~2", "log~4"}
            )


async def test_artifacts_of_two_jobs_with_equal_paths_are_all_kept(tmp_path: Path) -> None:
    world = World()
    workflow = world.project("gh/acme/api").pipeline(branch="main").workflow("build")
    jobs = [workflow.job("test"), workflow.job("lint")]
    for job in jobs:
        for n in range(3):
            job.artifact(f"reports/{n}.txt", f"{job.name} {n}".encode())
    async with FakeCircleCI(world) as fake, fake.client() as circle:

        async def both() -> AsyncIterator[Artifact]:
            for job in jobs:
                async for artifact in circle.artifacts.list("gh/acme/api", job.number or 0):
                    yield artifact

        report = await circle.artifacts.download_all(both(), tmp_path / "out")
        report.raise_for_failures()
    contents = sorted(f"{job.name} {n}".encode() for job in jobs for n in range(3))
    assert sorted(all_files(tmp_path / "out").values()) == contents


@pytest.mark.parametrize(("concurrency", "limit", "expected"), [(4, 32, 4), (16, 3, 3), (1, 32, 1)])
async def test_concurrency_is_bounded_by_the_argument_and_by_the_client(
    concurrency: int, limit: int, expected: int, tmp_path: Path
) -> None:
    running: list[int] = []
    async with raw_server(counting(served(b"x"), running)) as server, client(server, concurrency=limit) as circle:
        artifacts = [artifact_at(server, str(n)) for n in range(20)]
        report = await circle.artifacts.download_all(artifacts, tmp_path, concurrency=concurrency)
    assert (len(report.files), max(running)) == (20, expected)


async def test_downloads_and_other_calls_share_the_concurrency_of_the_client(tmp_path: Path) -> None:
    running: list[int] = []
    routes = {"/file": served(b"x"), "/api/v2/me": answer(200, {"id": "1", "login": "me", "name": "Me"})}
    async with raw_server(counting(by_path(routes), running)) as server, client(server, concurrency=4) as circle:
        artifacts = [artifact_at(server, str(n)) for n in range(10)]
        await asyncio.gather(
            circle.artifacts.download_all(artifacts, tmp_path / "1"),
            circle.artifacts.download_all(artifacts, tmp_path / "2"),
            *(circle.users.me() for _ in range(10)),
        )
        check_nothing_in_use(circle)
    assert (len(running), max(running)) == (30, 4)


@pytest.mark.parametrize("concurrency", [0, -1])
async def test_a_concurrency_below_one_is_refused_at_once(concurrency: int, tmp_path: Path) -> None:
    async with raw_server(answer(500, "")) as server, client(server) as circle:
        artifacts = iter([artifact_at(server)])
        with pytest.raises(ca.InvalidArgument, match=f"concurrency must be a positive integer, got {concurrency}"):
            await circle.artifacts.download_all(artifacts, tmp_path / "out", concurrency=concurrency)
        assert server.requests == []
        assert len(list(artifacts)) == 1  # not even read from the list


def page(server_url: str, numbers: range, following: str | None) -> Behaviour:
    items = [{"path": str(n), "node_index": 0, "url": f"{server_url}/file"} for n in numbers]
    return answer(200, {"items": items, "next_page_token": following})


async def test_files_are_downloaded_while_their_list_is_read(tmp_path: Path) -> None:
    listing = "/api/v2/project/gh/acme/api/7/artifacts"
    async with raw_server() as server, client(server) as circle:

        async def second_page(request: Request, writer: asyncio.StreamWriter) -> bool | None:
            while not list(tmp_path.glob("out/[0-9]*")):
                await asyncio.sleep(0.001)  # not before a file of the first page exists
            return await page(server.url, range(20, 25), None)(request, writer)

        pages = in_sequence(page(server.url, range(20), "two"), second_page)
        server.behaviours.append(by_path({listing: pages, "/file": served(b"x")}))
        artifacts = circle.artifacts.list("gh/acme/api", 7)
        report = await asyncio.wait_for(circle.artifacts.download_all(artifacts, tmp_path / "out"), 20)
    report.raise_for_failures()
    assert set(all_files(tmp_path / "out")) == {str(n) for n in range(25)}


async def test_pages_of_the_list_are_requested_no_faster_than_files_are_downloaded(tmp_path: Path) -> None:
    listing = "/api/v2/project/gh/acme/api/7/artifacts"
    there: list[int] = []  # number of files at each request of a page
    async with raw_server() as server, client(server) as circle:

        async def pages(request: Request, writer: asyncio.StreamWriter) -> bool | None:
            number = len(there)
            there.append(len(list(tmp_path.glob("out/[0-9]*"))))
            following = str(number + 1) if number < 4 else None
            return await page(server.url, range(number * 10, number * 10 + 10), following)(request, writer)

        server.behaviours.append(by_path({listing: pages, "/file": served(b"x")}))
        report = await circle.artifacts.download_all(
            circle.artifacts.list("gh/acme/api", 7), tmp_path / "out", concurrency=2
        )
    assert len(report.files) == 50
    assert len(there) == 5
    assert all(files >= number * 10 - 2 for number, files in enumerate(there))


async def test_a_list_that_fails_is_reported_and_its_items_are_downloaded(tmp_path: Path) -> None:
    listing = "/api/v2/project/gh/acme/api/7/artifacts"
    async with raw_server() as server, client(server, attempts=2) as circle:
        pages = in_sequence(page(server.url, range(20), "two"), answer(500, {"message": "no second page"}))
        server.behaviours.append(by_path({listing: pages, "/file": served(b"x")}))
        report = await circle.artifacts.download_all(circle.artifacts.list("gh/acme/api", 7), tmp_path / "out")
        check_nothing_in_use(circle)
    assert set(all_files(tmp_path / "out")) == {str(n) for n in range(20)}
    assert len(report.files) == 20
    [failure] = report.failed
    assert failure.artifact is None
    assert isinstance(failure.error, ca.ServerError)
    assert failure.error.page_token == "two"  # where to continue
    with pytest.raises(ca.DownloadError, match="the list of artifacts: 500"):
        report.raise_for_failures()


async def test_an_error_of_the_callers_iterable_is_raised(tmp_path: Path) -> None:
    def artifacts(url: str) -> Iterator[Artifact]:
        yield Artifact(path="a", node_index=0, url=f"{url}/file")
        raise LookupError("my own")

    async with raw_server(served(b"x")) as server, client(server) as circle:
        with pytest.raises(LookupError, match="my own"):
            await circle.artifacts.download_all(artifacts(server.url), tmp_path / "out")
        check_nothing_in_use(circle)
    assert all_files(tmp_path / "out") == {"a": b"x"}


async def test_progress_of_all_files_adds_up(tmp_path: Path) -> None:
    contents = {f"/{n}": random_bytes(40_000 * n, n) for n in range(8)}
    files = {
        path: in_sequence(served(c, cut=len(c) // 2), served(c, ranges=path < "/4")) for path, c in contents.items()
    }
    latest: dict[str, Progress] = {}
    done: list[str] = []

    def watch(progress: Progress) -> None:
        path = progress.artifact.path
        before = latest.get(path)
        assert before is None or not before.done
        assert before is None or progress.received >= before.received or progress.received == 0
        latest[path] = progress
        if progress.done:
            done.append(path)

    async with raw_server(by_path(files)) as server, client(server) as circle:
        artifacts = [artifact_at(server, str(n), address=f"/{n}") for n in range(8)]
        report = await circle.artifacts.download_all(artifacts, tmp_path, on_progress=watch)
    report.raise_for_failures()
    assert sum(progress.received for progress in latest.values()) == report.bytes == sum(map(len, contents.values()))
    assert sorted(done) == [str(n) for n in range(8)]


async def test_downloads_survive_rate_limits_faults_and_expired_signatures(tmp_path: Path) -> None:
    world = World()
    job = world.project("gh/acme/api").pipeline(branch="main").workflow("build").job("test")
    contents = {f"d/{n}.bin": random_bytes(20_000, n) for n in range(50)}
    for path, content in contents.items():
        job.artifact(path, content)
    retry = ca.RetryPolicy(attempts=10, initial_delay=0.001, max_delay=0.01)
    limit = RateLimit(50, burst=2)
    async with FakeCircleCI(world, rate_limit=limit) as fake, fake.client(retry=retry, concurrency=8) as circle:
        fake.fail(origin="storage", cut=5_000, times=8, after=3)
        fake.fail(origin="storage", expired=True, times=5, after=2)
        fake.fail(origin="artifacts", status=503, times=5, after=5)
        fake.fail(origin="storage", reset="before", times=5, after=8)
        artifacts = circle.artifacts.list("gh/acme/api", job.number or 0)
        report = await circle.artifacts.download_all(artifacts, tmp_path / "out")
        stored = [request for request in fake.requests if request.origin == "storage"]
    report.raise_for_failures()
    assert all_files(tmp_path / "out") == contents
    assert all(file.verified for file in report.files)
    assert sum(file.resumed for file in report.files) == 8
    assert not any(re.search("(?i)circle-token|authorization|cookie", name) for r in stored for name in r.headers)
