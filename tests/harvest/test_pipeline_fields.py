"""Layouts with fields of the pipeline: the same tree, whichever run and list the files come from."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.testing import Artifact, FakeCircleCI, World
from tests.harvest.harvests import QUICK, all_artifacts, change_list, fill, harvest, tree

LAYOUT = "project={project}/date={created_at:%Y-%m-%d}/branch={branch}/{workflow}/{job}-{number}/{node}/{path}"
CREATED = datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)


def place(artifact: Artifact) -> str:
    """Return the path of an artifact of a job with one node and a branch with a safe name."""
    job = artifact.job
    pipeline = job.workflow.pipeline
    branch = (pipeline.branch or "__HIVE_DEFAULT_PARTITION__").replace("/", "%2F")
    folder = f"project=gh%2Facme%2Fapi/date={pipeline.created_at:%Y-%m-%d}/branch={branch}"
    return f"{folder}/{job.workflow.name}/{job.name}-{job.number}/{artifact.path}"


def branched_world() -> World:
    """Branches whose names differ only in case, a nested one, and a tag."""
    world = World()
    project = world.project("gh/acme/api")
    for branch in ("Feature/x", "feature/x", "main"):
        fill(project.pipeline(branch=branch, created_at=CREATED).workflow("build").job("test"), 3, 50)
    fill(project.pipeline(tag="v1", created_at=CREATED).workflow("build").job("test"), 3, 50)
    return world


async def test_hive_partitions(into: Path) -> None:
    world = branched_world()
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, layout=LAYOUT)
        assert report.is_complete
        expected = {place(each): each.data for each in all_artifacts(world)}
        assert tree(into) == expected
        assert {path.name for path in into.iterdir() if path.name[0] != "."} == {"project=gh%2Facme%2Fapi"}
        again = await harvest(fake, into, layout=LAYOUT)
        assert (len(again.files), len(again.skipped)) == (0, 12)


@pytest.mark.parametrize("failing", ["*/artifacts", "*/job", "*/workflow"])
async def test_lists_that_a_later_run_continues(failing: str, into: Path) -> None:
    """The later run finds no pipeline in the list, so that it reads only what the ledger names."""
    world = branched_world()
    async with FakeCircleCI(world) as fake:
        fault = fake.fail(failing, origin="api", status=400, times=None)
        report = await harvest(fake, into, layout=LAYOUT)
        assert len(report.failed) == 4
        fault.stop()
        fake.fail("*/project/gh/acme/api/pipeline*", origin="api", body={"items": [], "next_page_token": None})
        report = await harvest(fake, into, layout=LAYOUT)
        assert (len(report.files), report.is_complete) == (12, True)
    assert tree(into) == {place(each): each.data for each in all_artifacts(world)}
    assert {(file.created_at, file.branch, file.tag) for file in report.files} == {
        (CREATED, branch, None) for branch in ("Feature/x", "feature/x", "main")
    } | {(CREATED, None, "v1")}


@pytest.mark.parametrize("by", ["pipeline_id", "workflow_id", "latest"])
async def test_every_selection_knows_the_pipeline(by: str, into: Path) -> None:
    world = branched_world()
    workflow = all_artifacts(world)[-1].job.workflow
    pipeline = workflow.pipeline
    ids: dict[str, Any] = {"pipeline_id": pipeline.id, "workflow_id": workflow.id, "latest": True}
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, layout=LAYOUT, select=ca.Selection(**{by: ids[by]}))
    assert len(report.files) == 3
    for file in report.files:
        assert (file.created_at, file.tag, file.pipeline_id) == (CREATED, "v1", pipeline.id)
        assert "/date=2026-11-20/" in file.path.as_posix()


async def test_hostile_names_stay_in_the_folder(tmp_path: Path, into: Path) -> None:
    world = World()
    project = world.project("gh/acme/api")
    names = [
        "..",
        "../../x",
        "/etc",
        "a\x00b",
        "\x1b[31m",
        "b\\..\\c",
        "x" * 5_000,
        "🎉" * 200,
        "con",
        " ",
        "a=b",
    ]
    for name in names:
        fill(project.pipeline(branch=name, revision=name).workflow("build").job("test"), 1, 10)
    for layout in ("{branch}/{revision}/{number}/{node}/{path}", "b={branch}/{number}/{node}/{path}"):
        folder = into / layout[:2]
        async with FakeCircleCI(world) as fake:
            report = await harvest(fake, folder, layout=layout)
        assert report.is_complete
        assert sorted(tree(folder).values()) == sorted(each.data for each in all_artifacts(world))
        for file in report.files:
            assert file.path.resolve().is_relative_to(folder.resolve())
    assert {path.name for path in tmp_path.iterdir()} <= {"out", "home"}


async def test_a_branch_that_is_not_valid_unicode(into: Path) -> None:
    world = branched_world()
    async with FakeCircleCI(world) as fake:
        path = "/project/gh/acme/api/pipeline"
        await change_list(fake, path, lambda items: [each["vcs"].update(branch="half \ud800") for each in items])
        report = await harvest(fake, into, layout=LAYOUT)
    assert report.is_complete
    assert {file.branch for file in report.files} == {"half \\ud800"}
    assert {file.path.relative_to(into).parts[2] for file in report.files} == {"branch=half %5Cud800"}


async def test_a_wrong_layout_is_refused_before_any_request(into: Path) -> None:
    async with FakeCircleCI(branched_world()) as fake, fake.client(retry=QUICK) as circle:
        for layout in ("{brunch}/{number}/{node}/{path}", "{created_at:%Q}/{number}/{node}/{path}"):
            with pytest.raises(
                ca.InvalidArgument, match=r"^layout must .*(not '\{brunch\}'|'%Q' in \{created_at:%Q\})"
            ):
                await circle.harvest("gh/acme/api", into, layout=layout)
        assert fake.requests == []
    assert not into.exists()
