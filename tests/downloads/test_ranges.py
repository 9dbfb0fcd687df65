"""A large file is received over several connections, each of which requests ranges of it."""

import asyncio
import errno
import hashlib
import re
import signal
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.core.speed import WINDOW
from circleci_async.downloads import file_lock, range_map, range_receiver
from circleci_async.downloads.download import Progress
from circleci_async.downloads.part_file import PartFile
from tests.downloads.file_server import all_files, artifact_at, by_path, client, served
from tests.downloads.outcome import Outcome, outcome
from tests.downloads.range_server import (
    ALONE,
    CONTENT,
    OTHER,
    PIECE,
    SIZE,
    one_late,
    paced,
    requested,
    use_small_pieces,
)
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_in_use, check_nothing_is_left, tasks_of_the_package
from tests.raw_server import Behaviour, RawServer, Request, answer, hang_up, raw_server


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    use_small_pieces(monkeypatch.setattr)


def ranges_of(found: Outcome) -> list[tuple[int, int]]:
    return [span for request in found.requests if (span := requested(request))]


def for_ranges(behaviour: Behaviour, *, whole: Behaviour | None = None, first: int = 0) -> Behaviour:
    """Answer requests for bounded ranges with a behaviour, except the `first` ones, and others with `whole`."""
    count = 0

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        nonlocal count
        count += requested(request) is not None
        chosen = behaviour if requested(request) and count > first else whole or paced()
        return await chosen(request, writer)

    return behave


def check_content(found: Outcome, content: bytes = CONTENT) -> None:
    assert found.got.sha256 == hashlib.sha256(content).hexdigest()
    assert found.got.path.read_bytes() == content
    assert found.got.verified


async def test_up_to_eight_connections_receive_ranges(tmp_path: Path) -> None:
    async with raw_server(paced()) as server, client(server) as circle:
        progress: list[Progress] = []
        in_flight: list[int] = []

        def watch(each: Progress) -> None:
            progress.append(each)
            in_flight.append(circle.stats.in_flight)

        got = await circle.artifacts.download(artifact_at(server), tmp_path, on_progress=watch)
        assert (got.path.read_bytes(), got.sha256) == (CONTENT, hashlib.sha256(CONTENT).hexdigest())
        assert (got.resumed, got.verified, got.etag) == (0, True, '"v1"')
        assert range_receiver.MAX_CONNECTIONS // 2 < max(in_flight) <= range_receiver.MAX_CONNECTIONS
        assert server.requests[0].headers.get("range") is None
        ranges = sorted(span for request in server.requests[1:] if (span := requested(request)))
        assert len(ranges) == len(server.requests) - 1
        assert all(stop % PIECE == 0 or stop == SIZE for _, stop in ranges)
        assert all(one[1] <= other[0] for one, other in pairwise(ranges))
        assert {request.headers.get("if-range") for request in server.requests[1:]} == {'"v1"'}
        received = [each.received for each in progress]
        assert received == sorted(received)
        assert received[-1] == SIZE
        check_nothing_in_use(circle)


@pytest.mark.parametrize(
    ("constant", "value"),
    [("MIN_SIZE", SIZE + 1), ("MAX_SPEED", 1), ("MIN_WAITED", 3600)],
)
async def test_one_connection_is_used_for_a_smaller_file_or_a_fast_server(
    constant: str, value: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(range_receiver, constant, value)
    found = await outcome(tmp_path, paced(pause=0))
    assert found.ranges == [None]
    check_content(found)


@pytest.mark.parametrize(
    ("etag", "headers"),
    [(None, None), ('W/"v1"', None), (f'"{"v" * 2000}"', None), ('"v1"', {"Accept-Ranges": "none"})],
    ids=["no ETag", "a weak ETag", "a long ETag", "no ranges"],
)
async def test_one_connection_is_used_without_ranges_or_a_strong_etag(
    etag: str | None, headers: dict[str, str] | None, tmp_path: Path
) -> None:
    found = await outcome(tmp_path, served(CONTENT, etag=etag, headers=headers))
    assert found.ranges == [None]
    check_content(found)


async def test_a_connection_that_is_fast_enough_continues_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(range_receiver, "MIN_MEASURED", PIECE)
    calls = 0

    class Limit(float):
        def __gt__(self, other: float) -> bool:  # slow when the first connection is measured, then fast
            nonlocal calls
            calls += 1
            return calls == 1

        def __le__(self, other: float) -> bool:
            return True

    monkeypatch.setattr(range_receiver, "MAX_SPEED", Limit())
    found = await outcome(tmp_path, paced())
    assert 0 < len(ranges_of(found)) <= range_receiver.MAX_CONNECTIONS
    assert re.fullmatch(r"bytes=\d+-", found.ranges[-1] or "")
    check_content(found)


async def test_a_server_that_ignores_ranges_finishes_its_first_response(tmp_path: Path) -> None:
    refused = asyncio.Event()

    async def rest(request: Request, writer: asyncio.StreamWriter) -> bool:
        await refused.wait()
        await asyncio.sleep(0.1)  # until the client has received the other response
        writer.write(CONTENT[ALONE + PIECE // 2 :])
        await writer.drain()
        return True

    async def ignore(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        refused.set()
        return await served(CONTENT, ranges=False)(request, writer)

    found = await outcome(tmp_path, for_ranges(ignore, whole=served(CONTENT, cut=ALONE + PIECE // 2, then=rest)))
    assert 0 < len(ranges_of(found)) < range_receiver.MAX_CONNECTIONS
    assert len(ranges_of(found)) == len(found.requests) - 1
    assert found.got.resumed == 0
    check_content(found)


async def test_the_bytes_after_a_late_range_are_hashed_when_it_has_arrived(tmp_path: Path) -> None:
    found = await outcome(tmp_path, one_late(2))
    check_content(found)
    assert sum(stop - start for start, stop in ranges_of(found)) < SIZE - ALONE


def with_headers(status: int = 206, **changed: str | None) -> Behaviour:
    """Answer a range with its bytes, but other headers. `{0}`: its first position, `{1}`: its last one."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool:
        begin, end = requested(request) or (0, SIZE)
        fields: dict[str, str | None] = {"Content-Length": str(end - begin), "ETag": '"v1"'}
        fields |= {"Content-Range": "bytes {0}-{1}/{2}"}
        fields |= {name.replace("_", "-"): value for name, value in changed.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
        head = f"HTTP/1.1 {status} X\r\n{lines}\r\n".format(begin, end - 1, SIZE, end - 2, begin + 1)
        writer.write(head.encode() + CONTENT[begin:end])
        await writer.drain()
        return True

    return behave


WRONG = {
    "status 200": with_headers(200),
    "status 203": with_headers(203),
    "no Content-Range": with_headers(Content_Range=None),
    "a later start": with_headers(Content_Range="bytes {4}-{1}/{2}"),
    "an earlier end": with_headers(Content_Range="bytes {0}-{3}/{2}"),
    "another size": with_headers(Content_Range="bytes {0}-{1}/1{2}"),
    "not bytes": with_headers(Content_Range="items {0}-{1}/{2}"),
    "no ETag": with_headers(ETag=None),
    "another ETag": with_headers(ETag='"v2"'),
    "a weak ETag": with_headers(ETag='W/"v1"'),
    "encoded": with_headers(Content_Encoding="gzip"),
    "another length": with_headers(Content_Length="5"),
    "416": answer(416, "no such range"),
    "412": answer(412, "another version"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("first", [0, 5])
async def test_a_wrong_response_to_a_range_ends_all_ranges(name: str, first: int, tmp_path: Path) -> None:
    """Also that of one part in the middle. The rest is received over one connection."""
    count = 0

    async def one_wrong(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        nonlocal count
        count += 1
        return await (WRONG[name] if count == 1 else paced())(request, writer)

    found = await outcome(tmp_path, for_ranges(one_wrong, whole=paced(), first=first))
    if name != "another length":  # that is a truncated response
        assert len(ranges_of(found)) <= first + 1 + range_receiver.MAX_CONNECTIONS
    check_content(found)


@pytest.mark.parametrize("first", [0, 3, 9])
async def test_another_version_midway_is_received_from_its_start(first: int, tmp_path: Path) -> None:
    """The first response is interrupted, so that the old version cannot be completed."""
    new = served(OTHER, etag='"v2"')
    old = paced(pause=0.001)
    count = 0

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        nonlocal count
        count += 1
        if count == 1:
            return await served(CONTENT, cut=ALONE + 2 * PIECE, then=hang_up)(request, writer)
        return await (old if count <= first + 1 else new)(request, writer)

    found = await outcome(tmp_path, behave)
    check_content(found, OTHER)
    assert found.got.etag == '"v2"'


async def test_truncated_ranges_are_resumed(tmp_path: Path) -> None:
    cut = 0

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        nonlocal cut
        if requested(request) and cut < 6:
            cut += 1
            return await served(CONTENT, cut=100_000)(request, writer)
        return await paced()(request, writer)

    found = await outcome(tmp_path, behave)
    check_content(found)
    assert found.got.resumed == 6
    assert sum(stop - start for start, stop in ranges_of(found)) < SIZE + 6 * PIECE


async def test_connections_that_are_refused_are_not_repeated(tmp_path: Path) -> None:
    """The server answers three requests of a file at a time."""
    active = refused = 0

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        nonlocal active, refused
        if active == 3:
            refused += 1
            return await answer(503, "too many connections")(request, writer)
        active += 1
        try:
            return await paced()(request, writer)
        finally:
            active -= 1

    found = await outcome(tmp_path, behave)
    check_content(found)
    assert 0 < refused <= 2 * range_receiver.MAX_CONNECTIONS
    assert found.got.resumed == 0


async def test_a_server_that_refuses_every_range_fails_the_download(tmp_path: Path) -> None:
    whole = served(CONTENT, cut=ALONE + 2 * PIECE, then=hang_up)

    async def refuse(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        return await (answer(403, "expired") if "range" in request.headers else whole)(request, writer)

    found = await outcome(tmp_path, refuse)
    assert isinstance(found.failure, ca.PermissionDenied)
    assert found.files == {}


@pytest.mark.parametrize("concurrency", [1, 2, 3])
async def test_the_permits_of_the_client_bound_the_connections(concurrency: int, tmp_path: Path) -> None:
    files = {f"/{n}": paced() for n in range(4)}
    async with raw_server(by_path(files)) as server, client(server, concurrency=concurrency) as circle:
        artifacts = [artifact_at(server, str(n), address=f"/{n}") for n in range(4)]
        in_flight: list[int] = []
        download = circle.artifacts.download_all(
            artifacts, tmp_path, concurrency=2, on_progress=lambda _: in_flight.append(circle.stats.in_flight)
        )
        (await asyncio.wait_for(download, 30)).raise_for_failures()
        assert all(content == CONTENT for content in all_files(tmp_path).values())
        assert max(in_flight) <= concurrency
        check_nothing_in_use(circle)


async def test_other_calls_do_not_wait_for_the_end_of_a_range(tmp_path: Path) -> None:
    """Ranges never end before the other call has been answered; all permits are held when it starts."""
    answered = asyncio.Event()

    async def slow(request: Request, writer: asyncio.StreamWriter) -> bool:
        begin, end = requested(request) or (0, SIZE)
        await served(CONTENT, cut=ALONE + 1 if begin == 0 else 0, then=trickle(begin or ALONE + 1, end))(
            request, writer
        )
        return True

    def trickle(begin: int, end: int) -> Behaviour:
        async def behave(request: Request, writer: asyncio.StreamWriter) -> bool:
            while not answered.is_set() and begin < end - 1000:
                writer.write(CONTENT[begin : begin + 1])
                await writer.drain()
                await asyncio.sleep(0.005)
                begin_next()
            writer.write(CONTENT[begin:end])
            await writer.drain()
            return True

        def begin_next() -> None:
            nonlocal begin
            begin += 1

        return behave

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        if request.path == "/api/v2/me":
            answered.set()
            return await answer(body={"id": "1", "login": "a", "name": "b"})(request, writer)
        return await slow(request, writer)

    async with raw_server(behave) as server, client(server, concurrency=4) as circle:
        download = asyncio.create_task(circle.artifacts.download(artifact_at(server), tmp_path))
        while circle.stats.in_flight < 4:
            await asyncio.sleep(0.002)
        assert (await asyncio.wait_for(circle.users.me(), 10)).login == "a"
        assert (await download).path.read_bytes() == CONTENT


@fast_clock
async def test_a_range_that_trickles_is_interrupted(tmp_path: Path) -> None:
    slow = 0

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        nonlocal slow
        if requested(request) and slow < 2:
            slow += 1
            return await paced(pause=WINDOW * 10)(request, writer)
        return await paced()(request, writer)

    async with raw_server(behave) as server, client(server) as circle:
        began = asyncio.get_running_loop().time()
        options = circle.with_options(timeout=1000)
        got = await asyncio.wait_for(options.artifacts.download(artifact_at(server), tmp_path), 2000)
        assert got.path.read_bytes() == CONTENT
        assert asyncio.get_running_loop().time() - began < 40 * WINDOW
        await check_nothing_is_left(circle)


@pytest.mark.parametrize("moment", [ALONE, ALONE + 1, 2 * ALONE, SIZE - PIECE, SIZE])
async def test_a_cancelled_download_leaves_nothing(moment: int, tmp_path: Path) -> None:
    async with raw_server(paced()) as server, client(server) as circle:

        def watch(progress: Progress) -> None:
            if progress.received >= moment:
                task.cancel()

        task = asyncio.create_task(circle.artifacts.download(artifact_at(server), tmp_path, on_progress=watch))
        await asyncio.wait([task])
        assert task.cancelled()
        assert tasks_of_the_package() == []
        check_nothing_in_use(circle)
        assert all_files(tmp_path) == {}
        server.behaviours[:] = [paced()]
        assert (await circle.artifacts.download(artifact_at(server), tmp_path)).size == SIZE


async def test_a_download_is_cancelled_repeatedly_while_threads_write(tmp_path: Path) -> None:
    async with raw_server(paced()) as server, client(server) as circle:
        came = asyncio.Event()

        def watch(progress: Progress) -> None:
            if progress.received >= 2 * ALONE:
                came.set()

        task = asyncio.create_task(circle.artifacts.download(artifact_at(server), tmp_path, on_progress=watch))
        await came.wait()
        while not task.done():
            task.cancel()
            await asyncio.sleep(0)
        assert task.cancelled()
        assert tasks_of_the_package() == []
        assert all_files(tmp_path) == {}


async def test_closing_the_client_ends_all_connections(tmp_path: Path) -> None:
    async with raw_server(paced(pause=0.05)) as server, client(server) as circle:
        task = asyncio.create_task(circle.artifacts.download(artifact_at(server), tmp_path))
        while server.in_flight < range_receiver.MAX_CONNECTIONS:
            await asyncio.sleep(0.002)
        await circle.aclose()
        with pytest.raises(ca.CircleCIError):
            await asyncio.wait_for(task, 10)
        await server.all_closed()
        assert all_files(tmp_path) == {}
        assert tasks_of_the_package() == []


def fail_after(count: int, error: OSError) -> Callable[[PartFile, int, list[bytes]], None]:
    write = PartFile.write_range

    def failing(self: PartFile, start: int, parts: list[bytes]) -> None:
        nonlocal count
        count -= 1
        if count < 0:
            raise error
        write(self, start, parts)

    return failing


@pytest.mark.parametrize("count", [0, 3])
async def test_a_full_disk_ends_the_download(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(PartFile, "write_range", fail_after(count, error))
    found = await outcome(tmp_path, paced())
    assert "cannot be written" in str(found.failure)
    assert "No space left on device" in str(found.failure)


async def test_the_first_connection_ends_while_others_are_interrupted(tmp_path: Path) -> None:
    """All other connections fail once; what they leave is received by the first one."""
    seen: set[tuple[int, int]] = set()

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        span = requested(request)
        if span and span not in seen:
            seen.add(span)
            await hang_up(request, writer)
            return False
        return await paced()(request, writer)

    found = await outcome(tmp_path, behave)
    check_content(found)
    assert found.got.resumed == 0


PROGRAM = """
import asyncio, os, signal, sys
import circleci_async as ca
from circleci_async.downloads.part_file import PartFile
from tests.downloads.range_server import use_small_pieces

use_small_pieces(setattr)
write, written = PartFile.write_range, []

def deadly(self, start, parts):
    write(self, start, parts)
    written.append(start)
    if len(written) >= 3 and len(self.ranges.written) > 1:
        os.kill(os.getpid(), signal.SIGKILL)

PartFile.write_range = deadly

async def main(url, folder):
    artifact = ca.models.Artifact(path="report.bin", node_index=0, url=url + "/file")
    async with ca.CircleCI("t", host=url, trust_env=False) as circle:
        await circle.artifacts.download(artifact, folder)

asyncio.run(main(*sys.argv[1:]))
"""


async def kill(server: RawServer, folder: Path) -> Path:
    """Download in a process that is killed with ranges after a gap; return the partial file."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, server.url, str(folder)), cwd=Path(__file__).parents[2]
    )
    assert await child.wait() == -signal.SIGKILL
    server.behaviours[:] = [paced()]
    server.requests.clear()
    [part] = folder.glob(".report.bin.*.part")
    return part


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be recognized there")
@pytest.mark.parametrize("is_alone", [True, False])
async def test_a_killed_download_continues_with_the_ranges_that_are_there(is_alone: bool, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    async with raw_server(one_late(50)) as server, client(server) as circle:
        part = await kill(server, folder)
        (folder / ".report.bin.00000000.part").write_bytes(b"what a download of a small file left")
        artifact = artifact_at(server)
        if is_alone:
            got = await circle.artifacts.download(artifact, folder)
        else:
            [got] = (await circle.artifacts.download_all([artifact], folder)).files
        assert got.sha256 == hashlib.sha256(CONTENT).hexdigest()
        assert all_files(folder) == {"report.bin": CONTENT}
        assert not part.exists()
        assert "range" in server.requests[0].headers
        spans = [span for request in server.requests if (span := requested(request))]
        assert sum(stop - start for start, stop in spans) < SIZE - ALONE - PIECE


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be recognized there")
@pytest.mark.parametrize("why", ["another URL", "another version", "damaged", "a link", "being written"])
async def test_other_partial_files_are_not_continued(why: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    async with raw_server(one_late(50)) as server, client(server) as circle:
        part = await kill(server, folder)
        data, expected = part.read_bytes(), CONTENT
        if why == "another version":
            server.behaviours[:] = [paced(OTHER, etag='"v2"')]
            expected = OTHER
        elif why == "damaged":
            part.write_bytes(data[: -range_map.STORED] + b"0" + data[1 - range_map.STORED :])
        elif why == "a link":
            part.rename(tmp_path / "mine")
            part.symlink_to(tmp_path / "mine")
        artifact = artifact_at(server, address="/other" if why == "another URL" else "/file")
        with part.open("r+b") as running:
            if why == "being written":
                file_lock.try_lock(running.fileno())
            got = await circle.artifacts.download(artifact, folder)
        assert got.path.read_bytes() == expected
        if why != "another version":
            assert "range" not in server.requests[0].headers
        if why == "a link":
            assert (tmp_path / "mine").read_bytes() == data
        elif why == "being written":
            assert part.read_bytes() == data
        else:
            assert list(all_files(folder)) == ["report.bin"]
