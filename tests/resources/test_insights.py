"""`insights.snapshot`: order, errors, concurrency and cancellation."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

import circleci_async as ca
from circleci_async.models import WorkflowMetrics
from circleci_async.testing import FakeCircleCI, World
from tests.leftovers import check_nothing_in_use, check_nothing_is_left, tasks_of_the_package
from tests.raw_server import Behaviour, RawServer, Request, answer, hang, raw_server

METRICS = json.loads((Path(__file__).parents[1] / "data" / "guide" / "workflow_metrics.json").read_text())
NAMES = [item["name"] for item in METRICS["items"]]
WELL = answer(200, METRICS)


@pytest.fixture(autouse=True)
def no_complaints(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Check that asyncio logs nothing."""
    yield
    assert [record.getMessage() for record in caplog.get_records("call") if record.name == "asyncio"] == []


def client(server: RawServer, *, concurrency: int = 32) -> ca.CircleCI:
    retry = ca.RetryPolicy(attempts=2, initial_delay=0.001, max_delay=0.01)
    return ca.CircleCI("t", host=server.url, artifact_hosts=(), retry=retry, concurrency=concurrency)


def by_project(behaviours: Mapping[str, Behaviour], otherwise: Behaviour = WELL) -> Behaviour:
    """Answer for each project (by its name) in its own way."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        name = request.path.removeprefix("/api/v2/insights/gh/acme/").removesuffix("/workflows")
        return await behaviours.get(name, otherwise)(request, writer)

    return behave


def after(event: asyncio.Event, behaviour: Behaviour) -> Behaviour:
    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        await event.wait()
        return await behaviour(request, writer)

    return behave


async def test_each_project_has_the_metrics_of_its_workflows() -> None:
    async with raw_server(WELL) as server, client(server) as circle:
        found = {project: result async for project, result in circle.insights.snapshot(["gh/acme/a", "gh/acme/b"])}
    assert set(found) == {"gh/acme/a", "gh/acme/b"}
    for result in found.values():
        assert not isinstance(result, ca.CircleCIError)
        assert [metrics.name for metrics in result] == NAMES
        assert all(isinstance(metrics, WorkflowMetrics) for metrics in result)


async def test_a_slow_project_does_not_delay_the_others() -> None:
    others_are_here = asyncio.Event()
    slow = by_project({"slow": after(others_are_here, WELL)})
    projects = ["gh/acme/slow", *(f"gh/acme/{n}" for n in range(20))]
    order: list[object] = []
    async with raw_server(slow) as server, client(server) as circle:
        async with asyncio.timeout(20):
            async for project, _ in circle.insights.snapshot(projects, concurrency=3):
                order.append(project)
                if len(order) == 20:
                    others_are_here.set()
    assert order[-1] == "gh/acme/slow"
    assert sorted(map(str, order)) == sorted(projects)


async def test_the_error_of_a_project_does_not_stop_the_others() -> None:
    faults = {
        "gone": answer(404, {"message": "no such project"}),
        "down": answer(500, {"message": "down"}),
        "html": answer(200, "<html>hello</html>"),
        "odd": answer(200, {"items": [{"name": None}], "next_page_token": None}),
    }
    names = ["a", "gone", "b", "down", "html", "c", "odd", "d"]
    async with raw_server(by_project(faults)) as server, client(server) as circle:
        snapshot = circle.insights.snapshot(f"gh/acme/{name}" for name in names)
        found = {str(project).rpartition("/")[2]: result async for project, result in snapshot}
        await check_nothing_is_left(circle)
    assert {name: type(result) for name, result in found.items()} == {
        "a": list,
        "b": list,
        "c": list,
        "d": list,
        "gone": ca.NotFound,
        "down": ca.ServerError,
        "html": ca.DecodeError,
        "odd": ca.DecodeError,
    }


@pytest.mark.parametrize("bad", ["", "acme", "gh/..", "gh/acme/..", "nowhere/acme/api", "gh/acme/api/more"])
async def test_an_invalid_slug_is_the_error_of_its_project(bad: str) -> None:
    async with raw_server(WELL) as server, client(server) as circle:
        found = {project: result async for project, result in circle.insights.snapshot(["gh/acme/a", bad, "gh/acme/b"])}
    assert isinstance(found[bad], ca.InvalidArgument)
    assert isinstance(found["gh/acme/a"], list)
    assert isinstance(found["gh/acme/b"], list)
    assert len(server.requests) == 2


async def test_each_invalid_project_has_its_own_error() -> None:
    projects: list[Any] = [None, 7, "gh/acme/a"]
    async with raw_server(WELL) as server, client(server) as circle:
        found = {project: result async for project, result in circle.insights.snapshot(projects)}
    assert [type(found[project]) for project in projects] == [ca.InvalidArgument, ca.InvalidArgument, list]


async def test_an_unexpected_exception_is_raised() -> None:
    def token() -> str:
        raise LookupError("no such secret")

    async with raw_server(WELL) as server, ca.CircleCI(token, host=server.url, artifact_hosts=()) as circle:
        with pytest.raises(LookupError, match="no such secret"):
            async for _ in circle.insights.snapshot(["gh/acme/a", "gh/acme/b"]):
                pass
        await check_nothing_is_left(circle)


async def test_the_options_are_passed_to_workflows() -> None:
    async with raw_server(WELL) as server, client(server) as circle:
        window = "last-7-days"
        async for _ in circle.insights.snapshot(["gh/acme/a"], branch="main", reporting_window=window):
            pass
        async for _ in circle.insights.snapshot(["gh/acme/a"], all_branches=True):
            pass
        async for _ in circle.insights.snapshot(["gh/acme/a"]):
            pass
    assert [parse_qs(request.target.partition("?")[2]) for request in server.requests] == [
        {"branch": ["main"], "reporting-window": ["last-7-days"]},
        {"all-branches": ["true"]},
        {},
    ]


async def test_all_pages_of_a_project_are_fetched() -> None:
    async def pages(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        following = None if "page-token=two" in request.target else "two"
        return await answer(200, {**METRICS, "next_page_token": following})(request, writer)

    async with raw_server(pages) as server, client(server) as circle:
        found = [result async for _, result in circle.insights.snapshot(["gh/acme/a"])]
    [result] = found
    assert isinstance(result, list)
    assert [metrics.name for metrics in result] == NAMES * 2
    assert len(server.requests) == 2


async def test_a_project_is_yielded_as_it_was_passed() -> None:
    projects: list[str | ca.ProjectSlug] = [
        ca.ProjectSlug.parse("gh/acme/a"),
        "https://github.com/acme/b",
        "github/acme/c",
        "gh/acme/a",
    ]
    async with raw_server(WELL) as server, client(server) as circle:
        found = [project async for project, _ in circle.insights.snapshot(projects, concurrency=1)]
    assert found == projects
    assert found[0] is projects[0]
    assert len(server.requests) == 4


async def test_no_projects_yield_nothing() -> None:
    async with raw_server(answer(500, "")) as server, client(server) as circle:
        assert [entry async for entry in circle.insights.snapshot([])] == []
        assert server.requests == []


async def test_an_async_iterable_of_projects_is_processed_as_it_arrives() -> None:
    async with raw_server(WELL) as server, client(server) as circle:
        first_is_here = asyncio.Event()

        async def projects() -> AsyncIterator[str]:
            yield "gh/acme/a"
            await first_is_here.wait()
            yield "gh/acme/b"

        found: list[object] = []
        async with asyncio.timeout(20):
            async for project, _ in circle.insights.snapshot(projects()):
                found.append(project)
                first_is_here.set()
    assert found == ["gh/acme/a", "gh/acme/b"]


async def test_an_error_of_the_iterable_is_raised_after_its_results() -> None:
    async def projects() -> AsyncIterator[str]:
        yield "gh/acme/a"
        raise LookupError("no more")

    found: list[object] = []
    async with raw_server(WELL) as server, client(server) as circle:
        with pytest.raises(LookupError, match="no more"):
            async for project, _ in circle.insights.snapshot(projects()):
                found.append(project)
        await check_nothing_is_left(circle)
    assert found == ["gh/acme/a"]


def counting(running: list[int]) -> Behaviour:
    now = 0

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        nonlocal now
        now += 1
        running.append(now)
        await asyncio.sleep(0.01)
        now -= 1
        return await WELL(request, writer)

    return behave


@pytest.mark.parametrize(("concurrency", "client_concurrency", "expected"), [(5, 32, 5), (16, 3, 3), (1, 32, 1)])
async def test_concurrency_is_limited_by_the_argument_and_by_the_client(
    concurrency: int, client_concurrency: int, expected: int
) -> None:
    running: list[int] = []
    async with raw_server(counting(running)) as server, client(server, concurrency=client_concurrency) as circle:
        projects = [f"gh/acme/{n}" for n in range(20)]
        found = [entry async for entry in circle.insights.snapshot(projects, concurrency=concurrency)]
    assert (len(found), max(running)) == (20, expected)


async def test_snapshots_and_other_calls_share_the_limiter_of_the_client() -> None:
    running: list[int] = []
    async with raw_server(counting(running)) as server, client(server, concurrency=4) as circle:

        async def take() -> int:
            return len([entry async for entry in circle.insights.snapshot(f"gh/acme/{n}" for n in range(10))])

        calls = (circle.request("GET", "/me") for _ in range(5))
        taken = await asyncio.gather(take(), take(), *calls)
    assert taken[:2] == [10, 10]
    assert (len(running), max(running)) == (25, 4)


@pytest.mark.parametrize("concurrency", [0, -3])
async def test_a_concurrency_below_one_is_refused(concurrency: int) -> None:
    async with raw_server(WELL) as server, client(server) as circle:
        with pytest.raises(ca.InvalidArgument, match=f"concurrency must be a positive integer, got {concurrency}"):
            async for _ in circle.insights.snapshot(["gh/acme/a"], concurrency=concurrency):
                pass
        assert server.requests == []


async def test_leaving_the_loop_early_stops_all_requests() -> None:
    async with raw_server(by_project({"a": WELL}, hang)) as server, client(server) as circle:
        async for project, _ in circle.insights.snapshot(["gh/acme/a", *(f"gh/acme/{n}" for n in range(20))]):
            assert project == "gh/acme/a"
            break
        await check_nothing_is_left(circle)
        server.behaviours[:] = [WELL]
        assert len([entry async for entry in circle.insights.snapshot(["gh/acme/b"])]) == 1


async def test_closing_waits_for_running_requests() -> None:
    async with raw_server(by_project({"a": WELL}, hang)) as server, client(server) as circle:
        async with aclosing(circle.insights.snapshot(["gh/acme/a", "gh/acme/b"])) as snapshot:
            await anext(snapshot)
        assert tasks_of_the_package() == []
        check_nothing_in_use(circle)


@pytest.mark.parametrize("moment", ["at the start", "while it waits", "between two results"])
async def test_cancelling_stops_all_requests(moment: str) -> None:
    begun = asyncio.Event()

    async def take(circle: ca.CircleCI, wait: Callable[[], Any]) -> None:
        async for _ in circle.insights.snapshot(["gh/acme/a", *(f"gh/acme/{n}" for n in range(20))]):
            begun.set()
            await wait()

    async with raw_server(by_project({"a": WELL}, hang)) as server, client(server) as circle:
        forever = asyncio.Event()
        task = asyncio.create_task(
            take(circle, forever.wait if moment == "between two results" else lambda: asyncio.sleep(0))
        )
        if moment != "at the start":
            await begun.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await check_nothing_is_left(circle)


async def test_a_snapshot_equals_the_metrics_of_each_project() -> None:
    world = World.generate(seed=3, projects=4, pipelines=10)
    retry = ca.RetryPolicy(initial_delay=0.001, max_delay=0.01)
    async with FakeCircleCI(world, page_size=1) as fake, fake.client(retry=retry) as circle:
        slugs = [*fake.world.projects, "gh/acme/missing"]
        fake.fail("*/insights/*", status=503, times=3, after=2)
        found = {
            project: result
            async for project, result in circle.insights.snapshot(slugs, reporting_window="last-30-days")
        }
        alone = {
            slug: await circle.insights.workflows(slug, reporting_window="last-30-days").collect()
            for slug in fake.world.projects
        }
        tokens = {value for request in fake.requests for value in re.findall("page-token", str(request.query))}
    missing = found.pop("gh/acme/missing")
    assert isinstance(missing, ca.NotFound)
    assert found == alone
    assert any(alone.values())
    assert tokens == {"page-token"}


async def test_a_single_project_needs_no_list() -> None:
    async with raw_server(WELL) as server, client(server) as circle:
        assert [project async for project, _ in circle.insights.snapshot("gh/acme/api")] == ["gh/acme/api"]
        slug = ca.ProjectSlug.parse("gh/acme/api")
        assert [project async for project, _ in circle.insights.snapshot(slug)] == [slug]
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("gh/acme", ["gh/acme/api", "gh/acme/web"]),
        (["gh/acme"], ["gh/acme/api", "gh/acme/web"]),
        (
            ["gh/other/lib", "https://app.circleci.com/pipelines/github/acme"],
            ["gh/acme/api", "gh/acme/web", "gh/other/lib"],
        ),
        (ca.OrgSlug("gh", "acme"), [ca.ProjectSlug("gh", "acme", "api"), ca.ProjectSlug("gh", "acme", "web")]),
    ],
)
async def test_an_organization_stands_for_its_projects(given: Any, expected: list[object]) -> None:
    world = World()
    for slug in ("gh/acme/api", "gh/acme/web", "gh/other/lib"):
        world.project(slug).pipeline().workflow("build")
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        found = {project: result async for project, result in circle.insights.snapshot(given)}
        listed = {
            project.slug: result async for project, result in circle.insights.snapshot(circle.projects.list("gh/acme"))
        }
    assert sorted(found, key=str) == expected
    assert all(isinstance(result, list) for result in found.values())
    assert {*listed} == {"gh/acme/api", "gh/acme/web"}


async def test_something_else_than_projects_is_refused() -> None:
    nothing: Any = 7
    async with raw_server() as server, client(server) as circle:
        with pytest.raises(ca.InvalidArgument, match=r"projects must be projects such as 'gh/acme/api'.*got 7"):
            async for _ in circle.insights.snapshot(nothing):
                pytest.fail("nothing is to be asked")
        assert server.requests == []
