"""The demo does what it says, anywhere; and the embedded CircleCI can be had by itself."""

import json
import re
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from circleci_async.cli.stage import Stage
from circleci_async.testing import FakeCircleCI, World

from .conftest import Cli
from .process import run, start

HOSTILE_ENVIRONMENT = {
    "CIRCLE_HOST": "https://ci.example.invalid",
    "CIRCLE_TOKEN": "the-users-own-token",
    "CIRCLE_ARTIFACT_HOSTS": "nowhere.example.invalid",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
    "COLUMNS": "80",
}


def test_the_demo_does_the_main_job_whatever_the_environment(tmp_path: Path) -> None:
    config = tmp_path / "home" / ".circleci" / "cli.yml"
    config.parent.mkdir()
    config.write_text("host: [this is no config file")

    code, out, err = run("demo", "--keep", tmp_path / "kept", env=HOSTILE_ENVIRONMENT)

    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert max(len(line) for line in out.splitlines() if str(tmp_path) not in line) <= 80
    assert [line for line in out.splitlines() if re.match(r"\d  ", line)] == [
        "1  Who am I?",
        "2  The latest pipelines of gh/acme/api",
        "3  A job of the newest one, in detail",
        "4  All artifacts of that pipeline, at once",
        "5  How the workflows of 8 projects have fared, asked at once",
        "6  A new pipeline of gh/acme/api, watched to its end",
        "7  A pipeline of gh/acme/web that fails: a webhook tells of it, the log says why",
        "8  A harvest, killed in the middle, and another that goes on from there",
    ]
    assert out.count("60 of 60 have the same SHA-256 on this disk as on the server.") == 2
    killed = re.search(r"^Killed \(SIGKILL\) with (\d+) of 60 files there, and a half one\.$", out, re.MULTILINE)
    assert killed is not None
    assert f"; {killed[1]} there already\n60 files, 13.3 MB, as the ledger says" in out
    assert re.search(r"^\S+  workflow-completed  github/acme/web  #26  main  build  failed$", out, re.MULTILINE)
    assert "== Run tests  failed  exit code 1" in out
    assert "AssertionError" in out
    assert len(re.findall("^ok  ", out, re.MULTILINE)) == 11
    assert "NO  " not in out
    assert "the-users-own-token" not in out
    seconds = re.search(r"^Time: +([\d.]+)s$", out, re.MULTILINE)
    assert seconds is not None
    assert float(seconds[1]) < 20
    assert sum(path.is_file() for path in (tmp_path / "kept").rglob("*")) == 60


def test_the_demo_fails_if_files_are_not_the_servers_and_says_so_in_json(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil_one(stage: Stage, files: Sequence[tuple[str, Path]]) -> int:
        files[0][1].write_bytes(b"other bytes")
        return count_verified(stage, files)

    count_verified = Stage.count_verified
    monkeypatch.setattr(Stage, "count_verified", spoil_one)

    ran = cli("demo", "--json")

    summary = ran.data
    assert (ran.code, ran.err) == (1, "")
    assert (summary["files"], summary["verified"]) == (60, 59)
    assert [what for what, is_so in summary["checks"].items() if not is_so] == [
        "every file came, and is the server's",
        "its tree and its ledger agree, and are the server's",
    ]
    harvest = summary["harvest"]
    assert 0 < harvest.pop("kept") < 60
    assert harvest == {"again": 0, "went_on": True, "agrees": True, "verified": 59}
    assert summary["bytes"] > 1_000_000
    assert summary["requests"] > 100
    assert summary["retries"] >= 3
    assert summary["rate_limited"] >= 1
    assert summary["paused"] > 0
    assert summary["resumed"] == 1
    assert set(summary["faults"].values()) == {1}


def test_the_fake_serves_until_ctrl_c_and_says_what_to_export() -> None:
    process = start("fake", "--seed", "3", "--rate-limit", "100")
    assert process.stdout is not None
    exports = {
        name: value for _ in range(3) for name, value in re.findall(r"^export (\w+)=(.*)\n", process.stdout.readline())
    }

    project = run("project", "gh/acme/web", "--json", env=exports)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)

    assert exports.keys() == {"CIRCLE_HOST", "CIRCLE_TOKEN", "CIRCLE_ARTIFACT_HOSTS"}
    assert (project.code, project.data["name"]) == (0, "web")
    assert project.data["id"] == World.generate(seed=3).projects["gh/acme/web"].id
    assert err == "Serving gh/acme/api, gh/acme/web, gh/acme/mobile; Ctrl-C stops.\n"
    assert process.returncode == 130


def test_the_fake_in_json_says_its_environment() -> None:
    process = start("fake", "--json")
    assert process.stdout is not None
    text = ""
    while not text.endswith("}\n"):
        text += process.stdout.readline()

    process.terminate()
    process.communicate(timeout=10)

    assert json.loads(text).keys() == {"CIRCLE_HOST", "CIRCLE_TOKEN", "CIRCLE_ARTIFACT_HOSTS"}
    assert process.returncode == 143


def test_a_port_that_is_taken_is_an_error(cli: Cli, fake: FakeCircleCI) -> None:
    port = int(fake.url.rpartition(":")[2])

    code, out, err = cli("fake", "--port", port)

    assert (code, out) == (1, "")
    assert re.fullmatch(r"error: \[Errno \d+\] .*address already in use.*\n", err)
