"""A download can be cancelled at any moment: no incomplete file, nothing in use, and the client keeps working."""

import asyncio
import random
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.downloads.download import Progress
from circleci_async.downloads.file_threads import MAX_BATCH
from circleci_async.models import Artifact
from tests.downloads.file_server import all_files, artifact_at, by_path, client, in_sequence, random_bytes, served
from tests.leftovers import check_nothing_in_use, tasks_of_the_package
from tests.raw_server import RawServer, answer, hang, raw_server

CONTENT = random_bytes(2 * MAX_BATCH + 1)


async def check_that_all_is_well(circle: ca.CircleCI, server: RawServer, folder: Path) -> None:
    """Check that all files are complete, and that the client still works."""
    assert tasks_of_the_package() == []
    check_nothing_in_use(circle)
    assert set(all_files(folder).values()) <= {CONTENT}
    assert not any(".part" in name for name in all_files(folder))
    server.behaviours[:] = [served(CONTENT)]
    got = await circle.artifacts.download(artifact_at(server, "another"), folder)
    assert got.path.read_bytes() == CONTENT


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 12, 17, 23, 30, 50, 100, 200, 400])
async def test_a_download_is_cancelled_after_some_iterations_of_the_loop(turns: int, tmp_path: Path) -> None:
    faults = [served(CONTENT, cut=MAX_BATCH + 7), answer(503, "busy"), served(CONTENT)]
    async with raw_server(*faults) as server, client(server, concurrency=1) as circle:
        task = asyncio.create_task(circle.artifacts.download(artifact_at(server), tmp_path / "out"))
        for _ in range(turns):
            await asyncio.sleep(0)
        cancelled = task.cancel()
        [result] = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(result, asyncio.CancelledError if cancelled else ca.Download)
        await check_that_all_is_well(circle, server, tmp_path / "out")


@pytest.mark.parametrize("step", [1, 2, 5, 9, 10, 15, 20])
async def test_a_download_is_cancelled_after_some_bytes(step: int, tmp_path: Path) -> None:
    """After `step` tenths of a batch, so also while a thread writes the previous batch."""
    faults = [served(CONTENT, cut=MAX_BATCH + 7), served(CONTENT)]
    async with raw_server(*faults) as server, client(server, concurrency=1) as circle:

        def watch(progress: Progress) -> None:
            if progress.received >= step * MAX_BATCH // 10:
                task.cancel()

        task = asyncio.create_task(circle.artifacts.download(artifact_at(server), tmp_path / "out", on_progress=watch))
        with pytest.raises(asyncio.CancelledError):
            await task
        assert all_files(tmp_path / "out") == {}
        await check_that_all_is_well(circle, server, tmp_path / "out")


async def test_a_download_is_cancelled_repeatedly_while_a_thread_writes(tmp_path: Path) -> None:
    async with raw_server(served(CONTENT, cut=MAX_BATCH, then=hang)) as server, client(server) as circle:
        came = asyncio.Event()

        def watch(progress: Progress) -> None:
            if progress.received >= MAX_BATCH:
                came.set()

        task = asyncio.create_task(circle.artifacts.download(artifact_at(server), tmp_path / "out", on_progress=watch))
        await came.wait()
        while not task.done():
            task.cancel()
            await asyncio.sleep(0)
        assert task.cancelled()
        assert all_files(tmp_path / "out") == {}
        await check_that_all_is_well(circle, server, tmp_path / "out")


async def test_a_timeout_of_the_caller_ends_a_download(tmp_path: Path) -> None:
    async with raw_server(served(CONTENT, cut=MAX_BATCH, then=hang)) as server, client(server) as circle:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await circle.artifacts.download(artifact_at(server), tmp_path / "out")
        assert all_files(tmp_path / "out") == {}
        await check_that_all_is_well(circle, server, tmp_path / "out")


async def test_a_download_cancelled_while_it_waits_for_a_permit_sends_nothing(tmp_path: Path) -> None:
    async with raw_server(served(CONTENT, cut=10, then=hang)) as server, client(server, concurrency=1) as circle:
        first = asyncio.create_task(circle.artifacts.download(artifact_at(server, "1"), tmp_path / "out"))
        while not server.requests:
            await asyncio.sleep(0.001)
        second = asyncio.create_task(circle.artifacts.download(artifact_at(server, "2"), tmp_path / "out"))
        await asyncio.sleep(0.01)
        second.cancel()
        await asyncio.wait([second])
        assert (second.cancelled(), len(server.requests)) == (True, 1)
        first.cancel()
        await asyncio.wait([first])
        await check_that_all_is_well(circle, server, tmp_path / "out")


@pytest.mark.parametrize("seed", range(8))
async def test_many_cancelled_downloads_leave_only_complete_files(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    files = {
        f"/{n}": in_sequence(served(CONTENT, cut=chance.randrange(len(CONTENT))), answer(500, "no"), served(CONTENT))
        for n in range(12)
    }
    async with raw_server(by_path(files)) as server, client(server, concurrency=5) as circle:
        artifacts = [artifact_at(server, f"d/{n}", address=f"/{n}") for n in range(12)]
        stop = chance.uniform(0, 0.9) * 12 * len(CONTENT)
        received: dict[str, int] = {}

        def watch(progress: Progress) -> None:
            received[progress.artifact.path] = progress.received
            if sum(received.values()) >= stop:
                task.cancel()

        task = asyncio.create_task(
            circle.artifacts.download_all(artifacts, tmp_path / "out", concurrency=4, on_progress=watch)
        )
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(all_files(tmp_path / "out")) < 12
        await check_that_all_is_well(circle, server, tmp_path / "out")


async def test_closing_the_client_ends_a_download(tmp_path: Path) -> None:
    async with raw_server(served(CONTENT, cut=MAX_BATCH, then=hang)) as server, client(server) as circle:
        came = asyncio.Event()
        download = circle.artifacts.download(
            artifact_at(server), tmp_path / "out", on_progress=lambda progress: came.set()
        )
        task = asyncio.create_task(download)
        await came.wait()
        await circle.aclose()
        with pytest.raises(ca.CircleCIError):
            await asyncio.wait_for(task, 10)
        assert all_files(tmp_path / "out") == {}
        assert tasks_of_the_package() == []


async def test_the_end_of_the_program_leaves_no_incomplete_file(tmp_path: Path) -> None:
    """`asyncio.run` cancels a download in a background task together with all other tasks."""
    folder = tmp_path / "out"

    def program(url: str) -> None:
        async def main() -> None:
            circle = ca.CircleCI("t", host=url, artifact_hosts=())
            artifact = Artifact(path="a", node_index=0, url=f"{url}/file")
            came = asyncio.Event()

            def watch(progress: Progress) -> None:
                if progress.received >= MAX_BATCH:
                    came.set()

            asyncio.create_task(circle.artifacts.download(artifact, folder, on_progress=watch)).add_done_callback(
                lambda task: task.cancelled() or task.exception()
            )
            await came.wait()
            await circle.aclose()

        asyncio.run(main())

    async with raw_server(served(CONTENT, cut=MAX_BATCH, then=hang)) as server:
        await asyncio.to_thread(program, server.url)
    assert all_files(folder) == {}
