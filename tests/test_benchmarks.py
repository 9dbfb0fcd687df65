"""Both sides of each benchmark do the same work. No test asserts a time."""

import asyncio
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import (
    bots,
    buckets,
    cases,
    clients,
    harvest,
    hashing,
    limited,
    nginx,
    quota,
    report,
    rivals,
)
from benchmarks.cases import Place
from benchmarks.measure import Row, empty, peak_memory_of, server_process, timed_imports
from benchmarks.server import file_sizes
from benchmarks.world import World

SMALL = 300_000


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """Return running servers and an empty folder."""
    with benchmarks.servers() as place:
        yield place


async def test_both_sides_of_each_comparison_do_the_same_work(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "CALLS", 64)
    monkeypatch.setattr(cases, "FILES", 40)
    for work in (cases.calls_sdk, cases.calls_bare, cases.concurrent_sdk, cases.concurrent_bare):
        await work(place)
    await cases.pages_sdk(place, 3)
    await cases.pages_bare(place, 3)

    written: list[dict[str, bytes]] = []
    for work in (cases.files_sdk, cases.files_bare):
        await work(place)
        written.append({file.name: file.read_bytes() for file in place.folder.iterdir()})
        empty(place.folder)
    assert written[0] == written[1]
    assert {int(name): len(data) for name, data in written[0].items()} == dict(enumerate(file_sizes()[:40]))

    for big in (cases.big_sdk, cases.big_bare):
        await big(place, SMALL)
        assert [file.stat().st_size for file in place.folder.iterdir()] == [SMALL]
        empty(place.folder)

    await cases.large_files_sdk(place, 3, SMALL)
    assert [file.stat().st_size for file in place.folder.iterdir()] == [SMALL] * 3
    empty(place.folder)


@pytest.mark.parametrize("client", clients.CLIENTS, ids=lambda client: client.name)
async def test_each_client_does_the_same_work(
    client: clients.Client, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "CALLS", 32)
    calls, concurrent, _ = client.works
    await calls(place)
    await concurrent(place)
    pages: Any = client.works[2]
    await pages(place, pages=2)


def test_imports_are_timed_with_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    statement = "import os, circleci_async; assert os.path.exists(circleci_async.__spec__.cached)"
    times = timed_imports([statement, "pass"], rounds=2)
    assert {each: len(seconds) for each, seconds in times.items()} == {statement: 2, "pass": 2}


async def test_a_page_by_hand_gives_the_same_models(place: Place) -> None:
    async with place.client() as circle:
        async for page in circle.pipelines.list(cases.PROJECT).pages():
            first = page.items
            break
    async with place.http() as http, http.get(f"{place.api}/api/v2/project/gh/acme/api/pipeline") as response:
        by_hand = tuple(cases.pipeline_model(item) for item in (await response.json())["items"])
    assert first == by_hand


async def test_the_bot_cases_give_the_same_results_by_hand(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [(body, bots.signed(body)) for body in map(bots.body_of, range(20))]
    assert bots.unwrap_sdk(events) == bots.unwrap_by_hand(events) == "failed"
    assert await bots.deliver_sdk(events) == await bots.deliver_by_hand(events) == 20
    text = await bots.tail_sdk(place, 1)
    assert text == await bots.tail_by_hand(place, 1)
    assert len(text.splitlines()) == bots.LINES
    assert "\x1b" not in text
    monkeypatch.setattr(bots, "SCALE", 2000)
    for wait in (bots.wait_by_hand, bots.wait_sdk, partial(bots.wait_sdk, webhooks=True)):
        requests, _ = await wait(3)
        assert requests > 6


def test_a_row_shows_whether_its_goal_was_met() -> None:
    met = Row("calls", [0.2, 0.12, 0.1], [0.1, 0.11, 0.09], goal=1.25)
    assert str(met) == "| calls | 120 | 100 | 1.20 | 1.25 | yes |"
    missed = Row("calls", [0.13], [0.1], goal=1.25)
    assert str(missed) == "| calls | 130 | 100 | 1.30 | 1.25 | no |"
    assert str(Row("calls", [0.13], [0.1])) == "| calls | 130 | 100 | 1.30 | | |"
    assert missed.measured == "| calls | 130 | 100 | 1.30 |"


def test_large_files_are_compared_with_the_larger_of_transfer_and_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "SAMPLE", 1)
    assert hashing.seconds_for([SMALL, SMALL]) > 0
    row = Row("1 file", [0.6], [0.4])
    for floor, shown in (
        (0.5, "500 ms) | 600 | 500 | 1.20 | 1.20 | yes |"),
        (0.3, "300 ms) | 600 | 400 | 1.50 | 1.20 | no |"),
    ):
        monkeypatch.setattr(hashing, "seconds_for", lambda sizes, floor=floor: floor)
        assert str(hashing.against_floor(row, [SMALL], 3)).endswith(shown)


SERVERS = [
    "world_server",
    pytest.param("nginx", marks=pytest.mark.skipif(nginx.PROGRAM is None, reason="no nginx")),
]


@pytest.mark.parametrize("server", SERVERS)
def test_the_harvest_and_its_rivals_fetch_the_same_files(server: str, tmp_path: Path) -> None:
    world = World(230)  # two jobs more than one pipeline has
    for name in ("served", "notes", "files"):
        (tmp_path / name).mkdir()
    serving = nginx.serving if server == "nginx" else partial(harvest.serving, delay=0)
    with serving(world, tmp_path / "served") as base:
        task = rivals.Task(base, world.addresses(base), tmp_path / "files", tmp_path / "notes")
        found: list[dict[str, bytes]] = []
        for fetch in (
            lambda task: asyncio.run(rivals.harvest(task)),
            *(r.fetch for r in rivals.RIVALS if r.is_installed),
        ):
            fetch(task)
            files = [file for file in task.folder.rglob("[!.]*") if file.is_file()]
            found.append({file.name: file.read_bytes() for file in files})
            empty(task.folder)
    assert [len(found[0][name]) for name in world.names] == world.sizes
    assert all(files == found[0] for files in found)


def test_the_time_of_a_partial_download_is_scaled(tmp_path: Path) -> None:
    comparison = harvest.Comparison(
        "late", World(60), harvest.serving, dict.fromkeys(rivals.RIVALS, 1.0), rounds=1, share=5
    )
    with harvest.serving(comparison.world, delay=0.001) as base:
        for name in ("notes", "files"):
            (tmp_path / name).mkdir()
        task = rivals.Task(base, comparison.world.addresses(base), tmp_path / "files", tmp_path / "notes")
        rows = harvest.compare(comparison, task)
    assert [row.name for row in rows] == [f"{r.name}, {r.concurrency} at once" for r in rivals.RIVALS if r.is_installed]
    assert all(row.goal == 1.0 for row in rows)


def test_a_harvest_in_a_subprocess_reports_its_memory() -> None:
    seconds, memory, goal, _, longest = harvest.bounds_of(World(2, SMALL)).split(" | ")
    assert (goal, longest) == (str(harvest.MAX_MEMORY), str(harvest.MAX_BLOCK))
    assert float(seconds) > 0
    assert memory == "?" or 10 < float(memory) < 1000


def test_repeated_harvests_meet_their_goals() -> None:
    _, _, first, *others = (row.split(" | ") for row in harvest.repetition(World(60)))
    assert (first[2], first[4]) == ("65", "0 |")
    assert [(requests, goal, saved) for _, _, requests, goal, saved in others] == [("2", "2", "3 |"), ("1", "1", "4 |")]


def test_the_quota_benchmark_counts_what_the_server_accepted_and_refused() -> None:
    shape = quota.Shape("two clients", 200, 20, 60, 8, 0.0, 1.0, headers="all", clients=2)
    usage = quota.measure(shape)
    assert 0 < usage.share <= 1.1
    assert 0 <= usage.refusals < 1
    assert 0 < usage.first < 10


@pytest.mark.parametrize("work", [limited.download, limited.aria2c], ids=["this SDK", "aria2c"])
def test_both_sides_download_the_file_of_limited_connections(work: Callable[[str, Path], None], tmp_path: Path) -> None:
    if work is limited.aria2c and shutil.which("aria2c") is None:
        pytest.skip("aria2c is not installed")
    folder = tmp_path / "files"
    folder.mkdir()
    with server_process([sys.executable, "-m", "benchmarks.limited", str(SMALL)]) as url:
        work(url, folder)
    assert [file.read_bytes() for file in folder.iterdir()] == [bytes(SMALL)]


# Harvests into S3, and on workers


def test_harvests_into_s3_are_compared_with_a_download_and_an_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "UPLOADERS", (buckets.BOTO3,))
    comparison = buckets.Comparison("few files", World(3), partial(harvest.serving, delay=0), (rivals.BY_HAND,))
    with buckets.places(comparison.world) as place, comparison.serve(comparison.world) as base:
        assert place is not None
        task = rivals.Task(base, comparison.world.addresses(base), place.files, place.notes)
        [row] = buckets.compare(comparison, task, place, rounds=1)
        assert place.server.sizes("run-0") == []  # each round begins with an empty bucket
        first, *others = [row.split(" | ") for row in harvest.repetition(World(3), place.server)][2:]
    assert row.name == "bare aiohttp, then boto3 `upload_file`, 32 at once"
    assert (row.goal, len(row.sdk), len(row.bare)) == (1.0, 1, 1)
    assert first[2] == "7"
    assert [cells[2:4] for cells in others] == [["2", "2"], ["1", "1"]]
    assert all("PUT" in cells[5] for cells in (first, *others))


def test_the_peak_memory_of_a_program_is_measured() -> None:
    program = "import time; kept = bytearray(b'x') * (64 << 20); time.sleep(0.05)"
    peak = peak_memory_of([sys.executable, "-c", program])
    assert peak is None or 64 < peak < 200


def test_a_report_requests_each_page_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RATE", 1_000)
    report.run(is_quick=True)
    out = capsys.readouterr().out
    found = re.search(r"\| requests for (\d+) pages, refused ones left out \| (\d+) \|", out)
    assert found is not None
    assert int(found[1]) == int(found[2]) > 20
