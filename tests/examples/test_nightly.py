"""The nightly job: insights of many projects, and artifacts of their latest builds."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from circleci_async.testing import FakeCircleCI, World

from .processes import EXAMPLES, ended, started


def some_projects(names: str) -> World:
    """A project each, with a build that succeeded yesterday, and one that failed today."""
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


async def night(world: World, folder: Path, *arguments: str) -> tuple[int, str, str]:
    async with FakeCircleCI(world) as fake:
        script = str(EXAMPLES / "nightly.py")
        async with started(script, *arguments, env=dict(fake.environment), folder=folder) as process:
            return await ended(process)


def files(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*")) if file.is_file()}


async def test_it_leaves_a_report_and_the_files_of_the_latest_good_builds(tmp_path: Path) -> None:
    assert await night(some_projects("api web"), tmp_path, "gh/acme/api", "gh/acme/web") == (0, "", "")
    found = files(tmp_path / "nightly")
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


async def test_only_the_files_that_are_asked_for_come(tmp_path: Path) -> None:
    ran = await night(some_projects("api"), tmp_path, "gh/acme/api", "--path", "**/*.whl", "--into", "wheels")
    assert ran == (0, "", "")
    assert [name for name in files(tmp_path / "wheels") if name != "report.md"] == ["gh/acme/api/1/dist/a.whl"]


async def test_a_project_that_is_in_trouble_stops_no_other(tmp_path: Path) -> None:
    code, out, err = await night(some_projects("api"), tmp_path, "gh/acme/gone", "gh/acme/api")
    found = files(tmp_path / "nightly")
    assert (code, out) == (1, "")
    assert [line.partition(": ")[0] for line in err.splitlines()] == ["gh/acme/gone", "gh/acme/gone"]
    assert "| gh/acme/gone | | | | | none |" in found["report.md"]
    assert found["gh/acme/api/1/dist/a.whl"] == "api 1"


async def test_a_branch_that_was_never_built_is_no_trouble(tmp_path: Path) -> None:
    assert await night(some_projects("api"), tmp_path, "gh/acme/api", "--branch", "dev") == (0, "", "")
    assert "| none |" in files(tmp_path / "nightly")["report.md"]
