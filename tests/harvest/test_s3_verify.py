"""Objects that others changed are found by `verify`."""

import pytest

import circleci_async as ca
from circleci_async.testing import FakeCircleCI
from tests.harvest.archives import PREFIX, archive, check_archive, finished, url_of
from tests.harvest.harvests import all_artifacts, gets, small_world
from tests.s3.server import TestBucket

pytestmark = pytest.mark.usefixtures("tmp_path")


def differences(report: ca.VerifyReport) -> dict[str, tuple[str, ...]]:
    found = {"changed": report.changed, "missing": report.missing, "unknown": report.unknown}
    return {kind: tuple(sorted(paths)) for kind, paths in found.items() if paths}


async def test_changed_objects_are_found(s3: TestBucket) -> None:
    world = small_world()
    async with FakeCircleCI(world) as fake:
        (await archive(fake, s3)).raise_for_failures()
        bytes_, size, foreign, deleted, wrong, *intact = sorted(finished(s3))
        stored = s3.stored(PREFIX)
        metadata = dict.fromkeys(("sha256",), stored[bytes_][1]["sha256"])
        s3.put(PREFIX + bytes_, bytes(3_000), metadata)  # only reading it shows that
        s3.put(PREFIX + size, bytes(2_999), {"sha256": stored[size][1]["sha256"]})
        s3.put(PREFIX + foreign, stored[foreign][0])  # the same content, without metadata
        s3.delete(PREFIX + deleted)
        s3.put(PREFIX + wrong, stored[wrong][0], {"sha256": "0" * 64})
        s3.put(f"{PREFIX}gh/acme/new file.txt", b"?")
        s3.put(f"{PREFIX}gh/.hidden", b"?")
        s3.put("elsewhere", b"?")

        plain = await ca.verify_harvest(url_of(s3))
        expected = {"changed": (size, foreign, wrong), "missing": (deleted,), "unknown": ("gh/acme/new file.txt",)}
        assert differences(plain) == {kind: tuple(sorted(paths)) for kind, paths in expected.items()}
        assert (plain.files, plain.bytes, plain.differences) == (len(intact) + 1, 3_000 * (len(intact) + 1), 5)

        deep = await ca.verify_harvest(url_of(s3), deep=True)
        expected["changed"] = tuple(sorted((*expected["changed"], bytes_)))
        assert differences(deep) == {kind: tuple(sorted(paths)) for kind, paths in expected.items()}
        assert (deep.files, deep.differences) == (len(intact), 6)

        assert (await ca.verify_harvest(url_of(s3), deep=True, repair=True)).differences == 6
        assert (await ca.harvest_status(url_of(s3))).failed == 5
        s3.delete(*(PREFIX + path for path in deep.unknown))
        fake.requests.clear()
        (await archive(fake, s3)).raise_for_failures()
        assert len(gets(fake)) == 5
        assert (await ca.verify_harvest(url_of(s3), deep=True)).is_intact
        await check_archive(fake, s3, all_artifacts(world))
