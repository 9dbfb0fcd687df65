"""Fixtures of all tests."""

import gc
import json
import os
import signal
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import settings

from circleci_async.testing.server.api import ApiOrigin
from circleci_async.testing.server.exchange import Request, Response
from tests.description import faults_of

pytest_plugins = ["tests.s3.fixtures"]

_API = "/api/v2"

# on a busy machine an example can take longer than the default of 200 ms
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

# a shell without job control starts background commands with SIGINT ignored, which their child processes inherit
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def clean_environment(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Run each test without the tokens, settings, config files, keyring, buckets and proxies of this machine.

    The home folder is in `tmp_path`. It does not exist in tests without that fixture: they start faster.
    """
    for name in os.environ:
        if name.upper().startswith(("CIRCLE", "XDG_", "AWS_", "GOOGLE_", "AZURE_")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    if "tmp_path" in request.fixturenames:
        home = request.getfixturevalue("tmp_path") / "home"
        home.mkdir()
    else:
        home = tmp_path_factory.getbasetemp() / "no home"
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    yield
    if home.name == "no home":
        assert not home.exists(), "a test that writes into the home folder needs the fixture tmp_path"


@pytest.fixture(autouse=True)
def validate_responses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Validate every response of the embedded CircleCI against the OpenAPI description, in all tests.

    Responses of planned faults (`fake.fail`) are not validated.
    """
    faults: list[str] = []
    original = ApiOrigin.answer

    def validated(origin: ApiOrigin, request: Request) -> Response:
        response = original(origin, request)
        if not request.path.startswith(f"{_API}/"):
            return response  # API v1.1 has no description, and its responses can be EDN
        assert isinstance(response.body, bytes)
        path = request.path.removeprefix(_API)
        found = faults_of(request.method, path, response.status, json.loads(response.body) if response.body else None)
        faults.extend(f"{request.method} {path}: {fault}" for fault in found)
        return response

    monkeypatch.setattr(ApiOrigin, "answer", validated)
    yield
    assert faults == []


def pytest_xdist_auto_num_workers() -> int | None:
    """Return three workers for each two processors: a third of the time, tests wait for processes and timers."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return count + count // 2


def pytest_collection_finish() -> None:
    """Exclude the collected tests and the imported modules from garbage collection, which tests run in full."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many inputs the fuzz tests and how many sequences of faults the harvests tried, in all processes."""
    reports = [report for key in ("passed", "failed") for report in terminalreporter.getreports(key)]
    properties = [each for report in reports for each in report.user_properties]
    counts = [value for name, value in properties if name == "fuzz inputs"]
    if counts:
        terminalreporter.write_line(f"fuzzed {len(counts)} parsers with {sum(counts):,} inputs")
    sequences: Counter[str] = sum((Counter(value) for name, value in properties if name == "faults"), Counter())
    if sequences:
        counted = ", ".join(f"{count:,} {name}" for name, count in sequences.items())
        terminalreporter.write_line(f"random sequences of faults: {counted}")
