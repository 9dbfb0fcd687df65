"""Downloading one artifact to a file, which is complete or absent."""

import asyncio
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.downloads.download import Progress
from circleci_async.downloads.file_threads import INLINE, MAX_BATCH
from circleci_async.downloads.part_file import PartFile
from tests.downloads.file_server import all_files, artifact_at, client, random_bytes, served
from tests.downloads.outcome import outcome
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_in_use
from tests.raw_server import after, answer, hang, raw_server

LARGE = random_bytes(2 * MAX_BATCH + 12_345)
SMALL = random_bytes(1_000)

needs_posix = pytest.mark.skipif(os.name != "posix", reason="links, modes and limits as POSIX has them")


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Make writes beyond this size fail, as on a full disk."""
    import resource  # POSIX only

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    "size",
    [
        0,
        1,
        INLINE - 1,
        INLINE,
        INLINE + 1,
        MAX_BATCH - 1,
        MAX_BATCH,
        MAX_BATCH + 1,
        2 * MAX_BATCH,
        2 * MAX_BATCH + INLINE + 1,
    ],
)
async def test_files_of_all_sizes_are_complete(size: int, tmp_path: Path) -> None:
    content = LARGE[:size] if size <= len(LARGE) else random_bytes(size)
    result = await outcome(tmp_path / "out", served(content))
    assert result.files == {"report.bin": content}
    assert (result.got.size, result.got.sha256) == (size, hashlib.sha256(content).hexdigest())
    assert result.got.path == tmp_path / "out" / "report.bin"


async def test_a_download_describes_the_file(tmp_path: Path) -> None:
    async with raw_server(served(SMALL)) as server, client(server) as circle:
        artifact = artifact_at(server, "a/b.bin", node=3)
        got = await circle.artifacts.download(artifact, str(tmp_path))
    assert got == ca.Download(
        artifact=artifact,
        path=tmp_path / "node-3" / "a" / "b.bin",
        size=1_000,
        sha256=hashlib.sha256(SMALL).hexdigest(),
        verified=True,
        etag='"v1"',
        content_encoding=None,
        resumed=0,
    )


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a\\..\\x", "c:/x", "a\0", "", ".", "a\nb", "\ud800", "x" * 300])
async def test_a_hostile_path_is_refused_before_anything_is_sent(path: str, tmp_path: Path) -> None:
    async with raw_server(served(SMALL)) as server, client(server) as circle:
        with pytest.raises(ca.UnsafePath):
            await circle.artifacts.download(artifact_at(server, path), tmp_path / "out")
        assert server.requests == []
        assert not (tmp_path / "out").exists()


@needs_posix
async def test_a_link_out_of_the_destination_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to("../outside")
    async with raw_server(served(SMALL)) as server, client(server) as circle:
        with pytest.raises(ca.UnsafePath):
            await circle.artifacts.download(artifact_at(server, "link/x"), tmp_path / "out")
        assert server.requests == []
        assert list((tmp_path / "outside").iterdir()) == []


@needs_posix
async def test_a_link_under_the_final_name_is_replaced_and_its_target_kept(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"mine")
    (tmp_path / "out").mkdir()
    link = tmp_path / "out" / "report.bin"
    link.symlink_to("../target")
    async with raw_server(served(SMALL)) as server, client(server) as circle:
        got = await circle.artifacts.download(artifact_at(server), tmp_path / "out")
    assert (got.path, link.is_symlink(), link.read_bytes()) == (link, False, SMALL)
    assert (tmp_path / "target").read_bytes() == b"mine"


async def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    """A reader sees the complete old file until the complete new one replaces it."""
    target = tmp_path / "report.bin"
    target.write_bytes(b"old")
    during: list[bytes] = []
    beside: set[str] = set()

    def check(progress: Progress) -> None:
        if not progress.done:
            during.append(target.read_bytes())
            beside.update(path.name for path in tmp_path.iterdir())

    async with raw_server(served(LARGE, cut=MAX_BATCH + 1), served(LARGE)) as server, client(server) as circle:
        with target.open("rb") as reader:
            await circle.artifacts.download(artifact_at(server), tmp_path, on_progress=check)
            assert reader.read() == b"old"
    assert len(during) > 1
    assert set(during) == {b"old"}
    assert target.read_bytes() == LARGE
    # An incomplete file has a name that begins with a dot.
    assert {name for name in beside if not name.startswith(".")} == {"home", "report.bin"}


@pytest.mark.parametrize("size", [10, MAX_BATCH + 10, len(LARGE)])
async def test_a_restarted_body_replaces_the_bytes_written_so_far(size: int, tmp_path: Path) -> None:
    other = random_bytes(size, "other")
    result = await outcome(tmp_path / "out", served(LARGE, cut=2 * MAX_BATCH + 1), served(other, etag='"v2"'))
    assert result.files == {"report.bin": other}


async def test_a_failure_keeps_the_existing_file(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.bin").write_bytes(b"old")
    async with raw_server(served(LARGE, cut=MAX_BATCH + 1), answer(404, {})) as server, client(server) as circle:
        with pytest.raises(ca.NotFound):
            await circle.artifacts.download(artifact_at(server), tmp_path / "out")
    assert all_files(tmp_path / "out") == {"report.bin": b"old"}


async def test_a_missing_artifact_takes_one_request(tmp_path: Path) -> None:
    result = await outcome(tmp_path / "out", answer(404, {"message": "Not found"}))
    assert isinstance(result.failure, ca.NotFound)
    assert len(result.requests) == 1


def test_progress_is_reported_for_each_part_and_at_the_end(tmp_path: Path) -> None:
    result = asyncio.run(outcome(tmp_path / "out", served(LARGE)))
    received = [step.received for step in result.progress]
    assert received == sorted(received)
    assert received[-2:] == [len(LARGE)] * 2
    assert [step.done for step in result.progress] == [False] * (len(received) - 1) + [True]
    assert {step.size for step in result.progress} == {len(LARGE)}
    assert len(received) == len(set(received)) + 1  # each part once, and the last length again at the end


async def test_progress_continues_when_a_body_is_resumed(tmp_path: Path) -> None:
    result = await outcome(tmp_path / "out", served(SMALL, cut=400), served(SMALL, cut=300), served(SMALL))
    assert [step.received for step in result.progress] == [400, 700, 1000, 1000]


async def test_progress_restarts_at_zero_when_a_body_starts_over(tmp_path: Path) -> None:
    other = random_bytes(500, "other")
    result = await outcome(tmp_path / "out", served(SMALL, cut=400), served(other, etag='"v2"'))
    assert [(step.received, step.size, step.done) for step in result.progress] == [
        (400, 1000, False),
        (0, 500, False),
        (500, 500, False),
        (500, 500, True),
    ]


async def test_progress_of_an_empty_file_is_reported_once(tmp_path: Path) -> None:
    result = await outcome(tmp_path / "out", served(b""))
    assert [(step.received, step.size, step.done) for step in result.progress] == [(0, 0, True)]


async def test_a_callback_that_raises_does_not_stop_the_download(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(progress: Progress) -> None:
        raise LookupError("no display")

    async with raw_server(served(SMALL)) as server, client(server) as circle:
        got = await circle.artifacts.download(artifact_at(server), tmp_path, on_progress=fail)
    assert got.path.read_bytes() == SMALL
    assert "no display" in caplog.text


@needs_posix
@pytest.mark.parametrize("limit", [0, 1, 700], ids=["at the first byte", "after one", "in the middle"])
async def test_a_full_disk_is_an_error_that_names_the_file_and_the_reason(limit: int, tmp_path: Path) -> None:
    async with raw_server(served(SMALL)) as server, client(server) as circle:
        with no_file_larger_than(limit), pytest.raises(ca.DownloadError, match="File too large") as caught:
            await circle.artifacts.download(artifact_at(server), tmp_path / "out")
        assert str(caught.value).startswith("report.bin: cannot be written to ")
        assert isinstance(caught.value.__cause__, OSError)
        assert all_files(tmp_path / "out") == {}
        assert len(server.requests) == 1
        # With free space it works, with the same client.
        got = await circle.artifacts.download(artifact_at(server), tmp_path / "out")
        assert got.path.read_bytes() == SMALL


@needs_posix
@pytest.mark.parametrize("size", [MAX_BATCH, MAX_BATCH + INLINE, 2 * MAX_BATCH, 2 * MAX_BATCH + INLINE + 1])
async def test_a_disk_that_fills_up_during_a_large_file_is_an_error(size: int, tmp_path: Path) -> None:
    """In the writing thread, at the first, a middle or the last batch."""
    content = random_bytes(size)
    async with raw_server(served(content)) as server, client(server) as circle:
        with no_file_larger_than(size - 1), pytest.raises(ca.DownloadError, match="File too large"):
            await circle.artifacts.download(artifact_at(server), tmp_path / "out")
        assert all_files(tmp_path / "out") == {}
        check_nothing_in_use(circle)


@pytest.mark.parametrize("folder", ["file", "file/below", "/dev/null/x"])
async def test_a_destination_that_is_not_a_folder_is_an_error(folder: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    async with raw_server(served(SMALL)) as server, client(server) as circle:
        with pytest.raises(ca.DownloadError, match=r"report\.bin: cannot be placed in"):
            await circle.artifacts.download(artifact_at(server), tmp_path / folder)
        assert server.requests == []
    assert (tmp_path / "file").read_bytes() == b"mine"


@needs_posix
async def test_a_full_disk_ends_the_download_of_a_large_file_early(tmp_path: Path) -> None:
    content = random_bytes(4 * MAX_BATCH)
    async with raw_server(served(content)) as server, client(server) as circle:
        seen: list[Progress] = []
        with no_file_larger_than(MAX_BATCH // 2), pytest.raises(ca.DownloadError, match="File too large"):
            await circle.artifacts.download(artifact_at(server), tmp_path / "out", on_progress=seen.append)
        assert max(step.received for step in seen) < len(content)
        check_nothing_in_use(circle)
    assert all_files(tmp_path / "out") == {}


@needs_posix
async def test_a_read_only_folder_is_an_error_before_anything_is_sent() -> None:
    """Not even root can create a file in /proc."""
    async with raw_server(served(SMALL)) as server, client(server) as circle:
        with pytest.raises(ca.DownloadError, match=r"report\.bin: cannot be written to /proc/report\.bin"):
            await circle.artifacts.download(artifact_at(server), "/proc")
        assert server.requests == []


async def test_a_folder_created_meanwhile_under_the_final_name_is_kept(tmp_path: Path) -> None:
    def take_the_place(progress: Progress) -> None:
        (tmp_path / "out" / "report.bin").mkdir(exist_ok=True)

    async with raw_server(served(SMALL)) as server, client(server) as circle:
        with pytest.raises(ca.DownloadError, match="cannot be written"):
            await circle.artifacts.download(artifact_at(server), tmp_path / "out", on_progress=take_the_place)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.bin"]


@needs_posix
async def test_a_destination_deleted_meanwhile_is_an_error(tmp_path: Path) -> None:
    def remove(progress: Progress) -> None:
        for path in (tmp_path / "out").iterdir():
            path.unlink()
        (tmp_path / "out").rmdir()

    async with raw_server(served(SMALL)) as server, client(server) as circle:
        with pytest.raises(ca.DownloadError, match="No such file"):
            await circle.artifacts.download(artifact_at(server), tmp_path / "out", on_progress=remove)
    assert not (tmp_path / "out").exists()


@fast_clock
async def test_a_stalled_body_is_resumed_after_the_timeout(tmp_path: Path) -> None:
    async with raw_server(served(SMALL, cut=400, then=hang), served(SMALL)) as server, client(server) as circle:
        slow_client = circle.with_options(timeout=300)
        began = asyncio.get_running_loop().time()
        got = await slow_client.artifacts.download(artifact_at(server), tmp_path)
        assert (got.path.read_bytes(), got.resumed) == (SMALL, 1)
        assert 300 <= asyncio.get_running_loop().time() - began < 400


@fast_clock
async def test_a_body_may_take_longer_than_the_timeout_while_bytes_arrive(tmp_path: Path) -> None:
    async def slow(request: object, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 2000000\r\n\r\n")
        for _ in range(20):
            await asyncio.sleep(50)
            writer.write(b"x" * 100_000)
            await writer.drain()

    async with raw_server(slow) as server, client(server) as circle:
        got = await circle.artifacts.download(artifact_at(server), tmp_path)
        assert (got.size, got.resumed, len(server.requests)) == (2_000_000, 0, 1)


@fast_clock
async def test_the_answer_deadline_ends_with_the_first_response(tmp_path: Path) -> None:
    retry = ca.RetryPolicy(initial_delay=0.001, max_delay=0.01, answer_deadline=30)
    async with (
        raw_server(served(SMALL, cut=400, then=hang), after(50, served(SMALL))) as server,
        ca.CircleCI("t", host=server.url, artifact_hosts=(), retry=retry) as circle,
    ):
        got = await circle.artifacts.download(artifact_at(server), tmp_path)
    assert (got.path.read_bytes(), got.resumed) == (SMALL, 1)


@fast_clock
async def test_the_answer_deadline_applies_to_the_first_response(tmp_path: Path) -> None:
    retry = ca.RetryPolicy(initial_delay=0.001, max_delay=0.01, answer_deadline=30)
    async with (
        raw_server(after(50, served(SMALL))) as server,
        ca.CircleCI("t", host=server.url, artifact_hosts=(), retry=retry) as circle,
    ):
        with pytest.raises(ca.RequestTimeout, match="deadline of 30 s"):
            await circle.artifacts.download(artifact_at(server), tmp_path / "out")
    assert all_files(tmp_path / "out") == {}


@fast_clock
async def test_the_deadline_bounds_the_whole_download(tmp_path: Path) -> None:
    """Each part arrives in time and each attempt makes progress, but all of them take too long."""
    loop = asyncio.get_running_loop()

    async def slow(request: object, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(20)

    content = random_bytes(100)
    async with raw_server(served(content, cut=1, then=slow)) as server:
        retry = ca.RetryPolicy(initial_delay=0.001, max_delay=0.01, deadline=100)
        async with ca.CircleCI("t", host=server.url, artifact_hosts=(), retry=retry) as circle:
            began = loop.time()
            with pytest.raises(ca.RequestTimeout, match="deadline of 100 s"):
                await circle.artifacts.download(artifact_at(server), tmp_path / "out")
            assert 99 <= loop.time() - began <= 110
            check_nothing_in_use(circle)
    assert all_files(tmp_path / "out") == {}


async def test_the_event_loop_never_writes_or_hashes_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[bool, int]] = []
    write = PartFile.write

    def watched(self: PartFile, parts: list[bytes]) -> None:
        written.append((threading.current_thread() is threading.main_thread(), sum(map(len, parts))))
        write(self, parts)

    monkeypatch.setattr(PartFile, "write", watched)
    for number, size in enumerate([len(LARGE), MAX_BATCH, INLINE + 1, INLINE]):
        await outcome(tmp_path / str(number), served(random_bytes(size)))
    assert max(size for on_loop, size in written if on_loop) <= INLINE
    assert sum(size for on_loop, size in written if not on_loop) >= len(LARGE)
    # And memory is bounded: no batch is much larger than it is meant to be.
    assert max(size for _, size in written) < 2 * MAX_BATCH


async def test_concurrent_downloads_of_one_artifact_leave_one_complete_file(tmp_path: Path) -> None:
    async with raw_server(served(LARGE)) as server, client(server) as circle:
        artifact = artifact_at(server)
        await asyncio.gather(*(circle.artifacts.download(artifact, tmp_path / "out") for _ in range(4)))
    assert all_files(tmp_path / "out") == {"report.bin": LARGE}
