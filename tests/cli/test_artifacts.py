"""`artifacts list` and `artifacts download`."""

import re
from hashlib import sha256
from pathlib import Path

import pytest

from circleci_async.testing import FakeCircleCI, Job, Workflow, World

from .conftest import Cli, signal_when


@pytest.fixture
def workflow(world: World, fake: FakeCircleCI) -> Workflow:
    return world.project("gh/acme/api").pipeline().workflow("build")


@pytest.fixture
def job(workflow: Workflow) -> Job:
    made = workflow.job("test", parallelism=2)
    made.artifact("reports/junit.xml", b"<testsuite/>")
    made.artifact("server.log", b"hello")
    made.artifact("server.log", b"hello from the other node", node=1)
    return made


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_artifacts_are_listed(cli: Cli, job: Job, fake: FakeCircleCI) -> None:
    code, out, err = cli("artifacts", "list", "gh/acme/api", 1)

    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [
        ["Path", "Node", "URL"],
        ["reports/junit.xml", "0", f"http://{fake.artifact_host}{job.artifacts[0].location}"],
        ["server.log", "0", f"http://{fake.artifact_host}{job.artifacts[1].location}"],
        ["server.log", "1", f"http://{fake.artifact_host}{job.artifacts[2].location}"],
    ]
    assert [each["node_index"] for each in cli("artifacts", "list", "gh/acme/api", 1, "--json").data] == [0, 0, 1]


def test_the_artifacts_of_a_job_are_downloaded(cli: Cli, job: Job, tmp_path: Path) -> None:
    code, out, err = cli("artifacts", "download", "gh/acme/api", 1, "--into", tmp_path / "new" / "out")

    assert (code, err) == (0, "")
    assert re.fullmatch(rf"3 files, 42 bytes in \d+\.\ds, in {re.escape(str(tmp_path))}/new/out\n", out)
    assert files_in(tmp_path / "new" / "out") == {
        "reports/junit.xml": b"<testsuite/>",
        "server.log": b"hello",
        "node-1/server.log": b"hello from the other node",
    }


def test_the_default_destination_is_the_working_folder(
    cli: Cli, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    assert cli("artifacts", "download", "gh/acme/api", 1).code == 0
    assert (tmp_path / "here" / "server.log").read_bytes() == b"hello"


def test_json_lists_each_file_with_its_checksum(cli: Cli, job: Job, fake: FakeCircleCI, tmp_path: Path) -> None:
    ran = cli("artifacts", "download", "gh/acme/api", 1, "--into", tmp_path / "out", "--match", "*.xml", "--json")

    assert (ran.code, ran.err) == (0, "")
    data = ran.data
    assert data.pop("seconds") >= 0
    assert data == {
        "files": [
            {
                "url": f"http://{fake.artifact_host}{job.artifacts[0].location}",
                "path": str(tmp_path / "out" / "reports" / "junit.xml"),
                "size": 12,
                "sha256": sha256(b"<testsuite/>").hexdigest(),
                "verified": True,
                "resumed": 0,
            }
        ],
        "failed": [],
        "bytes": 12,
    }


@pytest.mark.parametrize(
    ("globs", "names"),
    [
        (["*.log"], {"server.log", "node-1/server.log"}),
        (["*.xml", "server.*"], {"reports/junit.xml", "server.log", "node-1/server.log"}),
        (["reports/*"], {"reports/junit.xml"}),
    ],
)
def test_match_selects_artifacts_by_path(cli: Cli, job: Job, tmp_path: Path, globs: list[str], names: set[str]) -> None:
    options = [word for glob in globs for word in ("--match", glob)]

    assert cli("artifacts", "download", "gh/acme/api", 1, "--into", tmp_path / "out", *options).code == 0
    assert files_in(tmp_path / "out").keys() == names


def test_downloading_nothing_is_reported(cli: Cli, job: Job, workflow: Workflow, tmp_path: Path) -> None:
    workflow.job("lint")

    none = cli("artifacts", "download", "gh/acme/api", 2, "--into", tmp_path)
    no_match = cli("artifacts", "download", "gh/acme/api", 1, "--match", "*.zip", "--into", tmp_path)

    assert (none.code, none.err) == (0, "no artifacts\n")
    assert (no_match.code, no_match.err) == (0, "no artifact of 3 matches\n")
    assert none.out.startswith("0 files, 0 bytes")


def test_each_job_of_a_pipeline_is_downloaded_into_its_own_folder(
    cli: Cli, job: Job, workflow: Workflow, tmp_path: Path
) -> None:
    hold = workflow.job("hold", approval=True)
    workflow.job("../node/test\x1b", requires=[hold]).artifact("server.log", b"another job's")
    workflow.job("later", status="blocked")
    again = workflow.pipeline.workflow("build")
    again.jobs += workflow.jobs[:1]  # a rerun from failed reuses successful jobs

    code, out, err = cli(
        "artifacts", "download", "--pipeline", workflow.pipeline.id, "--into", tmp_path / "out", "--match", "server*"
    )

    assert (code, err) == (0, "")
    assert out.startswith("3 files, ")
    assert files_in(tmp_path / "out") == {
        "1-test/server.log": b"hello",
        "1-test/node-1/server.log": b"hello from the other node",
        "2-..-node-test-/server.log": b"another job's",
    }


def test_a_failed_list_of_artifacts_fails_the_download_of_a_pipeline(
    cli: Cli, job: Job, workflow: Workflow, fake: FakeCircleCI, tmp_path: Path
) -> None:
    fake.fail("*/1/artifacts", status=403, body={"message": "Permission denied."})

    code, _, err = cli("artifacts", "download", "--pipeline", workflow.pipeline.id, "--into", tmp_path / "out")

    assert code == 1
    assert err.startswith("error: 403 Forbidden: Permission denied.")


@pytest.mark.parametrize("arguments", [(), ("gh/acme/api", 1, "--pipeline", "x"), ("gh/acme/api", "--pipeline", "x")])
def test_a_job_or_a_pipeline_must_be_given(cli: Cli, fake: FakeCircleCI, arguments: tuple[object, ...]) -> None:
    code, _, err = cli("artifacts", "download", *arguments)

    assert (code, err) == (2, "error: either a job (PROJECT and NUMBER, or its URL) or --pipeline must be given\n")
    assert fake.requests == []


def test_a_failed_file_sets_the_exit_code_and_the_others_are_downloaded(
    cli: Cli, job: Job, fake: FakeCircleCI, tmp_path: Path
) -> None:
    job.artifact("../../evil\x1b[2J", b"x")
    fake.fail("/output/*junit.xml", status=404, times=None)

    code, out, err = cli("artifacts", "download", "gh/acme/api", 1, "--into", tmp_path / "out")

    assert code == 1
    assert out.startswith("2 files, ")
    evil, missing = sorted(err.splitlines())
    assert evil.startswith(r"error: '../../evil\x1b[2J': artifact path")
    assert re.fullmatch(
        r"error: reports/junit\.xml: 404 Not Found: .* \[hint: check the name, .*\] \(GET .*\)", missing
    )
    assert files_in(tmp_path / "out").keys() == {"server.log", "node-1/server.log"}

    failed = cli("artifacts", "download", "gh/acme/api", 1, "--into", tmp_path / "out", "--json")
    assert failed.code == 1
    assert {each["url"].rpartition("/")[2] for each in failed.data["failed"]} == {"junit.xml", "evil%1B%5B2J"}


def test_a_progress_bar_is_shown_on_a_terminal(cli: Cli, job: Job, fake: FakeCircleCI, tmp_path: Path) -> None:
    large = job.artifact("large.bin", size=3_000_000)
    fake.fail(large.location, delay=0.3)  # longer than the bar's refresh interval

    code, out, bar = cli.on_terminal("artifacts", "download", "gh/acme/api", 1, "--into", tmp_path / "out")

    assert code == 0
    assert "0/4 files" in bar
    assert "4/4 files" in bar
    assert "3.0 MB of 3.0 MB" in bar
    assert "?" not in bar.replace("\x1b[?", "")
    assert out.splitlines()[-1].endswith(f"in {tmp_path / 'out'}")


@pytest.mark.parametrize("option", ["--json", "-v"])
def test_no_progress_bar_is_shown_with_json_or_a_log(cli: Cli, job: Job, tmp_path: Path, option: str) -> None:
    code, out, err = cli.on_terminal("artifacts", "download", "gh/acme/api", 1, "--into", tmp_path / "out", option)

    assert code == 0
    assert "/3 files" not in out + err
    assert "\x1b[?25l" not in out + err


def test_ctrl_c_stops_a_download_and_prints_how_many_files_are_complete(
    cli: Cli, job: Job, fake: FakeCircleCI, tmp_path: Path
) -> None:
    large = job.artifact("large.bin", size=5_000_000)
    fake.fail(large.key, cut=1_000_000)
    resumed = fake.fail(large.location, delay=60, after=1)

    with signal_when(lambda: resumed.hits and len(files_in(tmp_path / "out")) == 4):
        ran = cli("artifacts", "download", "gh/acme/api", 1, "--into", tmp_path / "out")

    assert ran == (130, "", "stopped: 3 of 4 files are complete\n")
    assert files_in(tmp_path / "out").keys() == {"reports/junit.xml", "server.log", "node-1/server.log"}
