"""Harvests into a bucket of S3, and checks after them."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import circleci_async as ca
from circleci_async.harvest.ledger.remote.lease import LEASE, LEASE_SECONDS
from circleci_async.testing import Artifact, FakeCircleCI
from tests.harvest.harvests import QUICK, gets, usual_tree
from tests.leftovers import check_nothing_in_use, tasks_of_the_package
from tests.s3.server import TestBucket

PREFIX = "acme/"


def url_of(s3: TestBucket) -> str:
    return f"{s3.url}/{PREFIX.rstrip('/')}"


async def archive(fake: FakeCircleCI, s3: TestBucket, **options: Any) -> ca.HarvestReport:
    """Harvest gh/acme/api into the bucket, and check what must hold after every harvest."""
    async with fake.client(retry=options.pop("retry", QUICK)) as circle:
        report = await circle.harvest("gh/acme/api", options.pop("into", url_of(s3)), **options)
        check_nothing_in_use(circle)
    assert tasks_of_the_package() == []
    return report


def finished(s3: TestBucket) -> dict[str, bytes]:
    """Return the finished files: all objects without a name that begins with a dot."""
    return {key: content for key, (content, _) in s3.stored(PREFIX).items() if "/." not in f"/{key}"}


def check_finished(s3: TestBucket, expected: dict[str, bytes]) -> set[str]:
    """Check that every finished file is complete, and return their names."""
    files = finished(s3)
    assert {name for name, data in files.items() if expected.get(name) != data} == set()
    return set(files)


def expire_lease(s3: TestBucket) -> None:
    """Let the lease appear as not renewed since it expired, if there is one."""
    s3.age(PREFIX + LEASE, LEASE_SECONDS + 1)


async def check_archive(fake: FakeCircleCI, s3: TestBucket, artifacts: Iterable[Artifact]) -> None:
    """Check that bucket, metadata and ledger have all artifacts, and that another harvest fetches nothing."""
    expected = usual_tree(artifacts)
    assert finished(s3) == expected
    stored = s3.stored(PREFIX)
    for name, data in expected.items():
        assert stored[name][1]["sha256"] == hashlib.sha256(data).hexdigest()
    verified = await ca.verify_harvest(url_of(s3), deep=True)
    assert (verified.files, verified.bytes, verified.differences) == (
        len(expected),
        sum(map(len, expected.values())),
        0,
    )
    status = await ca.harvest_status(url_of(s3))
    assert (status.done, status.pending, status.failed, status.is_complete) == (len(expected), 0, 0, True)
    assert {(each.target, each.size, each.sha256) for each in status.files} == {
        (name, len(data), hashlib.sha256(data).hexdigest()) for name, data in expected.items()
    }
    before = len(gets(fake))
    again = await archive(fake, s3)
    assert (again.is_complete, len(again.files), len(gets(fake)) - before) == (True, 0, 0)


def parts_in(cache: Path) -> list[str]:
    """Return the names of the partial files in all working folders of a machine."""
    return sorted(path.name for path in cache.rglob("*.part"))
