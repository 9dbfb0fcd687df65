"""The lease: one holder at a time, taken over only from a process that is gone."""

import json
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.errors import LedgerBusy
from circleci_async.harvest.ledger.remote.lease import LEASE, Holder, Lease, is_running, new_holder
from tests.harvest.ledger.remote.stores import FaultyBucket, document, keys, new_bucket


@pytest.fixture
def bucket(tmp_path: Path) -> FaultyBucket:
    return new_bucket(tmp_path)


def new_lease(bucket: FaultyBucket, folder: Path, holder: Holder | None = None) -> Lease:
    folder.mkdir(exist_ok=True)
    return Lease(bucket, folder, holder or new_holder())


def test_a_second_holder_is_refused_with_the_name_of_the_first_one(bucket: FaultyBucket, tmp_path: Path) -> None:
    first = new_holder()
    new_lease(bucket, tmp_path / "a", first).acquire()
    bucket.ages[LEASE] = timedelta(seconds=17.6)
    with pytest.raises(LedgerBusy) as caught:
        new_lease(bucket, tmp_path / "b").acquire()
    assert str(caught.value) == (
        f"another harvest (process {first.process} on {first.host}) is running in {bucket.location} since"
        f" {first.began}: if that process is gone, run the same command again in 42 s"
    )
    assert keys(bucket) == ["lease.json"]


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(hours=5), timedelta(hours=-5)])
def test_an_expired_lease_is_taken_over_by_the_clock_of_the_store(
    bucket: FaultyBucket, tmp_path: Path, ahead: timedelta
) -> None:
    bucket.ahead = ahead
    first, second = new_lease(bucket, tmp_path / "a"), new_lease(bucket, tmp_path / "b")
    first.acquire()
    bucket.ages[LEASE] = timedelta(seconds=59)
    with pytest.raises(LedgerBusy):
        second.acquire()
    bucket.ages[LEASE] = timedelta(seconds=60)
    second.acquire()
    with pytest.raises(LedgerBusy, match="has taken over"):
        first.renew()
    with pytest.raises(LedgerBusy, match="has taken over"):
        first.release()
    second.renew()
    assert keys(bucket) == ["lease.json"]


def test_the_lease_of_the_same_working_folder_is_taken_over_at_once(bucket: FaultyBucket, tmp_path: Path) -> None:
    second = new_holder()
    assert not new_lease(bucket, tmp_path / "a").acquire()
    assert new_lease(bucket, tmp_path / "a", second).acquire()
    assert document(bucket, LEASE)["holder"]["id"] == second.id


def test_the_lease_of_a_process_killed_while_it_acquired_it_is_taken_over_at_once(
    bucket: FaultyBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store has written the lease, and the process has not received the response."""
    replace, create = bucket.replace, bucket.create
    for name, write in (("create", create), ("replace", replace)):

        def kill(*arguments: Any, write: Any = write) -> str:
            write(*arguments)
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(bucket, name, kill)
            with pytest.raises(KeyboardInterrupt):
                new_lease(bucket, tmp_path / "a").acquire()
        with pytest.raises(LedgerBusy):
            new_lease(bucket, tmp_path / "b").acquire()
        assert new_lease(bucket, tmp_path / "a").acquire()


def test_a_copy_of_the_working_folder_on_another_host_is_refused(bucket: FaultyBucket, tmp_path: Path) -> None:
    new_lease(bucket, tmp_path / "a").acquire()
    lease = document(bucket, LEASE)
    lease["holder"]["host"] = "elsewhere\n\x1b[31m"
    bucket.put(LEASE, json.dumps(lease).encode())
    with pytest.raises(LedgerBusy, match=r"on elsewhere[^\n\x1b]* is running"):
        new_lease(bucket, tmp_path / "a").acquire()


def test_a_released_lease_is_free(bucket: FaultyBucket, tmp_path: Path) -> None:
    assert not is_running(bucket)
    first = new_lease(bucket, tmp_path / "a")
    first.acquire()
    assert is_running(bucket)
    first.release()
    assert not is_running(bucket)
    new_lease(bucket, tmp_path / "b").acquire()


def test_a_renewal_that_waits_for_the_release_does_nothing(bucket: FaultyBucket, tmp_path: Path) -> None:
    lease = new_lease(bucket, tmp_path / "a")
    lease.acquire()
    renewals: list[Thread] = []

    def renew(action: str, key: str) -> None:
        bucket.before = lambda action, key: None
        renewals.append(Thread(target=lease.renew))
        renewals[0].start()

    bucket.before = renew
    lease.release()
    renewals[0].join()
    assert not is_running(bucket)
    assert bucket.requests.count(("replace", LEASE)) == 1


def test_a_lease_that_was_not_renewed_is_not_that_of_a_running_harvest(bucket: FaultyBucket, tmp_path: Path) -> None:
    new_lease(bucket, tmp_path / "a").acquire()
    bucket.ages[LEASE] = timedelta(seconds=61)
    assert not is_running(bucket)


def test_a_write_whose_response_was_lost_is_recognized(bucket: FaultyBucket, tmp_path: Path) -> None:
    create, replace = bucket.create, bucket.replace

    def create_twice(key: str, content: bytes) -> str | None:
        create(key, content)
        return create(key, content)

    def replace_twice(key: str, content: bytes, etag: str) -> str | None:
        replace(key, content, etag)
        return replace(key, content, etag)

    bucket.create, bucket.replace = create_twice, replace_twice  # type: ignore[method-assign]
    lease = new_lease(bucket, tmp_path / "a")
    lease.acquire()
    lease.renew()
    lease.release()
    assert document(bucket, LEASE)["is_released"] is True


def test_a_write_that_failed_although_the_store_did_it_is_not_a_takeover(bucket: FaultyBucket, tmp_path: Path) -> None:
    lease = new_lease(bucket, tmp_path / "a")
    lease.acquire()

    def lose_response(action: str, key: str) -> None:
        bucket.come_up()
        raise ca.StoreError("no connection")

    for write in (lease.renew, lease.release):
        bucket.after = lose_response
        with pytest.raises(ca.StoreError):
            write()
        write()
    assert document(bucket, LEASE)["is_released"] is True


HOLDER = {"id": "i", "host": "h", "process": 1, "began": "b"}
GOOD = {"format": 1, "holder": HOLDER, "renewed": "r", "is_released": False}
CHANGES: list[dict[str, Any]] = [
    {"format": "1"},
    {"format": True},
    {"holder": HOLDER | {"process": -1}},
    {"holder": HOLDER | {"process": 1.5}},
    {"holder": HOLDER | {"host": None}},
    {"holder": []},
    {"is_released": 0},
]


def test_a_damaged_lease_is_refused(bucket: FaultyBucket, tmp_path: Path) -> None:
    lease = new_lease(bucket, tmp_path / "a")
    changed = [json.dumps(dict[str, Any](GOOD, **change)).encode() for change in CHANGES]
    for content in (b"", b"\xff", b"[]", b"[" * 60_000, b"1" * 5_000, b" " * 70_000, *changed):
        bucket.put(LEASE, content)
        with pytest.raises(ca.LedgerError, match=r"lease\.json is damaged: .+: delete it if no harvest is running"):
            lease.acquire()


def test_a_lease_of_a_newer_version_is_refused(bucket: FaultyBucket, tmp_path: Path) -> None:
    bucket.put(LEASE, json.dumps({"format": 2}).encode())
    with pytest.raises(ca.LedgerError, match="newer version of circleci_async: update circleci_async"):
        new_lease(bucket, tmp_path / "a").acquire()
