"""A faulty item is a failure of the report, and everything else is downloaded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.harvest import list_reader
from circleci_async.testing import FakeCircleCI, World
from tests.downloads.file_server import random_bytes
from tests.harvest.harvests import (
    QUICK,
    Items,
    all_artifacts,
    change_list,
    check_agreement,
    fill,
    harvest,
    small_world,
    spoil,
    states,
    tree,
    usual_tree,
)
from tests.raw_server import raw, raw_server

HUGE = 2**63
HALF = "half \ud800"


def two_pipelines() -> World:
    """Two pipelines with two jobs each, of which the tests spoil one."""
    return small_world(pipelines=2, jobs=2, artifacts=3)


async def test_an_id_of_a_workflow_that_is_not_unicode_is_no_unexpected_error(
    into: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = two_pipelines()
    path = f"/pipeline/{world.projects['gh/acme/api'].pipelines.all[0].id}/workflow"
    async with FakeCircleCI(world) as fake:
        await change_list(fake, path, lambda items: [each.update(id=HALF) for each in items])
        report = await harvest(fake, into)
    assert [failure.kind for failure in report.failed] == ["jobs"]
    assert "unexpected" not in caplog.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", HUGE),
        ("number", 10**40),
        ("number", -1),
        ("id", HALF),
        ("id", "nul\0 and\nnewline"),
        ("id", "../.."),
        ("id", ""),
    ],
)
async def test_a_bad_pipeline_is_one_failure(field: str, value: object, into: Path) -> None:
    world = two_pipelines()
    async with FakeCircleCI(world) as fake:
        await change_list(fake, "/project/gh/acme/api/pipeline", spoil(field, value))
        for _ in range(2):
            report = await harvest(fake, into)
            assert [failure.kind for failure in report.failed] == ["workflows"]
            assert str(report.failed[0]).isprintable()
            assert not report.is_complete
    good = [each for each in all_artifacts(world) if each.job.workflow.pipeline.number == 1]
    assert tree(into) == usual_tree(good)


@pytest.mark.parametrize(
    ("field", "value"), [("name", HALF), ("id", HALF), ("id", "nul\0 and\nnewline"), ("id", ".."), ("id", "")]
)
async def test_a_bad_workflow_is_one_failure(field: str, value: object, into: Path) -> None:
    world = two_pipelines()
    pipeline = world.projects["gh/acme/api"].pipelines.all[0]
    fill(pipeline.workflow("other").job("also"), 3)
    async with FakeCircleCI(world) as fake:
        path = f"/pipeline/{pipeline.id}/workflow"
        await change_list(fake, path, spoil(field, value, name="other"))
        for _ in range(2):
            report = await harvest(fake, into)
            assert [failure.kind for failure in report.failed] == ["jobs"]
            assert str(report.failed[0]).isprintable()
    good = [each for each in all_artifacts(world) if each.job.workflow.name == "build"]
    assert tree(into) == usual_tree(good)


@pytest.mark.parametrize(
    ("field", "value"), [("name", HALF), ("job_number", HUGE), ("job_number", 10**30), ("job_number", -7)]
)
async def test_a_bad_job_is_one_failure(field: str, value: object, into: Path) -> None:
    world = two_pipelines()
    bad = next(iter(world.jobs.values()))
    async with FakeCircleCI(world) as fake:
        await change_list(fake, f"/workflow/{bad.workflow.id}/job", spoil(field, value, id=bad.id))
        for _ in range(2):
            report = await harvest(fake, into)
            assert [failure.kind for failure in report.failed] == ["artifacts"]
            assert str(report.failed[0]).isprintable()
    assert tree(into) == usual_tree(each for each in all_artifacts(world) if each.job is not bad)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("path", HALF),
        ("path", "\udcff"),
        ("path", "nul\0"),
        ("path", "new\nline"),
        ("path", ""),
        ("node_index", HUGE),
        ("node_index", 10**40),
        ("node_index", -1),
        ("node_index", -HUGE - 1),
        ("url", HALF),
        ("url", "http://[::1"),
        ("url", "http://127.0.0.1:99999/x"),
        ("url", "http://127.0.0.1:1/\n"),
        ("url", "http://127.0.0.1\0/"),
        ("url", "http://a..b/x"),
        ("url", f"http://{'a' * 300}/x"),
        ("url", "http://127.0.0.1:/x"),
        ("url", "http://127.0.0.1:-1/x"),
        ("url", "http://127.0.0.1:1%/x"),
        ("url", "file:///etc/passwd"),
        ("url", "http://x.circle-artifacts.com.\ud800/"),
        ("url", ""),
    ],
)
async def test_a_bad_artifact_is_one_failure(field: str, value: object, into: Path) -> None:
    world = two_pipelines()
    bad = all_artifacts(world)[0]
    async with FakeCircleCI(world) as fake:
        path = f"/project/gh/acme/api/{bad.job.number}/artifacts"
        await change_list(fake, path, spoil(field, value, path=bad.path))
        for _ in range(2):
            report = await harvest(fake, into)
            [failure] = report.failed
            assert (failure.kind, failure.number) == ("artifact", bad.job.number)
            assert str(failure).isprintable()
            assert len(tree(into)) == 11
    assert tree(into) == usual_tree(each for each in all_artifacts(world) if each is not bad)


WRONG: list[object] = [None, "seven", 7, [], {"a": 1}, 1.5, True]


@pytest.mark.parametrize("value", WRONG)
async def test_items_that_do_not_match_their_models_are_one_failure_of_each_list(value: object, into: Path) -> None:
    world = small_world(pipelines=3, jobs=2, artifacts=3)
    first, second, bad = world.projects["gh/acme/api"].pipelines.all
    fill(first.workflow("other").job("also"), 3)
    workflow, job = first.workflows[0], second.workflows[0].jobs[0]
    text = 7 if isinstance(value, str) else value
    number = "x" if type(value) is int else value
    async with FakeCircleCI(world) as fake:
        await change_list(fake, "/project/gh/acme/api/pipeline", spoil("number", number, id=bad.id))
        await change_list(fake, f"/pipeline/{first.id}/workflow", spoil("id", text, name="other"))
        await change_list(fake, f"/workflow/{workflow.id}/job", spoil("name", text, id=workflow.jobs[0].id))
        await change_list(fake, f"/project/gh/acme/api/{job.number}/artifacts", spoil("path", text, path="logs/0.txt"))
        for _ in range(2):
            report = await harvest(fake, into)
            assert sorted(failure.kind for failure in report.failed) == ["artifacts", "jobs", "pipelines", "workflows"]
            assert all("cannot be decoded: $.items[" in failure.error for failure in report.failed)
    rest = [each for each in all_artifacts(world) if each.job.workflow.pipeline is not bad]
    rest = [each for each in rest if each.job.workflow.name != "other" and each.job is not workflow.jobs[0]]
    assert tree(into) == usual_tree(each for each in rest if each is not job.artifacts[0])


async def test_the_pages_after_a_faulty_item_are_read(into: Path) -> None:
    world = small_world(pipelines=5)
    newest = world.projects["gh/acme/api"].pipelines.all[-1]
    async with FakeCircleCI(world, page_size=2) as fake:
        await change_list(fake, "/project/gh/acme/api/pipeline", spoil("number", "x", id=newest.id), times=1)
        report = await harvest(fake, into)
        assert [failure.kind for failure in report.failed] == ["pipelines"]
        assert tree(into) == usual_tree(e for e in all_artifacts(world) if e.job.workflow.pipeline is not newest)
        report = await harvest(fake, into)  # the list is correct now
        report.raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_endless_pages_with_faulty_items_end(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_reader, "MAX_FAULTY_PAGES", 3)
    async with FakeCircleCI(two_pipelines()) as fake:
        page = {"items": [{"id": 7}], "next_page_token": "again"}
        fake.fail("*/api/pipeline", origin="api", body=page, times=None)
        report = await harvest(fake, into)
    assert [failure.kind for failure in report.failed] == ["pipelines"]


async def test_two_artifacts_with_impossible_nodes_are_two_failures(into: Path) -> None:
    world = two_pipelines()
    job = next(iter(world.jobs.values()))
    async with FakeCircleCI(world) as fake:

        def add(items: Items) -> None:
            items += [{**items[0], "node_index": node} for node in (HUGE, HUGE + 1)]

        await change_list(fake, f"/project/gh/acme/api/{job.number}/artifacts", add)
        report = await harvest(fake, into)
    assert sorted(failure.name for failure in report.failed) == [
        f"logs/0.txt (node {HUGE})",
        f"logs/0.txt (node {HUGE + 1})",
    ]
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_names_with_control_characters_are_escaped_in_paths(into: Path) -> None:
    world = World()
    workflow = world.project("gh/acme/api").pipeline().workflow("nul\0 new\nline")
    workflow.job("a\0b\nc\u2028").artifact("a", b"1")
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into)
    report.raise_for_failures()
    assert tree(into) == {"gh/acme/api/1/nul%00 new%0Aline/a%00b%0Ac\u2028-1/a": b"1"}


@pytest.mark.parametrize("size", [2_000, 1_500_000])
@pytest.mark.parametrize(
    "etag", [b'"v\xff"', b'"\xc3"', b'W/"\xff"', b"\xff", b'"v\x01"', b'"v\x7f"', b'"v', b'"a", "b"', b'"a b"']
)
async def test_an_etag_that_cannot_be_sent_back_is_ignored(size: int, etag: bytes, into: Path) -> None:
    world = two_pipelines()
    odd, *others = all_artifacts(world)
    content = random_bytes(size)
    interrupted = raw(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\nETag: %b\r\n\r\n%b" % (size, etag, content[:-9]))
    whole = raw(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\nETag: %b\r\n\r\n%b" % (size, etag, content))
    async with FakeCircleCI(world) as fake, raw_server(interrupted, whole) as server:
        path = f"/project/gh/acme/api/{odd.job.number}/artifacts"
        await change_list(fake, path, spoil("url", f"{server.url}/odd", path=odd.path))
        async with fake.client(retry=QUICK, artifact_hosts=[server.host]) as circle:
            report = await circle.harvest("gh/acme/api", into)
        report.raise_for_failures()
        assert [len(report.files), len(server.requests)] == [12, 2]
        assert "range" not in server.requests[1].headers
        assert {file.etag for file in report.files if file.url.startswith(server.url)} == {None}
    await check_agreement(into)
    assert tree(into) == {**usual_tree(others), **dict.fromkeys(usual_tree([odd]), content)}


async def test_a_file_that_the_ledger_cannot_record_is_one_failure(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer isolates the item of a batch for any reason."""
    from circleci_async.harvest.downloader import Downloader

    world = two_pipelines()
    download = Downloader.download
    reasons: Iterator[Any] = iter(["\ud800", "\udfff", object(), HUGE])

    async def spoiled(self: Downloader, artifact: Any) -> Any:
        file = await download(self, artifact)
        return file._replace(etag=next(reasons)) if artifact.path == "logs/1.txt" else file

    async with FakeCircleCI(world) as fake:
        with monkeypatch.context() as patch:
            patch.setattr(Downloader, "download", spoiled)
            async with fake.client(retry=QUICK) as circle:
                report = await circle.harvest("gh/acme/api", into)
        assert {failure.name for failure in report.failed} == {"logs/1.txt"}
        assert states(into).keys() <= {"done", "failed"}
        report = await harvest(fake, into)
        report.raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_the_latest_pipeline_is_harvested_although_one_job_is_bad(into: Path) -> None:
    world = two_pipelines()
    latest = world.projects["gh/acme/api"].pipelines.all[1]
    bad = latest.workflows[0].jobs[0]
    async with FakeCircleCI(world) as fake:
        await change_list(fake, f"/workflow/{latest.workflows[0].id}/job", spoil("name", HALF, id=bad.id))
        report = await harvest(fake, into, select=ca.Selection(latest=True))
        assert [failure.kind for failure in report.failed] == ["artifacts"]
    good = [each for each in all_artifacts(world) if each.job.workflow.pipeline is latest and each.job is not bad]
    assert tree(into) == usual_tree(good)
