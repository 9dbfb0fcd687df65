"""No token of CircleCI reaches S3, and no credential of S3 reaches CircleCI, a log, a file, or a traceback."""

import asyncio
import logging
import traceback
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.testing import FakeCircleCI
from tests.cli.process import run
from tests.harvest.archives import archive, url_of
from tests.harvest.harvests import small_world
from tests.s3.proxy import Fault, FaultProxy
from tests.s3.server import CREDENTIALS, SECRETS, TestBucket

REFUSALS = {
    "complete": None,
    "refused": Fault("PUT", r"acme/[^.].*", skip=2, status=403, code="InvalidAccessKeyId", message=SECRETS[0]),
    "signature": Fault(
        status=403,
        code="SignatureDoesNotMatch",
        message=f"the key {SECRETS[1]} is wrong",
        more=f"<StringToSign>{SECRETS[2]}</StringToSign><AWSAccessKeyId>{SECRETS[0]}</AWSAccessKeyId>",
    ),
    "cut": Fault("PUT", r"acme/[^.].*", skip=2, cut_request=10),
}


def text_of(error: BaseException) -> list[str]:
    """Return the text of an error, with the local variables of all frames besides those of the tests."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    for each in (shown, shown.__cause__, shown.__context__):
        if each is not None:
            each.stack = traceback.StackSummary.from_list([f for f in each.stack if "/tests/" not in f.filename])
    return list(shown.format())


@pytest.mark.parametrize("name", REFUSALS)
async def test_secrets_stay_where_they_belong(
    s3: TestBucket,
    s3_proxy: FaultProxy,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("circleci_async.harvest.destination.stores.MAX_RETRIES", 0)
    monkeypatch.setattr("circleci_async.harvest.outage.MAX_DOWNTIME", 0.0)
    fault = REFUSALS[name]
    if fault is not None:
        s3_proxy.add(fault)
    told: list[str] = []
    async with FakeCircleCI(small_world(pipelines=1)) as fake:
        try:
            report = await archive(fake, s3)
            told += [repr(report), repr(report.error), *map(repr, report.failed)]
            report.raise_for_failures()
        except ca.CircleCIError as error:
            told += text_of(error)
            told.append(repr(getattr(error, "hint", "")))
        env = {"CIRCLE_HOST": fake.url, "CIRCLE_TOKEN": fake.token, "CIRCLE_ARTIFACT_HOSTS": fake.artifact_host}
        env["CIRCLECI_ASYNC_LOG"] = "debug"
        command = ("--json", "harvest", "run", "gh/acme/api", "--into", url_of(s3))
        if name in {"complete", "signature"}:
            done = await asyncio.to_thread(run, *command, env=env)
            assert done.code == (name != "complete")
            told += [done.out, done.err]
        told += [repr((each.method, each.path, each.query, each.headers, each.body)) for each in fake.requests]
        assert fake.token not in "".join(map(repr, s3_proxy.requests))
        received = repr([(each.path, each.query, each.headers, each.body) for each in s3_proxy.requests])
        assert fake.token not in received
        assert fake.token.encode() not in b"".join(each.body for each in s3_proxy.requests)
    for content, metadata in s3.stored().values():
        assert fake.token.encode() not in content
        assert fake.token not in repr(metadata)
    told += [caplog.handler.format(record) + repr(vars(record)) for record in caplog.records]
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    told += [path.read_bytes().decode("latin-1") for path in kept]
    for secret in SECRETS:
        assert secret not in "\n".join(told)
    assert set(SECRETS) == set(CREDENTIALS.values())
