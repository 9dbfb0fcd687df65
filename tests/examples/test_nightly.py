"""The nightly job reports insights of several projects and downloads the artifacts of their latest builds."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from circleci_async.testing import FakeCircleCI, World
from docs.examples import nightly

from .processes import EXAMPLES, STOPS, TIMEOUT, ended, in_terminal, started


def some_projects(names: str) -> World:
    """Return a world with projects, each with a successful build yesterday and a failed one today."""
    world = World()
    now = datetime.now(UTC)
    for name in names.split():
        project = world.project(f"gh/acme/{name}")
        good = project.pipeline(created_at=now - timedelta(days=1)).workflow("build")
        good.job("test", duration=60).artifact("dist/a.whl", f"{name} 1".encode())
        good.job("lint", duration=20).artifact("lint.txt", b"clean")
        bad = project.pipeline(created_at=now - timedelta(hours=1)).workflow("build", status="failed")
        bad.job("test", duration=60, status="failed").artifact("dist/a.whl", f"{name} 2".encode())
    return world


def files(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*")) if file.is_file()}


async def run(
    world: World, into: Path, monkeypatch: pytest.MonkeyPatch, *projects: str, branch: str = "main"
) -> tuple[int, dict[str, str]]:
    """Run the job in this process; return its exit code and files."""
    async with FakeCircleCI(world) as fake:
        for name, value in fake.environment.items():
            monkeypatch.setenv(name, value)
        code = await nightly.main(list(projects), branch, None, into)
    return code, files(into)


async def test_it_writes_a_report_and_the_files_of_the_latest_successful_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, found = await run(some_projects("api web"), tmp_path, monkeypatch, "gh/acme/api", "gh/acme/web")
    assert code == 0
    assert found.pop("report.md").splitlines() == [
        "| project | workflow | runs | success | median | latest |",
        "|---|---|--:|--:|--:|---|",
        "| gh/acme/api | build | 2 | 50% | 60 s | pipeline 1, 2 files |",
        "| gh/acme/web | build | 2 | 50% | 60 s | pipeline 1, 2 files |",
    ]
    assert found == {
        "gh/acme/api/1/dist/a.whl": "api 1",
        "gh/acme/api/2/lint.txt": "clean",
        "gh/acme/web/1/dist/a.whl": "web 1",
        "gh/acme/web/2/lint.txt": "clean",
    }


async def test_an_error_in_one_project_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = await run(some_projects("api"), tmp_path, monkeypatch, "gh/acme/gone", "gh/acme/api")
    out, err = capsys.readouterr()
    assert (code, out) == (1, "")
    assert [line.partition(": ")[0] for line in err.splitlines()] == ["gh/acme/gone", "gh/acme/gone"]
    assert "| gh/acme/gone | | | | | none |" in found["report.md"]
    assert found["gh/acme/api/1/dist/a.whl"] == "api 1"


async def test_a_branch_without_builds_is_not_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, found = await run(some_projects("api"), tmp_path, monkeypatch, "gh/acme/api", branch="dev")
    assert code == 0
    assert "| none |" in found["report.md"]


async def test_the_command_downloads_only_the_selected_files(tmp_path: Path) -> None:
    arguments = [str(EXAMPLES / "nightly.py"), "gh/acme/api", "--path", "**/*.whl", "--into", "wheels"]
    async with (
        FakeCircleCI(some_projects("api")) as fake,
        started(*arguments, env=dict(fake.environment), folder=tmp_path) as process,
    ):
        assert await ended(process) == (0, "", "")
    assert [name for name in files(tmp_path / "wheels") if name != "report.md"] == ["gh/acme/api/1/dist/a.whl"]


@pytest.mark.parametrize("how", STOPS)
async def test_a_job_that_is_stopped_keeps_complete_files_only(how: str, tmp_path: Path) -> None:
    world = some_projects("api web")
    async with FakeCircleCI(world) as fake:
        fake.fail("*/lint.txt", origin="storage", cut=2, times=2)
        waiting = fake.fail("*/lint.txt", origin="storage", delay=600, times=2)
        arguments = (str(EXAMPLES / "nightly.py"), "gh/acme/api", "gh/acme/web", "--into", "into")
        async with in_terminal(*arguments, env=dict(fake.environment), folder=tmp_path) as terminal:
            async with asyncio.timeout(TIMEOUT):
                while waiting.hits < 2 or len(list(tmp_path.rglob("*.whl"))) < 2:
                    await asyncio.sleep(0.01)
            assert len(list(tmp_path.rglob("*.part"))) == 2
            terminal.stop(how)
            code, out = await terminal.ended()
    assert code == 130
    assert out.removeprefix("^C") == "interrupted: complete files are kept, no report is written\n"
    assert files(tmp_path / "into") == {"gh/acme/api/1/dist/a.whl": "api 1", "gh/acme/web/1/dist/a.whl": "web 1"}
