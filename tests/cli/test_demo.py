"""`demo` and `fake`."""

import json
import re
import signal
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from circleci_async.cli import demo
from circleci_async.harvest.destination import stores
from circleci_async.testing import FakeCircleCI, World

from .conftest import Cli, Terminal, signal_when
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


def test_the_demo_passes_its_checks_in_any_environment(tmp_path: Path) -> None:
    config = tmp_path / "home" / ".circleci" / "cli.yml"
    config.parent.mkdir()
    config.write_text("host: [not a config file")

    code, out, err = run("demo", "--keep", tmp_path / "kept", env=HOSTILE_ENVIRONMENT)

    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert max(len(line) for line in out.splitlines() if str(tmp_path) not in line) <= 100  # ids are not wrapped
    assert re.findall(r"^(\d+)  ", out, re.MULTILINE) == [str(number) for number in range(1, 11)]
    assert out.count("60 of 60 have the SHA-256 that the server has.") == 2
    killed = re.search(r"^Killed \(SIGKILL\) after (\d+) of 60 files and a partial one\.", out, re.MULTILINE)
    assert killed is not None
    assert f"; {killed[1]} already present\n60 files, 13.3 MB match the ledger, " in out
    assert re.search(r"^\S+  workflow-completed  github/acme/web  #26  main  build  failed$", out, re.MULTILINE)
    assert "== Run tests  failed  exit code 1" in out
    assert "AssertionError" in out
    assert "\nWhat happened\n" in out
    assert len(re.findall("^ok      ", out, re.MULTILINE)) == 16
    assert "FAILED  " not in out
    assert "\n1 secret replaced in logs and tests\n" in out
    assert "\nThe log of 'Log in' is: Using the token [scrubbed]\n" in out
    assert demo.LEAKED not in out
    archived = re.search(r"^(\d+) files, \S+ MB in \S+, in memory:demo$", out, re.MULTILINE)
    assert archived is not None
    assert re.search(rf"^{archived[1]} files in \S+\.csv$", out, re.MULTILINE)
    kinds = dict(re.findall(r"^(artifacts|logs|tests): +(\d+)$", out, re.MULTILINE))
    assert (kinds["artifacts"], kinds["tests"]) == ("60", "4")
    assert sum(map(int, kinds.values())) == int(archived[1])
    assert "the-users-own-token" not in out
    numbers = dict(re.findall(r"^(\w+): +([\d.]+)$", out, re.MULTILINE))
    assert float(numbers["seconds"]) > 0
    assert int(numbers["requests"]) > 100
    assert int(numbers["retries"]) >= 3
    assert int(numbers["rate_limited"]) >= 1
    assert float(numbers["paused"]) > 0
    assert "gh/acme/api build-and-test fails more often since" in out.replace("\n", " ")
    page = tmp_path / "kept" / "report.html"
    assert f"The page is\n{page}\n" in out
    assert "What changed against the window before?" in page.read_text("utf-8")
    assert sum(path.is_file() for path in (tmp_path / "kept").rglob("*")) == 61


def test_the_demo_fails_when_a_file_differs_from_the_server(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    async def download_and_change_a_file(play: demo.Demo) -> None:
        original = demo.checksums

        def change_one(folder: Path) -> list[str]:
            next(path for path in folder.rglob("*") if path.is_file()).write_bytes(b"other bytes")
            return original(folder)

        monkeypatch.setattr(demo, "checksums", change_one)
        await demo.download_artifacts(play)

    monkeypatch.setattr(demo, "SCENES", (demo.show_user, download_and_change_a_file))

    ran = cli("demo", "--json")

    summary = ran.data
    assert (ran.code, ran.err) == (1, "")
    assert summary["bytes"] > 1_000_000
    assert (summary["files"], summary["verified"], summary["resumed"]) == (60, 59, 1)
    assert summary["requests"] > 60
    assert [*summary["faults"].values()] == [1, 0, 1, 1, 0]
    assert summary["checks"] == {
        "every artifact was downloaded intact": False,
        "the interrupted download was resumed": True,
        "every fault occurred, and no call failed": False,
        "the storage never received the token": True,
    }


def test_the_scene_with_a_bucket_is_left_out_without_the_extra(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.setattr(demo, "SCENES", (demo.show_user, demo.archive_into_bucket))
    ran = cli("demo")
    assert ran.out.count("\nLeft out: buckets need the extra 'store': pip install 'circleci-async[store]'.\n") == 1
    assert "objects" not in ran.out
    assert ran.err == ""


def test_the_report_is_left_out_without_the_extra(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)
    monkeypatch.setattr(demo, "SCENES", (demo.show_user, demo.report_insights))
    ran = cli("demo")
    assert ran.out.count("\nLeft out: the page needs the extra 'report': pip install 'circleci-async[report]'.\n") == 1
    assert "page:" not in ran.out
    assert ran.err == ""


def test_the_page_of_the_report_stays_until_the_next_demo(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def save_another_page(play: demo.Demo) -> None:
        play.page.write_text("page")

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setattr(demo, "SCENES", (save_another_page,))
    cli("demo")
    cli("demo")
    assert [page.suffix for page in temporary.iterdir()] == [".html"]


def test_the_demo_fails_if_a_secret_or_another_file_is_in_the_bucket(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    async def archive_with_another_object(play: demo.Demo) -> None:
        stores.open_bucket("into", demo.BUCKET).put("other", demo.LEAKED.encode())
        await demo.archive_into_bucket(play)

    monkeypatch.setattr(demo, "BUCKET", f"memory:{uuid4()}")
    monkeypatch.setattr(demo, "SCENES", (archive_with_another_object,))
    checks = cli("demo", "--json").data["checks"]
    assert checks["the objects have the bytes of the server"]
    assert not checks["no object contains the token, and its log has a mark"]
    assert not checks["the catalog has a row for each object"]


def test_fake_serves_until_ctrl_c_and_prints_its_environment(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    process = start("fake", "--seed", "3", "--rate-limit", "100")
    assert process.stdout is not None
    exports = {
        name: value for _ in range(3) for name, value in re.findall(r"^export (\w+)=(.*)\n", process.stdout.readline())
    }
    for name, value in exports.items():
        monkeypatch.setenv(name, value)

    project = cli("project", "gh/acme/web", "--json")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)

    assert exports.keys() == {"CIRCLE_HOST", "CIRCLE_TOKEN", "CIRCLE_ARTIFACT_HOSTS"}
    assert (project.code, project.data["name"]) == (0, "web")
    assert project.data["id"] == World.generate(seed=3).projects["gh/acme/web"].id
    assert err == "Serving gh/acme/api, gh/acme/web, gh/acme/mobile. Press Ctrl-C to stop.\n"
    assert process.returncode == 130


def test_fake_prints_its_environment_as_json(cli: Cli) -> None:
    screen = Terminal()
    with signal_when(lambda: screen.getvalue().endswith("}\n")):
        ran = cli("fake", "--json", stdout=screen)

    assert ran.code == 130
    assert json.loads(ran.out).keys() == {"CIRCLE_HOST", "CIRCLE_TOKEN", "CIRCLE_ARTIFACT_HOSTS"}


def test_fake_serves_a_history(cli: Cli) -> None:
    screen = Terminal()
    with signal_when(lambda: screen.getvalue().endswith("}\n")):
        ran = cli("fake", "--history", "--json", stdout=screen)

    assert ran.code == 130
    assert ran.err.startswith("Serving gh/acme/api, gh/acme/web, gh/acme/mobile, gh/acme/billing.")


def test_fake_fails_if_its_port_is_taken(cli: Cli, fake: FakeCircleCI) -> None:
    port = int(fake.url.rpartition(":")[2])

    code, out, err = cli("fake", "--port", port)

    assert (code, out) == (1, "")
    assert err == "error: cannot listen: address already in use: choose another --port\n"
