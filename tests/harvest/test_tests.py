"""Test results: JSON Lines with everything the API returns, and JUnit XML."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from circleci_async.harvest.sources import tests
from circleci_async.testing import FakeCircleCI, Job, World
from tests.harvest.harvests import change_list, gets, harvest, tree

TOKEN = "ghp_" + "a1B2" * 9


def job_of(world: World) -> Job:
    return world.project("gh/acme/api").pipeline(branch="main").workflow("build").job("test")


def files(into: Path) -> dict[str, str]:
    return {name.rpartition("/")[2]: data.decode() for name, data in tree(into).items()}


async def taken(world: World, into: Path, **options: Any) -> dict[str, str]:
    async with FakeCircleCI(world) as fake:
        (await harvest(fake, into, what="tests", **options)).raise_for_failures()
    return files(into)


async def test_both_files_contain_all_results(into: Path) -> None:
    world = World()
    job = job_of(world)
    job.test("passes", classname="a.B", run_time=1.25, file="a.py")
    job.test("fails", result="failure", message='assert 1 == 2\nat <line> & "x"')
    job.test("breaks", result="error", message="boom")
    job.test("waits", result="skipped", message="not today")
    found = await taken(world, into)
    assert sorted(found) == ["tests.jsonl", "tests.xml"]
    results = [json.loads(line) for line in found["tests.jsonl"].splitlines()]
    assert [each["name"] for each in results] == ["passes", "fails", "breaks", "waits"]
    assert results[0] == {
        "name": "passes",
        "classname": "a.B",
        "result": "success",
        "run_time": 1.25,
        "source": "pytest",
        "file": "a.py",
        "message": "",
    }
    root = ET.fromstring(found["tests.xml"])
    (suite,) = root
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")}
    assert counts == {"tests": "4", "failures": "1", "errors": "1", "skipped": "1", "time": "1.550000"}
    assert [(each.tag, each.get("name"), [(child.tag, child.get("message")) for child in each]) for each in suite] == [
        ("testcase", "passes", []),
        ("testcase", "fails", [("failure", 'assert 1 == 2\nat <line> & "x"')]),
        ("testcase", "breaks", [("error", "boom")]),
        ("testcase", "waits", [("skipped", "not today")]),
    ]
    assert suite[0].attrib == {"classname": "a.B", "name": "passes", "time": "1.250000", "file": "a.py"}


async def test_unknown_fields_are_kept(into: Path) -> None:
    world = World()
    job_of(world).test("it")
    async with FakeCircleCI(world) as fake:
        new = {"shard": 3, "nested": {"x-y": [None]}, "message": "\ud800 \u2028"}
        await change_list(fake, "/project/gh/acme/api/1/tests", lambda items: items[0].update(new), times=1)
        (await harvest(fake, into, what="tests")).raise_for_failures()
    (line,) = files(into)["tests.jsonl"].split("\n")[:-1]
    found = json.loads(line)
    assert (found["shard"], found["nested"], found["message"]) == (3, {"x-y": [None]}, new["message"])


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\x00\x08\x0b\x1f\ufffe\uffffb", "ab"),
        ("]]><!--</testsuites>&amp;", "]]><!--</testsuites>&amp;"),
        ("\"'<>&\t\r\n", "\"'<>&\t\r\n"),
        ("\x7f\x85\U0001f600", "\x7f\x85\U0001f600"),
    ],
)
async def test_hostile_text_is_escaped(text: str, kept: str, into: Path) -> None:
    world = World()
    job_of(world).test(text, classname=text, file=text, result="failure", message=text)
    found = await taken(world, into)
    (case,) = ET.fromstring(found["tests.xml"])[0]
    assert {case.get("name"), case.get("classname"), case.get("file"), case[0].get("message")} == {kept}
    (line,) = found["tests.jsonl"].split("\n")[:-1]
    assert json.loads(line)["message"] == text


async def test_wrong_types_do_not_break_the_file(into: Path) -> None:
    world = World()
    job_of(world).test("it")
    async with FakeCircleCI(world) as fake:
        new = {"name": None, "classname": 3, "result": None, "run_time": "fast", "message": ["x"]}
        await change_list(fake, "/project/gh/acme/api/1/tests", lambda items: items[0].update(new), times=1)
        (await harvest(fake, into, what="tests")).raise_for_failures()
    (case,) = ET.fromstring(files(into)["tests.xml"])[0]
    assert case.attrib == {"name": "", "classname": "3", "time": "0.000000"}


async def test_a_job_without_tests_has_no_files(into: Path) -> None:
    world = World()
    job_of(world)
    assert await taken(world, into) == {}


async def test_one_page_costs_one_request(into: Path) -> None:
    world = World()
    job_of(world).test("it")
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into, what="tests")
        assert [each for each in gets(fake, origin="api") if each.endswith("/tests")] == [
            "/api/v2/project/gh/acme/api/1/tests"
        ]


async def test_all_pages_are_read(into: Path) -> None:
    world = World()
    job = job_of(world)
    for number in range(50):
        job.test(f"test {number}", result="failure" if number % 2 else "success")
    found = await taken(world, into)
    names = [f"test {number}" for number in range(50)]
    assert [json.loads(line)["name"] for line in found["tests.jsonl"].splitlines()] == names
    root = ET.fromstring(found["tests.xml"])
    assert [case.get("name") for case in root.iter("testcase")] == names
    assert sum(int(suite.get("failures", "")) for suite in root) == 25


async def test_both_files_of_a_job_share_its_pages(into: Path) -> None:
    world = World()
    job = job_of(world)
    for number in range(100):
        job.test(f"test {number}")
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into, what="tests")
        pages = [each.query.get("page-token") for each in fake.requests if each.path.endswith("/tests")]
    assert len(pages) == len(set(pages)) == 5


async def test_pages_that_are_not_kept_are_requested_again(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tests, "MAX_KEPT", 1)
    world = World()
    job = job_of(world)
    for number in range(50):
        job.test(f"test {number}")
    found = await taken(world, into)
    assert [text.count("test 49") for text in found.values()] == [1, 1]


async def test_a_list_that_repeats_its_pages_is_a_failure(into: Path) -> None:
    world = World()
    job = job_of(world)
    for number in range(50):
        job.test(f"test {number}")
    async with FakeCircleCI(world) as fake:
        item = {"name": "it", "result": "success"}
        body = {"items": [item], "next_page_token": "again"}
        fake.fail("/api/v2/project/gh/acme/api/1/tests", origin="api", body=body, times=None)
        report = await harvest(fake, into, what="tests")
    assert [failure.name for failure in report.failed] == ["tests.jsonl", "tests.xml"]
    assert {failure.error.partition(",")[0] for failure in report.failed} == {
        "the server repeated the page token 'again'"
    }
    assert tree(into) == {}


async def test_secrets_are_replaced(into: Path) -> None:
    world = World()
    job_of(world).test("it", result="failure", message=f"got {TOKEN}")
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, what="tests")
        assert report.scrubbed == {"github-token": 2}  # once in each file
    assert all(TOKEN not in text and "got [scrubbed]" in text for text in files(into).values())
