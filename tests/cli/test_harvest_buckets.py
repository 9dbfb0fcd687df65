"""The commands of harvests with a bucket of S3."""

import json
import re
from pathlib import Path

import pytest

from circleci_async.testing import FakeCircleCI, World
from tests.harvest.harvests import all_artifacts, fill, gets, usual_place
from tests.s3.proxy import Fault, FaultProxy
from tests.s3.server import TestBucket

from .conftest import Cli

pytestmark = pytest.mark.usefixtures("tmp_path")


@pytest.fixture
def files(world: World) -> int:
    """Two jobs with artifacts; return the number of these."""
    workflow = world.project("gh/acme/api").pipeline().workflow("build")
    for _ in range(2):
        fill(workflow.job("test"), 3)
    return len(all_artifacts(world))


@pytest.mark.parametrize("has_ledger", [False, True])
def test_the_commands_with_a_bucket(
    cli: Cli, fake: FakeCircleCI, files: int, s3: TestBucket, tmp_path: Path, has_ledger: bool
) -> None:
    url = f"{s3.url}/acme"
    more = ("--ledger", tmp_path / "ledger") if has_ledger else ()
    done = cli("harvest", "run", "gh/acme/api", "--into", url, *more)
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(rf"{files} files, 18\.0 kB in \d+\.\ds, in {url}; 17 requests, 0 saved\n", done.out)
    done = cli("harvest", "run", "gh/acme/api", "--into", url, *more, "--json")
    summary = json.loads(done.out.splitlines()[-1])
    assert (done.code, summary["files"], summary["skipped"], summary["is_complete"]) == (0, 0, files, True)
    status = cli("harvest", "status", url, *more, "--json").data
    assert (status["done"], status["is_complete"], status["is_running"], status["runs"]) == (files, True, False, 2)
    assert cli("harvest", "status", url, *more).out.startswith("State:      complete\n")
    verified = cli("harvest", "verify", url, "--deep", *more, "--json").data
    assert (verified["files"], verified["differences"]) == (files, 0)
    catalog = tmp_path / "catalog.csv"
    assert cli("harvest", "catalog", url, "--csv", catalog, *more).code == 0
    assert len(catalog.read_text().splitlines()) == files + 1
    done = cli("harvest", "prune", url, "--older-than", "1d", *more)
    assert (done.code, done.out) == (0, f"0 files, 0 bytes deleted from {url}\n")
    assert len(gets(fake)) == files
    assert (s3.keys("acme/.harvest/") == []) is has_ledger
    assert (tmp_path / "ledger" / ".harvest.sqlite").exists() is has_ledger

    victim = usual_place(all_artifacts(fake.world)[0])
    s3.delete(f"acme/{victim}")
    done = cli("harvest", "verify", url, *more)
    assert (done.code, done.err) == (1, f"error: missing: {victim}\n")


def test_a_bucket_that_does_not_exist_or_has_no_harvest(
    cli: Cli, s3: TestBucket, fake: FakeCircleCI, files: int
) -> None:
    missing = "s3://no-such-bucket-of-tests/acme"
    for command in (
        ("run", "gh/acme/api", "--into", missing),
        ("status", missing),
        ("verify", missing),
        ("catalog", missing, "--csv", "x.csv"),
        ("prune", missing, "--older-than", "1d"),
        ("prune", missing, "--older-than", "1d", "--dry-run"),
    ):
        done = cli("harvest", *command)
        assert (done.code, done.out) == (1, "")
        assert re.fullmatch(
            rf"error: cannot \w+ {missing}\S*: 404 Not Found: NoSuchBucket: .*"
            r" \[hint: Create the bucket, or check its name and the endpoint\]\n",
            done.err,
        )
        if command[0] != "run":
            done = cli("harvest", command[0], f"{s3.url}/none", *command[2:])
            assert done.err == f"error: no harvest in {s3.url}/none: it contains no .harvest/ledger.json\n"
            assert done.code == 1
    assert gets(fake) == []
    assert s3.keys() == []


def test_a_put_that_is_refused(cli: Cli, fake: FakeCircleCI, files: int, s3: TestBucket, s3_proxy: FaultProxy) -> None:
    s3_proxy.add(Fault("PUT", "acme/gh/.*", status=403, code="AccessDenied", message="no"))
    done = cli("harvest", "run", "gh/acme/api", "--into", f"{s3.url}/acme")
    assert done.code == 1
    assert re.search(
        rf"^error: cannot write {s3.url}/acme/gh/\S+: 403 Forbidden: AccessDenied: no \[hint: Check the store's"
        r" credentials .*\]$",
        done.err,
        re.MULTILINE,
    )
    assert done.err.count("AccessDenied") == 1
    s3_proxy.faults.clear()
    assert cli("harvest", "run", "gh/acme/api", "--into", f"{s3.url}/acme").code == 0
    assert len(s3.keys("acme/gh/")) == files


@pytest.mark.parametrize("url", ["s3:/ci-archive/acme", "s3://"])
def test_a_url_without_a_bucket(cli: Cli, fake: FakeCircleCI, files: int, url: str) -> None:
    done = cli("harvest", "run", "gh/acme/api", "--into", url)
    assert done.code == 2
    assert done.err == f"error: into must be the URL of a bucket, such as 's3://bucket/prefix', got {url!r}\n"
