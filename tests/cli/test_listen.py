"""`listen`."""

import io
import json
import os
from pathlib import Path

import pytest

from circleci_async.testing import FakeCircleCI, World

from .conftest import Cli, meanwhile, running, signal_when
from .process import wait_until

SECRET = "a-signing-secret"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCLE_WEBHOOK_SECRET", SECRET)


class Deliveries:
    """Delivers the events of a workflow to a command that listens, and records the status of each response."""

    def __init__(self, *, secret: str = SECRET, jobs: int = 1) -> None:
        self.messages = io.StringIO()
        """The stderr of the command, which contains its URL."""
        self.url = ""
        self.statuses: list[int | None] = []
        self._secret = secret
        self._jobs = jobs

    def __call__(self) -> None:
        wait_until(lambda: "\n" in self.messages.getvalue())
        self.url = self.messages.getvalue().split()[2].rstrip(".")
        world = World()
        project = world.project("gh/acme/api")
        webhook = project.webhook(self.url, secret=self._secret)
        server = FakeCircleCI(world, webhook_retries=())
        with running(server) as call:
            call(self._finish_a_workflow(world))
            call(server.delivered())
        self.statuses = [each.status for each in webhook.deliveries]

    async def _finish_a_workflow(self, world: World) -> None:
        workflow = world.projects["gh/acme/api"].pipeline(branch="main").workflow("build", status="running")
        for number in range(self._jobs):
            workflow.job(f"test-{number}", status="running").status = "failed"
        workflow.status = "failed"


def test_events_are_printed_until_count_is_reached(cli: Cli) -> None:
    deliveries = Deliveries()
    with meanwhile(deliveries):
        code, out, err = cli("listen", "--count", "2", stderr=deliveries.messages)

    assert deliveries.statuses == [202, 202]
    assert (code, err) == (0, f"Listening at {deliveries.url}. Press Ctrl-C to stop.\n")
    assert [line.split("  ")[1:] for line in out.splitlines()] == [
        ["job-completed", "github/acme/api", "#1", "main", "build / test-0", "failed"],
        ["workflow-completed", "github/acme/api", "#1", "main", "build", "failed"],
    ]


def test_json_prints_each_event_as_delivered(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CIRCLE_WEBHOOK_SECRET")
    secrets = tmp_path / "secrets"
    secrets.write_text(f"the-next-secret\n{SECRET}\n")
    deliveries = Deliveries()
    options = ("--json", "--count", "2", "--secret-file", secrets, "--path", "/hooks", "--drain", "5")
    with meanwhile(deliveries):
        code, out, _ = cli("listen", *options, stderr=deliveries.messages)

    assert (code, deliveries.statuses) == (0, [202, 202])
    assert deliveries.url.endswith("/hooks")
    events = [json.loads(line) for line in out.splitlines()]
    assert [each["type"] for each in events] == ["job-completed", "workflow-completed"]
    assert events[0]["job"]["status"] == "failed"


def test_a_request_with_another_signature_is_rejected_and_ctrl_c_stops(cli: Cli) -> None:
    deliveries = Deliveries(secret="another-secret")
    with signal_when(lambda: deliveries.statuses), meanwhile(deliveries):
        code, out, err = cli("listen", stderr=deliveries.messages)

    assert deliveries.statuses == [401, 401]
    assert (code, out) == (130, "")
    assert SECRET not in err


def test_a_closed_pipe_ends_the_command(cli: Cli) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    deliveries = Deliveries(jobs=0)  # a single event: no other request arrives while the command ends
    with open(writer, "w", encoding="utf-8") as pipe, meanwhile(deliveries):  # noqa: PTH123
        code, _, err = cli("listen", stdout=pipe, stderr=deliveries.messages)

    assert deliveries.statuses == [202]
    assert (code, err.count("\n")) == (141, 1)


def test_a_missing_secret_is_an_error(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CIRCLE_WEBHOOK_SECRET")
    code, _, err = cli("listen")
    assert code == 1
    assert "CIRCLE_WEBHOOK_SECRET contains no signing secret: set the one" in err
    (tmp_path / "empty").write_text("\n")
    assert "contains no signing secret" in cli("listen", "--secret-file", tmp_path / "empty").err
    assert "absent: no such file or directory" in cli("listen", "--secret-file", tmp_path / "absent").err


def test_a_path_without_a_leading_slash_is_bad_usage(cli: Cli) -> None:
    code, _, err = cli("listen", "--path", "hooks")
    assert code == 2
    assert "'hooks'" in err


def test_a_port_that_is_taken_is_an_error(cli: Cli, fake: FakeCircleCI) -> None:
    code, _, err = cli("listen", "--port", fake.url.rpartition(":")[2])
    assert code == 1
    assert "in use" in err
