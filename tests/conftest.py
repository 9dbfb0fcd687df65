"""What every test stands on."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from circleci_async.testing.server.api import ApiOrigin
from circleci_async.testing.server.exchange import Request, Response
from tests.testing.caller import faults_of

_API = "/api/v2"


@pytest.fixture(autouse=True)
def nobodys_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run each test as on a new machine: no token, settings, config files or proxies of the person who runs it."""
    for name in os.environ:
        if name.upper().startswith(("CIRCLE", "XDG_")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))


@pytest.fixture(autouse=True)
def every_answer_is_as_described(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hold every answer of the embedded CircleCI, in whatever test, against the API's description.

    What a test scripts (`fake.fail`) is not the server's own answer, and does not come here.
    """
    faults: list[str] = []
    answer = ApiOrigin.answer

    def checked(origin: ApiOrigin, request: Request) -> Response:
        response = answer(origin, request)
        if not request.path.startswith(f"{_API}/"):
            return response  # API v1.1 is not described, and its answers need not be JSON
        assert isinstance(response.body, bytes)
        path = request.path.removeprefix(_API)
        found = faults_of(request.method, path, response.status, json.loads(response.body) if response.body else None)
        faults.extend(f"{request.method} {path}: {fault}" for fault in found)
        return response

    monkeypatch.setattr(ApiOrigin, "answer", checked)
    yield
    assert faults == []
