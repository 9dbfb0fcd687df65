"""The model of the page "Scale": it counts the requests of real harvests."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve

from benchmarks import scale, scale_measure
from benchmarks.scale_measure import Night
from benchmarks.scale_model import (
    MIB,
    Organization,
    Setup,
    cost,
    estimate,
    first,
    nightly,
    size_at,
    throughput,
    uploads,
    with_values,
)
from circleci_async.harvest import discovery

TINY = Organization(projects=1, pipelines=30, jobs=1, artifacts=1, size=10, spread=0, reruns=0, running=0, uneven=False)
"""One pipeline a day."""

KINDS = evolve(TINY, pipelines=10, days=5, jobs=2, steps=2, tests=41)
"""Two pipelines a day, and three pages of tests."""


@pytest.mark.parametrize(
    ("organization", "setup"),
    [
        (TINY, Setup()),
        (evolve(TINY, projects=2, artifacts=2), Setup(interval=2)),
        (evolve(TINY, workflows=2, jobs=3, artifacts=0), Setup()),
        (evolve(TINY, pipelines=10, days=10, artifacts=21), Setup(since=3)),
        (TINY, Setup(since=0)),
        (evolve(TINY, pipelines=10, days=10, workflows=21, jobs=0), Setup(since=0, recheck=5)),
        (evolve(TINY, days=15, jobs=2, reruns=0.5, running=0.5), Setup()),
        (evolve(TINY, pipelines=40, days=10, jobs=2, reruns=0.25, running=0.25), Setup(since=4, interval=2)),
        (evolve(TINY, projects=2, pipelines=0), Setup()),
        (evolve(TINY, projects=2, pipelines=15, by_slug=False), Setup(interval=2)),
        (KINDS, Setup(what="logs", since=4)),
        (KINDS, Setup(what="tests", since=4)),
        (KINDS, Setup(what="builds", since=4)),
        (evolve(KINDS, tests=0), Setup(what="tests", since=4)),
        (evolve(KINDS, workflows=2), Setup(what="artifacts,logs,tests,builds", since=4)),
        (evolve(KINDS, reruns=0.5), Setup(what="artifacts,logs,tests,builds", since=4)),
        (evolve(KINDS, running=0.5), Setup(what="artifacts,logs,tests,builds", since=4)),
    ],
)
async def test_the_model_counts_the_requests_of_real_harvests(
    organization: Organization, setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = Night(organization, setup)
    night.before()
    async with night.serving() as circle:
        with monkeypatch.context() as patched:
            patched.setattr(discovery, "utc_now", lambda: night.now - timedelta(days=setup.interval))
            report = await night.harvest(circle, tmp_path, is_first=True)
        night.after()
        again = await night.harvest(circle, tmp_path, is_first=False)
    works = [first(organization, setup), nightly(organization, setup)]
    assert [report.requests, again.requests] == [work.requests.total for work in works]
    assert [len(report.files), len(again.files)] == [work.files for work in works]


def test_more_quota_or_workers_never_take_longer() -> None:
    for plan in (first, nightly):
        for name, values in (("quota", (1, 10, 50, 200, 1000)), ("workers", (2, 3, 10, 100, 1000))):
            for organization in (Organization(), Organization(size=50e6), Organization(artifacts=100, size=1e3)):
                times: list[float] = []
                for value in values:
                    setup = with_values(Setup(workers=2), {name: value})
                    times.append(estimate(organization, setup, plan(organization, setup)).seconds)
                assert times == sorted(times, reverse=True)


def test_nothing_takes_no_time() -> None:
    nothing, setup = Organization(projects=0), Setup()
    for plan in (first, nightly):
        work = plan(nothing, setup)
        assert (work.requests.total, work.files, work.bytes) == (0, 0, 0)
        assert estimate(nothing, setup, work).seconds == 0


def test_jobs_without_artifacts_are_listed() -> None:
    organization, setup = Organization(projects=1, artifacts=0, running=0), Setup()
    work = first(organization, setup)
    assert (work.requests.artifacts, work.requests.downloads, work.files, work.bytes) == (2500, 0, 0, 0)
    found = estimate(organization, setup, work)
    assert found.bound == "API quota"
    assert cost(organization, setup, work, found.seconds).uploads.requests == 0


@pytest.mark.parametrize(
    ("setup", "bound"),
    [
        (Setup(quota=10), "API quota"),
        (Setup(quota=1000, workers=100, latency=2), "API latency"),
        (Setup(quota=1000, bandwidth=1e6), "connections"),
        (Setup(quota=1000, network=1e6), "worker network"),
        (Setup(quota=1000, cpu_gigabyte=100), "worker CPU"),
        (Setup(quota=1000, workers=100, commits=100), "caller CPU"),
    ],
)
def test_the_bound_is_what_takes_longest(setup: Setup, bound: str) -> None:
    found = estimate(Organization(), setup, first(Organization(), setup))
    assert found.bound == bound
    assert found.loads[bound] == max(found.loads.values())
    assert found.seconds >= found.loads[bound]


def test_the_rate_of_s3_bounds_many_small_files_under_one_prefix() -> None:
    organization = Organization(artifacts=1000, size=1e3, spread=0)
    one, ten = (Setup(quota=1000, workers=100, prefixes=prefixes, commits=1e6) for prefixes in (1, 10))
    work = first(organization, one)
    assert estimate(organization, one, work).bound == "S3 rate"
    assert estimate(organization, one, work).loads["S3 rate"] == work.files / 3500
    assert estimate(organization, ten, work).loads["S3 rate"] == work.files / 35000


def test_each_kind_adds_its_requests_and_files() -> None:
    organization = Organization(projects=1, pipelines=10, jobs=1, tests=45, steps=8, running=0)
    found = {kind: first(organization, Setup(what=kind)) for kind in ("artifacts", "logs", "tests", "builds")}
    assert {kind: (work.requests.api, work.requests.outputs, work.files) for kind, work in found.items()} == {
        "artifacts": (31, 0, 40),
        "logs": (31, 80, 80),
        "tests": (51, 0, 20),
        "builds": (51, 0, 10),
    }
    both = first(organization, Setup(what="artifacts, logs"))
    assert (both.requests.api, both.files) == (41, 120)
    with pytest.raises(ValueError, match="what must contain artifacts, logs, tests, builds, got 'videos'"):
        first(organization, Setup(what="videos"))


def test_a_million_files_cost_their_requests() -> None:
    organization = Organization(projects=1, pipelines=1e6, jobs=1, artifacts=1, size=1e6, spread=0, running=0)
    work = first(organization, Setup())
    found = cost(organization, Setup(), work, seconds=3600)
    assert (found.uploads.puts, found.uploads.parts, found.segments, found.snapshot) == (1e6, 0, 302, 74)
    assert found.dollars == pytest.approx(5.0, rel=0.001)
    assert (found.listing, found.verifying, found.month) == pytest.approx((0.005, 0.405, 23.0))


def test_large_files_are_put_in_parts() -> None:
    organization = Organization(projects=1, pipelines=100, jobs=1, artifacts=1, size=20 * MIB, spread=0, running=0)
    put = uploads(organization, first(organization, Setup()))
    assert (put.puts, put.multiparts, put.parts, put.requests) == (0, 100, 300, 500)


def test_sizes_have_the_given_mean() -> None:
    organization = Organization(size=1e6, spread=1.5)
    sizes = [size_at((number + 0.5) / 20_000, organization) for number in range(20_000)]
    assert sum(sizes) / len(sizes) == pytest.approx(1e6, rel=0.02)
    assert size_at(0.5, Organization(spread=0)) == 1e6


def test_the_throughput_approaches_that_of_the_busiest_resource() -> None:
    assert throughput(1, 0.9, [0.1]) == pytest.approx(1.0)
    assert throughput(1000, 0.9, [0.1, 0.05]) == pytest.approx(10.0)
    assert throughput(32, 1.0, []) == pytest.approx(32.0)


# The command


def test_the_command_answers_for_an_organization(capsys: pytest.CaptureFixture[str]) -> None:
    options = "--projects 300 --pipelines 500 --quota 50 --workers 10"
    scale.main([*options.split(), "--json"])
    answer = json.loads(capsys.readouterr().out)
    organization, setup = Organization(projects=300, pipelines=500), Setup(quota=50, workers=10)
    work = nightly(organization, setup)
    assert answer["nightly"]["requests"]["api"] == work.requests.api
    assert answer["nightly"]["seconds"] == estimate(organization, setup, work).seconds
    assert answer["first"]["bound"] == "API quota"
    scale.main(options.split())
    shown = capsys.readouterr().out
    assert shown.startswith(
        "300 projects, quota 50/s, 10 workers\nfirst: 6.5 h, bound by API quota; 1,057,500 requests"
    )


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("--workers 0", "--workers must be greater than 0, got 0"),
        ("--quota=nan", "--quota must be greater than 0, got nan"),
        ("--projects=-1", "--projects must be 0 or more, got -1"),
        ("--what videos", "--what must contain artifacts, logs, tests, builds, got 'videos'"),
        ("--put-latency=-1", "--put-latency must be 0 or more, got -1"),
    ],
)
def test_the_command_refuses_impossible_numbers(options: str, error: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        scale.main(options.split())
    assert error in capsys.readouterr().err


def test_times_have_units() -> None:
    times = (0.2, 119, 120, 700, 7200, 86400, 900_000)
    assert [*map(scale.duration, times)] == ["0 s", "119 s", "2.0 min", "12 min", "2.0 h", "24 h", "10 d"]


def test_this_machine_is_measured(tmp_path: Path) -> None:
    found = scale_measure.measured(scale_measure.Amounts(files=20, bytes=4 * MIB, rows=400))
    assert found.keys() == {"cpu_file", "cpu_gigabyte", "cpu_list", "commits", "row"}
    assert all(value >= 0 for value in found.values())
    assert found["commits"] > 0
    assert 200 < found["row"] < 2000
