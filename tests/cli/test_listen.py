"""A receiver of webhooks that prints the events."""

import asyncio
import json
import signal
import subprocess
from pathlib import Path

import pytest

from circleci_async.testing import FakeCircleCI, World
from circleci_async.testing.background import BackgroundCircleCI

from .conftest import Cli
from .process import start

SECRET = "a-signing-secret"


def listening(process: "subprocess.Popen[str]") -> str:
    """Where a process says that it listens."""
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("Listening at http://127.0.0.1:"), line
    return line.split()[2].rstrip(";")


def deliver(world: World, url: str, *, secret: str = SECRET, jobs: int = 1) -> list[int | None]:
    """Let a workflow and so many jobs end, and return how the address answered to the events."""
    project = world.project("gh/acme/api")
    webhook = project.webhook(url, secret=secret)
    with BackgroundCircleCI(world, webhook_retries=()) as server:
        workflow = project.pipeline(branch="main").workflow("build", status="running")
        for number in range(jobs):
            workflow.job(f"test-{number}", status="running").status = "failed"
        workflow.status = "failed"
        asyncio.run(server.delivered())
    return [each.status for each in webhook.deliveries]


def test_events_are_printed_as_they_come_until_there_were_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCLE_WEBHOOK_SECRET", SECRET)
    process = start("listen", "--count", "2")
    assert deliver(World(), listening(process)) == [202, 202]
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert [line.split("  ")[1:] for line in out.splitlines()] == [
        ["job-completed", "github/acme/api", "#1", "main", "build / test-0", "failed"],
        ["workflow-completed", "github/acme/api", "#1", "main", "build", "failed"],
    ]


def test_for_programs_each_event_is_a_line_of_json_as_it_was_delivered(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.write_text(f"the-next-secret\n{SECRET}\n")
    process = start("listen", "--json", "--count", "2", "--secret-file", str(secrets), "--path", "/hooks")
    url = listening(process)
    assert url.endswith("/hooks")
    assert deliver(World(), url) == [202, 202]
    out, _ = process.communicate(timeout=20)
    events = [json.loads(line) for line in out.splitlines()]
    assert [each["type"] for each in events] == ["job-completed", "workflow-completed"]
    assert events[0]["job"]["status"] == "failed"


def test_what_is_signed_with_another_secret_is_refused_and_ctrl_c_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCLE_WEBHOOK_SECRET", SECRET)
    process = start("listen")
    assert deliver(World(), listening(process), secret="another-secret") == [401, 401]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert SECRET not in err


def test_it_ends_when_nobody_reads_what_it_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCLE_WEBHOOK_SECRET", SECRET)
    process = start("listen")
    url = listening(process)
    assert process.stdout is not None
    process.stdout.close()
    assert deliver(World(), url, jobs=0) == [202]  # one event: nobody connects while it ends
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(20) == 141
    process.stderr.close()


def test_without_a_secret_nothing_is_received(cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli("listen")
    assert code == 1
    assert "CIRCLE_WEBHOOK_SECRET holds no secret: give the signing secret" in err
    (tmp_path / "empty").write_text("\n")
    assert "holds no secret" in cli("listen", "--secret-file", tmp_path / "empty").err
    assert "No such file" in cli("listen", "--secret-file", tmp_path / "absent").err


def test_a_path_without_its_slash_is_bad_usage(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCLE_WEBHOOK_SECRET", SECRET)
    code, _, err = cli("listen", "--path", "hooks")
    assert code == 2
    assert "path must begin with '/', got 'hooks'" in err


def test_a_port_that_is_taken_is_an_error(cli: Cli, fake: FakeCircleCI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCLE_WEBHOOK_SECRET", SECRET)
    code, _, err = cli("listen", "--port", fake.url.rpartition(":")[2])
    assert code == 1
    assert "in use" in err
