"""CircleCI's token reaches no bucket, and a bucket's credentials reach neither CircleCI nor a log."""

import logging
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.testing import FakeCircleCI
from tests.harvest.harvests import QUICK, all_artifacts, small_world, usual_tree
from tests.s3.proxy import Fault, FaultProxy
from tests.s3.server import SECRETS, TestBucket


@pytest.mark.parametrize("is_refused", [False, True])
async def test_secrets_stay_where_they_belong(
    s3: TestBucket, s3_proxy: FaultProxy, tmp_path: Path, caplog: pytest.LogCaptureFixture, is_refused: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    if is_refused:
        more = f"<AWSAccessKeyId>{SECRETS[0]}</AWSAccessKeyId>"
        s3_proxy.add(Fault(method="PUT", status=403, code="InvalidAccessKeyId", message=SECRETS[0], more=more))
    world = small_world(pipelines=1)
    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        try:
            report = repr(await circle.harvest("gh/acme/api", f"{s3.url}/acme", ledger=tmp_path / "ledger"))
        except ca.CircleCIError as error:
            assert is_refused
            report = str(error)

        assert s3_proxy.count("PUT") > 0
        assert not any(fake.token in repr((each.path, each.query, each.headers)) for each in s3_proxy.requests)
        sent = repr([(each.path, str(each.query), dict(each.headers)) for each in fake.requests])
        logged = "".join(caplog.handler.format(record) + repr(vars(record)) for record in caplog.records)
        ledger = b"".join(path.read_bytes() for path in (tmp_path / "ledger").rglob("*") if path.is_file())
        for text in (report, sent, logged, ledger.decode("latin-1")):
            assert not any(secret in text for secret in SECRETS)
    assert s3.files("acme/") == ({} if is_refused else usual_tree(all_artifacts(world)))
