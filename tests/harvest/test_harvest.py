"""A harvest downloads every artifact once."""

import asyncio
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.testing import FakeCircleCI, World
from tests.harvest.harvests import (
    all_artifacts,
    fill,
    gets,
    harvest,
    parts,
    small_world,
    states,
    tree,
    usual_place,
    usual_tree,
)


async def test_every_artifact_is_downloaded_to_its_path(into: Path) -> None:
    world = small_world()
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into)
    report.raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(world))
    assert "gh/acme/api/3/build/test-1-6/logs/2.txt" in tree(into)
    assert parts(into) == []
    assert (len(report.files), len(report.skipped), len(report.failed), report.stopped) == (24, 0, 0, None)
    assert report.bytes == 24 * 3_000
    assert report.seconds > 0
    assert report.is_complete


async def test_the_report_describes_each_file(into: Path) -> None:
    world = World()
    artifact = world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("a/b.txt", b"hello")
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into)
        [file] = report.files
        assert file == report.files[0] == report.files[-1] == report.files[:5][0]
        assert file.path == into / "gh/acme/api/1/build/test-1/a/b.txt"
        assert (file.size, file.sha256, file.etag) == (5, artifact.sha256, artifact.content.etag)
        assert (file.project, file.pipeline, file.workflow, file.job, file.number) == (
            "gh/acme/api",
            1,
            "build",
            "test",
            1,
        )
        assert (file.node, file.artifact, file.url) == (0, "a/b.txt", f"http://{fake.artifact_host}{artifact.location}")
        assert file.finished_at.tzinfo is not None
        with pytest.raises(IndexError):
            _ = report.files[1]
        again = await harvest(fake, into)
        assert list(again.skipped) == [file]
        assert (list(again.files), list(again.failed)) == ([], [])
        assert "files=0, skipped=1, failed=0" in repr(again)


async def test_a_second_harvest_requests_no_file_and_lists_no_finished_job(into: Path) -> None:
    world = small_world()
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
        fake.requests.clear()
        report = await harvest(fake, into)
        assert (len(report.files), len(report.skipped)) == (0, 24)
        assert {each.origin for each in fake.requests} == {"api"}
        assert not any(each.path.endswith("/artifacts") for each in fake.requests)


async def test_a_second_harvest_downloads_new_artifacts(into: Path) -> None:
    world = small_world(pipelines=1)
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
        fill(world.projects["gh/acme/api"].pipeline().workflow("build").job("new"), 2)
        fake.requests.clear()
        report = await harvest(fake, into)
        assert (len(report.files), len(report.skipped)) == (2, 8)
        assert len(gets(fake)) == 2
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_a_second_harvest_replaces_missing_and_truncated_files(into: Path) -> None:
    world = small_world(pipelines=1)
    gone, cut, link, folder, *_ = places = [into / usual_place(each) for each in all_artifacts(world)]
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
        for path in (gone, link, folder):
            path.unlink()
        cut.write_bytes(cut.read_bytes()[:-1])
        link.symlink_to(places[-1])
        folder.mkdir()
        fake.requests.clear()
        folder.rmdir()
        report = await harvest(fake, into)
        assert {file.path for file in report.files} == {gone, cut, link, folder}
        assert len(gets(fake)) == 4
        assert not link.is_symlink()
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_several_projects_share_a_destination(into: Path) -> None:
    world = small_world(pipelines=1)
    fill(world.project("bb/other/web").pipeline().workflow("build").job("test"), 3)
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, projects=["gh/acme/api", ca.ProjectSlug.parse("bitbucket/other/web")])
    assert len(report.files) == 11
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_downloads_start_during_discovery(into: Path) -> None:
    """Check that the first file is downloaded before the last list is received, even within one job."""
    world = small_world(pipelines=1, jobs=1, artifacts=60)
    async with FakeCircleCI(world, page_size=10) as fake:
        fake.fail("*/artifacts", origin="api", times=None, after=3, delay=0.05)
        await harvest(fake, into)
        asked = [each.origin for each in fake.requests if each.path.endswith("/artifacts") or each.origin == "storage"]
        assert asked.index("storage") < len(asked) - 1 - asked[::-1].index("api")
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_files_of_all_sizes_are_complete(into: Path) -> None:
    world = World()
    job = world.project("gh/acme/api").pipeline().workflow("build").job("test")
    for size in (0, 1, 256 * 1024, 256 * 1024 + 1, 1024 * 1024, 5_000_000, 12_345_678):
        job.artifact(f"{size}.bin", size=size)
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into)
    report.raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(world))


@pytest.mark.parametrize("lengths", [True, False])
@pytest.mark.parametrize("etags", [True, False])
async def test_storage_without_ranges_etags_or_lengths_is_supported(lengths: bool, etags: bool, into: Path) -> None:
    world = World()
    job = world.project("gh/acme/api").pipeline().workflow("build").job("test")
    for size in (10, 3_000_000):
        job.artifact(f"{size}.bin", size=size)
    async with FakeCircleCI(world, ranges=False, etags=etags, lengths=lengths) as fake:
        if lengths:
            fake.fail(origin="storage", cut=2_500_000, times=2)
        report = await harvest(fake, into)
    report.raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_a_harvest_without_artifacts_is_empty(into: Path) -> None:
    world = World()
    world.project("gh/acme/api").pipeline()
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into)
    report.raise_for_failures()
    assert (len(report.files), report.bytes, tree(into), states(into)) == (0, 0, {}, {})


async def test_two_harvests_into_two_destinations_run_concurrently(tmp_path: Path) -> None:
    world = small_world()
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        await asyncio.gather(*(circle.harvest("gh/acme/api", tmp_path / name) for name in ("one", "two")))
    assert tree(tmp_path / "one") == tree(tmp_path / "two") == usual_tree(all_artifacts(world))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"projects": []}, "projects must contain at least one project"),
        ({"projects": "nonsense"}, "project slug .nonsense. is invalid"),
        ({"concurrency": 0}, "concurrency must be a positive integer, got 0"),
        ({"attempts": 1.5}, r"attempts must be a positive integer, got 1.5"),
        ({"max_files": -1}, "max_files must be an integer of 0 or more, or None for no bound, got -1"),
        ({"max_bytes": "1 MB"}, "max_bytes must be an integer .*, got '1 MB'"),
        ({"min_free": -5}, "min_free must be a number of bytes, 0 or more, got -5"),
        ({"dedupe": "symlink"}, "dedupe must be 'hardlink', got 'symlink'"),
        ({"select": "7d"}, "select must be a Selection, got '7d'"),
        ({"select": {}}, "select must be a Selection, got {}"),
        ({"ledger": 5}, "ledger must be a string or a Path, got 5"),
        ({"ansi": "yes"}, "ansi must be True or False, got 'yes'"),
        ({"send_token": 0}, "send_token must be True or False, got 0"),
        ({"on_progress": "print"}, "on_progress must be a function, got 'print'"),
        ({"layout": "{path}"}, "must contain {node} and {number}, without which files would collide"),
    ],
)
async def test_invalid_arguments_raise_before_anything_is_created(
    options: dict[str, object], message: str, into: Path
) -> None:
    async with FakeCircleCI(World()) as fake, fake.client() as circle:
        arguments: dict[str, object] = {"projects": "gh/acme/api", "into": into, **options}
        with pytest.raises(ca.InvalidArgument, match=message):
            await circle.harvest(**arguments)  # type: ignore[arg-type]
        assert fake.requests == []
    assert not into.exists()
