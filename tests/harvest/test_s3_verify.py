"""Objects that others changed are found by `verify`, also from the command line."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.testing import FakeCircleCI
from tests.cli.process import run
from tests.harvest.archives import PREFIX, archive, check_archive, finished, url_of
from tests.harvest.harvests import all_artifacts, gets, small_world, usual_tree
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

        # What the documentation says about repairs: delete what is wrong, and the ledger, and harvest again.
        s3.delete(*(PREFIX + path for path in (*deep.changed, *deep.unknown)))
        s3.delete(*(PREFIX + key for key in s3.keys(PREFIX) if key.startswith(".harvest/")))
        fake.requests.clear()
        (await archive(fake, s3)).raise_for_failures()
        assert len(gets(fake)) == 5
        await check_archive(fake, s3, all_artifacts(world))


def command_env(fake: FakeCircleCI) -> dict[str, str]:
    return {"CIRCLE_HOST": fake.url, "CIRCLE_TOKEN": fake.token, "CIRCLE_ARTIFACT_HOSTS": fake.artifact_host}


async def test_the_commands_with_a_bucket(s3: TestBucket, tmp_path: Path) -> None:
    import asyncio

    async def command(*words: object, code: int = 0, **options: Any) -> Any:
        done = await asyncio.to_thread(run, *words, **options)
        assert done.code == code, done
        assert "folder" not in done.err
        return done

    world = small_world(pipelines=1)
    url = url_of(s3)
    count = len(all_artifacts(world))
    async with FakeCircleCI(world) as fake:
        env = command_env(fake)
        for more in ((), ("--ledger", tmp_path / "ledger")):
            words = ("harvest", "run", "gh/acme/api", "--into", url, *more)
            done = await command("--json", *words, env=env)
            summary = json.loads(done.out.splitlines()[-1])
            assert (summary["files"], summary["is_complete"]) == (count, True)
            done = await command(*words, env=env)
            assert f"in {url}" in done.out
            done = await command("--json", "harvest", "status", url, *more)
            assert (done.data["done"], done.data["is_complete"], done.data["is_running"]) == (count, True, False)
            done = await command("--json", "harvest", "verify", url, "--deep", *more)
            assert (done.data["files"], done.data["differences"]) == (count, 0)
            catalog = tmp_path / f"catalog-{len(more)}.csv"
            await command("harvest", "catalog", url, "--csv", catalog, *more)
            assert len(catalog.read_text().splitlines()) == count + 1
            done = await command("--json", "harvest", "prune", url, "--older-than", "1d", "--dry-run", *more)
            assert (done.data["files"], done.data["dry_run"]) == (0, True)
        assert len(gets(fake)) == count  # with another ledger they are recognized
        victim = random.Random(1).choice(sorted(usual_tree(all_artifacts(world))))
        s3.delete(PREFIX + victim)
        done = await command("harvest", "verify", url, code=1)
        assert f"missing: {victim}" in done.err
    done = await command("harvest", "status", f"{url}/none", code=1)
    assert f"no harvest in {url}/none" in done.err
    done = await command("harvest", "status", "s3://no-such-bucket-of-tests/x", code=1)
    assert "NoSuchBucket" in done.err
    assert "Create the bucket" in done.err
