"""The arguments `workers` and `send_token`, and the messages to the workers."""

import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from obstore.store import MemoryStore

import circleci_async as ca
from circleci_async.core.state import SharedSettings
from circleci_async.harvest.bounds import TooLarge
from circleci_async.harvest.downloader import BoundReached
from circleci_async.harvest.workers.batch_fetcher import BatchFetcher
from circleci_async.harvest.workers.messages import ClientSpec

from .conftest import connected

SECRET = "cci_secret_0123456789abcdef"


@pytest.mark.parametrize(
    ("workers", "into", "more", "message"),
    [
        ("tcp://h:1", "out", {}, "workers must be a distributed.Client, or None for this process, got 'tcp://h:1'"),
        (None, "out", {"send_token": True}, "send_token=True needs workers: it is sent to them only"),
        (..., "out", {"send_token": "yes"}, "send_token must be True or False, got 'yes'"),
        (..., "memory://x", {}, "into must be a bucket or folder that the workers reach, got 'memory://x'"),
        (..., MemoryStore(), {}, "into must be a bucket or folder that the workers reach, got 'memory:'"),
    ],
)
async def test_invalid_arguments(
    workers: Any,
    into: Any,
    more: dict[str, Any],
    message: str,
    client: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    async with ca.CircleCI("token", host="http://127.0.0.1:9") as circle:
        with pytest.raises(ca.InvalidArgument) as caught:
            await circle.harvest("gh/acme/api", into, workers=client if workers is ... else workers, **more)
    assert str(caught.value).startswith(message)
    assert list(tmp_path.iterdir()) == [tmp_path / "home"]


async def test_a_closed_client(shared_cluster: Any, into: Path) -> None:
    async with connected(shared_cluster.address) as client:
        pass
    async with ca.CircleCI("token", host="http://127.0.0.1:9") as circle:
        with pytest.raises(
            ca.InvalidArgument, match=r"^workers is a client whose status is 'closed': create a new one$"
        ):
            await circle.harvest("gh/acme/api", into, workers=client)


async def test_the_extra_is_missing(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    message = "workers=object needs the extra 'dask': install it with `pip install 'circleci-async[dask]'`"
    async with ca.CircleCI("token", host="http://127.0.0.1:9") as circle:
        with pytest.raises(ca.ConfigurationError, match=re.escape(message)):
            await circle.harvest("gh/acme/api", into, workers=object())  # type: ignore[arg-type]


def test_dask_is_imported_only_for_workers() -> None:
    program = "import circleci_async.harvest.run, circleci_async.cli.harvest, sys; print('distributed' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def spec(**changes: Any) -> ClientSpec:
    given: dict[str, Any] = {"artifact_hosts": ("*.circle-artifacts.com",), "are_hosts_named": False}
    given |= {name: changes.pop(name) for name in list(changes) if name in given or name == "host"}
    settings = SharedSettings(
        **({"host": "https://circleci.com"} | given),
        auth="circle-token",
        concurrency=32,
        max_response_bytes=1_000_000,
        user_agent="bot/1",
        trust_env=False,
    )
    return ClientSpec(settings, 5.0, None, ca.RetryPolicy(), 8, **({"is_anonymous": False} | changes))


def test_the_repr_does_not_show_the_token() -> None:
    assert SECRET not in repr(spec(token=SECRET))
    assert SECRET.encode() in pickle.dumps(spec(token=SECRET))


async def test_the_token_of_a_file_of_the_worker_is_sent_to_its_host_only(tmp_path: Path) -> None:
    folder = tmp_path / "home" / ".circleci"
    folder.mkdir()
    (folder / "cli.yml").write_text(f"host: https://ci.acme.test\ntoken: {SECRET}\n")
    (folder / "cli.yml").chmod(0o600)
    for are_hosts_named, is_trusted in ((False, False), (True, True)):
        fetcher = await BatchFetcher.create(
            spec(host="https://ci.acme.test", are_hosts_named=are_hosts_named), "tcp://w:1"
        )
        credentials = fetcher._session.state.credentials
        assert credentials.trusts("https://ci.acme.test/x")
        assert credentials.trusts("https://output.circle-artifacts.com/x") is is_trusted
        await fetcher.aclose()
    with pytest.raises(ca.ConfigurationError, match=r"^the Dask worker tcp://w:1 has no token for https://circleci"):
        await BatchFetcher.create(spec(), "tcp://w:1")
    await (await BatchFetcher.create(spec(is_anonymous=True), "tcp://w:1")).aclose()


@pytest.mark.parametrize(
    "error", [TooLarge("big", bound="max_bytes"), BoundReached("a/b"), ca.StoreError("no", status=403)]
)
def test_errors_of_harvests_survive_pickling(error: ca.CircleCIError) -> None:
    error.hint = "Try."
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)
