"""A response that is slower than `min_speed` counts as interrupted."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.core.speed import WINDOW, SpeedMeter
from tests.downloads.file_server import all_files, artifact_at, client, random_bytes, served
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_in_use, check_nothing_is_left
from tests.raw_server import Behaviour, RawServer, Request, raw_server

CONTENT = random_bytes(2_000_000)
RETRY = ca.RetryPolicy(attempts=3, initial_delay=0.001, max_delay=0.01)


def connect(server: RawServer, **options: Any) -> ca.CircleCI:
    return ca.CircleCI("t", host=server.url, retry=RETRY, **options)


def at_speed(bytes_per_second: float, *, every: float = 5.0, after: int = 0) -> Behaviour:
    """Serve the rest of `CONTENT`: the first bytes at once, the others at this speed."""

    async def rest(request: Request, writer: asyncio.StreamWriter) -> bool:
        begin = int(request.headers.get("range", "bytes=0-")[6:-1]) + after
        for position in range(begin, len(CONTENT), size := int(bytes_per_second * every)):
            await asyncio.sleep(every)
            writer.write(CONTENT[position : position + size])
            await writer.drain()
        return True

    return served(CONTENT, cut=after, then=rest)


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("after", [0, 1_000])
@fast_clock
async def test_an_artifact_that_trickles_is_interrupted(after: int, tmp_path: Path) -> None:
    async with raw_server(at_speed(900, after=after)) as server, connect(server) as circle:
        began = now()
        with pytest.raises(ca.DownloadInterrupted, match=r"incomplete download: interrupted 3 times") as caught:
            await asyncio.wait_for(circle.artifacts.download(artifact_at(server), tmp_path), 1000)
        assert isinstance(caught.value, ca.TransportError)
        assert 3 * WINDOW <= now() - began <= 3 * WINDOW + 1
        received = after + 27_000
        ranges = [request.headers.get("range") for request in server.requests]
        assert ranges == [None, f"bytes={received}-", f"bytes={2 * received}-"]
        assert all_files(tmp_path) == {}
        await check_nothing_is_left(circle)


@fast_clock
async def test_a_download_that_was_too_slow_is_resumed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "circleci_async")
    async with raw_server(at_speed(100), served(CONTENT)) as server, connect(server) as circle:
        got = await circle.artifacts.download(artifact_at(server), tmp_path)
        assert (got.size, got.resumed, got.verified) == (len(CONTENT), 1, True)
        assert got.path.read_bytes() == CONTENT
        assert "slower than min_speed=1024 bytes per second: received 3000 bytes in 30 s" in caplog.text


@pytest.mark.parametrize(("speed", "min_speed"), [(1100, 1024), (900, 512), (50, None), (50, 0)])
@fast_clock
async def test_a_slow_artifact_that_is_fast_enough_is_complete(
    speed: int, min_speed: float | None, tmp_path: Path
) -> None:
    slow = at_speed(speed, after=len(CONTENT) - 40 * speed)
    async with raw_server(slow) as server, connect(server, min_speed=min_speed) as circle:
        began = now()
        got = await circle.artifacts.download(artifact_at(server), tmp_path)
        assert (got.size, got.resumed) == (len(CONTENT), 0)
        assert now() - began >= 40


@fast_clock
async def test_pauses_of_the_reader_do_not_count() -> None:
    async with raw_server(served(CONTENT, headers={"X": "1"})) as server, client(server) as circle:
        async with circle.artifacts.open(artifact_at(server)) as stream:
            size = 0
            async for part in stream:
                await asyncio.sleep(100)
                size += len(part)
        assert size == len(CONTENT)
        assert len(server.requests) == 1
        check_nothing_in_use(circle)


@fast_clock
async def test_a_stream_that_trickles_ends() -> None:
    async with raw_server(at_speed(1)) as server, connect(server) as circle:
        with pytest.raises(ca.DownloadInterrupted):
            async with circle.artifacts.open(artifact_at(server)) as stream:
                async for _ in stream:
                    assert now() < 10_000


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "1", True])
def test_an_invalid_min_speed_is_refused(value: Any) -> None:
    with pytest.raises(
        ca.InvalidArgument, match="min_speed must be a non-negative number of bytes per second or None, got"
    ):
        ca.CircleCI("t", min_speed=value)


@fast_clock
async def test_a_client_with_other_options_keeps_the_min_speed(tmp_path: Path) -> None:
    async with (
        raw_server(at_speed(50, after=len(CONTENT) - 2_000)) as server,
        connect(server, min_speed=None) as circle,
    ):
        other = circle.with_options(timeout=20)
        assert (await other.artifacts.download(artifact_at(server), tmp_path)).resumed == 0


def test_each_window_is_measured_alone() -> None:
    meter = SpeedMeter(10)
    verdicts: list[bool] = []
    for received, waited in [(200, 20), (100, 10), (1_000_000, 29), (1, 1), (300, 30), (299, 30), (0, 0)]:
        meter.add(received, waited)
        verdicts.append(meter.is_too_slow)
    meter.restart()
    assert [*verdicts, meter.is_too_slow] == [False] * 5 + [True, True, False]
