"""The work of the ledger is linear in the names of a job, counted in instructions of SQLite."""

import sqlite3
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.harvest.ledger import catalog, schema, writer
from circleci_async.testing import FakeCircleCI, World
from tests.harvest.harvests import QUICK

LETTERS = "abcdefghijk"


def world_of(count: int, kind: str) -> World:
    world = World()
    slugs = ("gh/acme/api", "gh/acme/API") if kind == "projects" else ("gh/acme/api",)
    for slug in slugs:
        job = world.project(slug).pipeline().workflow("build").job("test")
        for number in range(count // len(slugs)):
            case = "".join(letter.upper() if number >> bit & 1 else letter for bit, letter in enumerate(LETTERS))
            job.artifact(case if kind == "cases" else f"r{number}", b"same" if kind == "equal" else case.encode())
    return world


@pytest.fixture
def instructions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The instructions that SQLite has executed, in units of fifty; the list has one item."""
    count = [0]

    def connect(root: Path) -> sqlite3.Connection:
        def executed() -> int:
            count[0] += 1
            return 0

        connection = schema.connect(root)
        connection.set_progress_handler(executed, 50)
        return connection

    monkeypatch.setattr(writer, "connect", connect)
    monkeypatch.setattr(catalog, "MAX_ROWS", 10)
    return count


@pytest.mark.parametrize("kind", ["plain", "cases", "equal", "projects"])
async def test_the_work_is_linear_in_the_names_of_a_job(kind: str, instructions: list[int], tmp_path: Path) -> None:
    work: dict[int, list[int]] = {}
    for count in (40, 160):
        world = world_of(count, kind)
        work[count] = []
        async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
            for max_files in (1, None, None):  # stopped, resumed, and repeated
                instructions[0] = 0
                report = await circle.harvest(
                    [project.slug for project in world.projects.values()],
                    tmp_path / str(count),
                    max_files=max_files,
                    dedupe="hardlink" if kind == "equal" else None,
                )
                assert (report.stopped is None) == (max_files is None)
                work[count].append(instructions[0])
        assert sum(path.is_file() for path in (tmp_path / str(count) / "gh").rglob("*")) == count
    assert isinstance(report, ca.HarvestReport)
    if kind == "projects":  # the first run stops with one of the projects listed, or with both
        work = {count: [sum(runs[:2]), runs[2]] for count, runs in work.items()}
    for few, many in zip(work[40], work[160], strict=True):
        assert many < 6 * few + 50
