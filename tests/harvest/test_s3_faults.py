"""Harvests into S3 that fails: refused, slow, cut, with errors of the server, missing, and unreachable."""

import socket
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.harvest import outage
from circleci_async.testing import FakeCircleCI, World
from tests.harvest.archives import archive, check_archive, check_finished, finished, url_of
from tests.harvest.harvests import all_artifacts, fill, gets, small_world, usual_tree
from tests.s3.proxy import Fault, FaultProxy
from tests.s3.server import TestBucket

FILES = r"acme/[^.].*"
"""The names of finished files."""

MIB = 1024 * 1024

pytestmark = pytest.mark.usefixtures("tmp_path")


@pytest.fixture
def quick_outages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tolerate no outage, and let obstore repeat a request once."""
    monkeypatch.setattr(outage, "MAX_DOWNTIME", 0.0)
    monkeypatch.setattr("circleci_async.harvest.destination.stores.MAX_RETRIES", 0)


async def test_a_refused_put_ends_the_run_and_the_next_one_continues(s3: TestBucket, s3_proxy: FaultProxy) -> None:
    world = small_world()
    fault = s3_proxy.add(Fault("PUT", FILES, skip=5, status=403, code="AccessDenied", message="no write"))
    async with FakeCircleCI(world) as fake:
        report = await archive(fake, s3, concurrency=2)
        assert isinstance(report.error, ca.StoreError)
        assert (report.error.status, report.error.code) == (403, "AccessDenied")
        assert str(report.error).startswith(f"cannot write {url_of(s3)}/gh/acme/api/")
        assert report.error.hint is not None
        assert "credentials" in report.error.hint
        assert not report.is_complete
        assert fault.happened <= 2
        put = check_finished(s3, usual_tree(all_artifacts(world)))
        done = len(report.files)
        assert 4 <= done <= len(put) <= 5  # the last put can end after the run
        status = await ca.harvest_status(url_of(s3))
        assert (status.done, status.is_complete, status.is_running) == (done, False, False)
        s3_proxy.faults.clear()
        before = len(gets(fake))
        (await archive(fake, s3)).raise_for_failures()
        assert len(gets(fake)) - before <= len(all_artifacts(world)) - 5
        await check_archive(fake, s3, all_artifacts(world))


@pytest.mark.parametrize(
    "fault",
    [
        Fault("PUT|POST", FILES, status=500, times=6),
        Fault("PUT|POST", FILES, status=503, code="SlowDown", times=6),
        Fault("PUT", FILES, cut_request=700, times=4),
        Fault("PUT", FILES, query="partNumber", cut_request=3 * MIB, times=2),
        Fault("PUT", FILES, cut_response=5, times=4),
        Fault("PUT|POST", FILES, drop="reset", times=4),
        Fault("POST", FILES, query="uploadId", cut_response=5, times=1),
        Fault(".*", r"acme/\.harvest/.*", status=500, times=3),
        Fault(".*", r"acme/\.harvest/.*", cut_response=5, times=3),
    ],
    ids=str,
)
async def test_a_fault_midway_is_retried(s3: TestBucket, s3_proxy: FaultProxy, fault: Fault) -> None:
    world = small_world(pipelines=1)
    world.projects["gh/acme/api"].pipeline().workflow("build").job("large").artifact("big", size=9 * MIB)
    s3_proxy.add(fault)
    async with FakeCircleCI(world) as fake:
        (await archive(fake, s3, concurrency=4)).raise_for_failures()
        assert fault.happened == fault.times
        assert len(gets(fake)) == len(all_artifacts(world))
        s3_proxy.faults.clear()
        await check_archive(fake, s3, all_artifacts(world))
    assert all(key.endswith("/big") for key in s3.unfinished_uploads())


@pytest.mark.parametrize(("status", "code"), [(500, "InternalError"), (503, "SlowDown")])
async def test_a_server_that_fails_for_longer_than_the_retries(
    s3: TestBucket, s3_proxy: FaultProxy, quick_outages: None, status: int, code: str
) -> None:
    world = small_world()
    s3_proxy.add(Fault("PUT", FILES, skip=5, status=status, code=code))
    async with FakeCircleCI(world) as fake:
        report = await archive(fake, s3, concurrency=1)
        assert isinstance(report.error, ca.StoreError)
        assert f"{status}" in str(report.error)
        assert report.error.hint is not None
        assert "run the same command again later" in report.error.hint
        put = check_finished(s3, usual_tree(all_artifacts(world)))
        assert len(report.files) == len(put) == 5
        s3_proxy.faults.clear()
        (await archive(fake, s3)).raise_for_failures()
        assert len(gets(fake)) == len(all_artifacts(world))  # what could not be put was kept
        await check_archive(fake, s3, all_artifacts(world))


async def test_one_file_that_is_always_refused_by_the_server_fails_alone(
    s3: TestBucket, s3_proxy: FaultProxy, quick_outages: None
) -> None:
    world = small_world(pipelines=1)
    s3_proxy.add(Fault("PUT", r".*/test-0-\d+/logs/1\.txt", status=500))
    async with FakeCircleCI(world) as fake:
        report = await archive(fake, s3)
        [failure] = report.failed
        assert "500" in failure.error
        assert len(report.files) == len(all_artifacts(world)) - 1
        s3_proxy.faults.clear()
        (await archive(fake, s3)).raise_for_failures()
        await check_archive(fake, s3, all_artifacts(world))


async def test_a_slow_bucket_only_takes_longer(s3: TestBucket, s3_proxy: FaultProxy) -> None:
    world = small_world(pipelines=1, artifacts=2)
    s3_proxy.add(Fault("PUT", FILES, delay=0.1, rate=40_000))
    async with FakeCircleCI(world) as fake:
        (await archive(fake, s3)).raise_for_failures()
        s3_proxy.faults.clear()
        await check_archive(fake, s3, all_artifacts(world))


async def refusal_of(call: Any) -> ca.CircleCIError:
    with pytest.raises(ca.CircleCIError) as raised:
        await call
    return raised.value


@pytest.mark.parametrize("has_ledger", [False, True])
async def test_a_missing_bucket_is_an_error_before_anything_is_downloaded(
    s3: TestBucket, tmp_path: Path, has_ledger: bool
) -> None:
    url = "s3://no-such-bucket-of-tests/acme"
    ledger = tmp_path / "ledger" if has_ledger else None
    async with FakeCircleCI(small_world()) as fake:
        with pytest.raises(ca.StoreError) as raised:
            report = await archive(fake, s3, into=url, ledger=ledger)
            if report.error is not None:
                raise report.error
        assert gets(fake) == []
    assert raised.value.code == "NoSuchBucket"
    assert raised.value.hint == "Create the bucket, or check its name and the endpoint."
    if not has_ledger:
        for call in (
            ca.harvest_status(url),
            ca.verify_harvest(url),
            ca.harvest_catalog(url),
            ca.prune_harvest(url, older_than="1d"),
            ca.prune_harvest(url, older_than="1d", dry_run=True),
        ):
            error = await refusal_of(call)
            assert isinstance(error, ca.StoreError), error
            assert error.code == "NoSuchBucket", error


@pytest.mark.parametrize("has_ledger", [False, True])
@pytest.mark.parametrize(
    ("code", "status", "hint"),
    [
        ("InvalidAccessKeyId", 403, "credentials"),
        ("SignatureDoesNotMatch", 403, "credentials"),
        ("ExpiredToken", 400, "credentials"),
        ("AuthorizationHeaderMalformed", 400, "AWS_REGION"),
        ("PermanentRedirect", 301, "AWS_REGION"),
    ],
)
async def test_wrong_credentials_are_an_error_before_anything_is_downloaded(
    s3: TestBucket, s3_proxy: FaultProxy, tmp_path: Path, code: str, status: int, hint: str, has_ledger: bool
) -> None:
    s3_proxy.add(Fault(status=status, code=code))
    ledger = tmp_path / "ledger" if has_ledger else None
    async with FakeCircleCI(small_world(pipelines=1, jobs=1, artifacts=1)) as fake:
        with pytest.raises(ca.StoreError) as raised:
            await archive(fake, s3, ledger=ledger)
        assert gets(fake) == []
    assert raised.value.hint is not None
    assert hint in raised.value.hint


@pytest.mark.parametrize("has_ledger", [False, True])
async def test_an_endpoint_that_is_down_is_an_error_before_anything_is_downloaded(
    s3: TestBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_ledger: bool
) -> None:
    monkeypatch.setattr("circleci_async.harvest.destination.stores.MAX_RETRIES", 0)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{unused.getsockname()[1]}")
        async with FakeCircleCI(small_world(pipelines=1, jobs=1, artifacts=1)) as fake:
            with pytest.raises(ca.StoreError, match="connection failed: Connection refused"):
                await archive(fake, s3, ledger=tmp_path / "ledger" if has_ledger else None)
            assert gets(fake) == []


async def test_a_bucket_that_was_deleted_between_two_runs_with_a_local_ledger(s3: TestBucket, tmp_path: Path) -> None:
    async with FakeCircleCI(small_world(pipelines=1)) as fake:
        (await archive(fake, s3, ledger=tmp_path / "ledger")).raise_for_failures()
        fake.requests.clear()
        with pytest.raises(ca.StoreError, match="NoSuchBucket"):
            await archive(fake, s3, into="s3://no-such-bucket-of-tests/acme", ledger=tmp_path / "ledger")
        assert gets(fake) == []


async def test_a_bucket_without_a_harvest(s3: TestBucket) -> None:
    for call in (
        ca.harvest_status(url_of(s3)),
        ca.verify_harvest(url_of(s3)),
        ca.harvest_catalog(url_of(s3)),
        ca.prune_harvest(url_of(s3), older_than="1d"),
    ):
        error = await refusal_of(call)
        assert isinstance(error, ca.LedgerError), error
        assert str(error).startswith(f"no harvest in {url_of(s3)}"), error
    assert s3.keys() == []


async def test_keys_that_are_too_long_fail_and_the_others_are_kept(s3: TestBucket) -> None:
    world = World()
    job = world.project("gh/acme/api").pipeline().workflow("build").job("test")
    fill(job, 3)
    kept = all_artifacts(world)[:]
    for number in range(6):  # more than the failures in a row that count as an outage of the bucket
        job.artifact("/".join(["d" * 200] * 6) + str(number), b"long")
    async with FakeCircleCI(world) as fake:
        for _ in range(2):
            report = await archive(fake, s3)
            assert report.error is None
            assert len(report.failed) == 6
            for failure in report.failed:
                assert "its name has 1," in failure.error
                assert "more than the 1,024 that stores allow" in failure.error
            assert finished(s3) == usual_tree(kept)
            assert len(gets(fake)) == len(kept)  # nothing is downloaded that cannot be kept
