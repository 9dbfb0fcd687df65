"""`projects.list`, and organizations where projects are taken."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

import circleci_async as ca
from circleci_async.models import Organization
from circleci_async.slug import project_or_organization
from circleci_async.testing import FakeCircleCI, World
from circleci_async.testing.state.registry import timestamp
from tests.leftovers import check_nothing_in_use
from tests.raw_server import Behaviour, Request, answer, hang, raw_server

NO_RUNS = {"total_runs": 0, "total_duration_secs": 0, "total_credits_used": 0, "success_rate": 0.0, "throughput": 0.0}


def pipeline(slug: str, number: int) -> dict[str, object]:
    return {
        "id": f"p-{number}",
        "number": number,
        "project_slug": slug,
        "state": "created",
        "created_at": f"2026-11-24T12:{59 - number:02}:00Z",
        "trigger": {"type": "webhook", "received_at": "2026-11-24T12:00:00Z"},
    }


def page(*slugs: str, token: str | None = None, first: int = 0) -> Behaviour:
    items = [pipeline(slug, first + position) for position, slug in enumerate(slugs)]
    return answer(200, {"items": items, "next_page_token": token})


def summary(*names: str) -> Behaviour:
    data = {"metrics": NO_RUNS, "trends": NO_RUNS}
    return answer(200, {"org_data": data, "org_project_data": [], "all_projects": [*names]})


def organization(pages: dict[str | None, Behaviour], insights: Behaviour) -> Behaviour:
    """Answer with a page of pipelines for each token, and with a summary."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        if request.path.startswith("/api/v2/insights/"):
            return await insights(request, writer)
        assert request.path == "/api/v2/pipeline"
        return await pages[query(request).get("page-token")](request, writer)

    return behave


def query(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.target.partition("?")[2]))


def client(url: str) -> ca.CircleCI:
    return ca.CircleCI("t", host=url, artifact_hosts=(), retry=ca.RetryPolicy(attempts=1))


REFUSED = [400, 402, 403, 404, 410, 422]


def refusal(status: int) -> Behaviour:
    return answer(status, {"message": "not on this plan"})


async def test_projects_of_pipelines_come_first_then_those_of_insights() -> None:
    pages: dict[str | None, Behaviour] = {
        None: page("gh/acme/api", "gh/acme/web", "gh/acme/api", token="two"),
        "two": page("gh/acme/api", token="three", first=3),
        "three": page("gh/Acme/Infra", first=4),
    }
    async with raw_server(organization(pages, summary("web", "old", "infra"))) as server, client(server.url) as circle:
        listing = circle.projects.list("gh/acme")
        assert server.requests == []
        found = await listing.collect()
        assert [(project.slug, project.name, project.organization_slug) for project in found] == [
            ("gh/acme/api", "api", "gh/acme"),
            ("gh/acme/web", "web", "gh/acme"),
            ("gh/Acme/Infra", "Infra", "gh/Acme"),
            ("gh/acme/old", "old", "gh/acme"),
        ]
        dates = [project.last_pipeline_at for project in found]
        assert [date and date.minute for date in dates] == [59, 58, 55, None]
        assert not listing.is_truncated
        assert [project async for project in listing] == found
        assert await listing.first() == found[0]
        check_nothing_in_use(circle)
    paths = [request.path.removeprefix("/api/v2") for request in server.requests]
    assert paths == 2 * (["/pipeline"] * 3 + ["/insights/gh/acme/summary"]) + ["/pipeline"]
    assert query(server.requests[0]) == {"org-slug": "gh/acme"}


@pytest.mark.parametrize(
    ("look_back", "expected", "requests", "is_truncated"),
    [(1, ["a"], 1, True), (2, ["a", "b"], 1, True), (3, ["a", "b", "c"], 2, True), (4, ["a", "b", "c", "d"], 2, False)],
)
async def test_look_back_limits_the_pipelines_that_are_read(
    look_back: int, expected: list[str], requests: int, is_truncated: bool
) -> None:
    pages: dict[str | None, Behaviour] = {
        None: page("gh/o/a", "gh/o/b", token="two"),
        "two": page("gh/o/c", "gh/o/d", first=2),
    }
    async with raw_server(organization(pages, summary("z"))) as server, client(server.url) as circle:
        listing = circle.projects.list("gh/o", look_back=look_back)
        assert [project.name async for project in listing] == [*expected, "z"]
    assert (listing.is_truncated, len(server.requests)) == (is_truncated, requests + 1)


@pytest.mark.parametrize(
    ("since", "expected"), [("2026-11-24T12:58:00Z", ["a", "b"]), ("2026-11-24", ["a", "b", "c", "d"])]
)
async def test_since_limits_the_pipelines_that_are_read(since: str, expected: list[str]) -> None:
    pages: dict[str | None, Behaviour] = {
        None: page("gh/o/a", "gh/o/b", "gh/o/c", token="two"),
        "two": page("gh/o/d", first=3),
    }
    async with raw_server(organization(pages, summary("z"))) as server, client(server.url) as circle:
        listing = circle.projects.list("gh/o", since=since)
        assert [project.name async for project in listing] == [*expected, "z"]
        with pytest.raises(ca.InvalidArgument, match="since must be a datetime"):
            circle.projects.list("gh/o", since="yesterday")
    assert (listing.is_truncated, len(server.requests)) == (False, 2 if len(expected) == 2 else 3)


async def test_an_endless_list_of_pipelines_is_bounded_by_default() -> None:
    count = 0

    async def endless(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        nonlocal count
        if "insights" in request.path:
            return await summary()(request, writer)
        count += 1
        items = [{**pipeline("gh/o/a", 0), "id": f"{count}-{n}"} for n in range(100)]
        return await answer(200, {"items": items, "next_page_token": f"{count}"})(request, writer)

    async with raw_server(endless) as server, client(server.url) as circle:
        listing = circle.projects.list("gh/o")
        assert [project.name async for project in listing] == ["a"]
    assert (count, listing.is_truncated) == (10, True)


@pytest.mark.parametrize("status", REFUSED)
async def test_one_source_is_enough(status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "circleci_async")
    refused = refusal(status)
    async with raw_server(organization({None: page("gh/o/a")}, refused)) as server, client(server.url) as circle:
        assert [project.slug async for project in circle.projects.list("gh/o")] == ["gh/o/a"]
    async with raw_server(organization({None: refused}, summary("b"))) as server, client(server.url) as circle:
        assert [project.slug async for project in circle.projects.list("gh/o")] == ["gh/o/b"]
    messages = [record.getMessage() for record in caplog.records]
    assert [message.partition(f": {status}")[0] for message in messages] == [
        "projects of gh/o: listed without Insights",
        "projects of gh/o: listed without pipelines",
    ]


@pytest.mark.parametrize("names", [(), None])
@pytest.mark.parametrize("status", REFUSED)
async def test_the_refusal_of_the_pipelines_is_raised_if_insights_knows_nothing(
    status: int, names: Any, caplog: pytest.LogCaptureFixture
) -> None:
    insights = refusal(403) if names is None else summary()
    async with raw_server(organization({None: refusal(status)}, insights)) as server, client(server.url) as circle:
        with pytest.raises(ca.ApiError) as caught:
            await circle.projects.list("gh/o").collect()
    assert (caught.value.status, len(server.requests)) == (status, 2)
    assert [record.getMessage() for record in caplog.records if record.name == "circleci_async"] == []


@pytest.mark.parametrize("status", [401, 408, 409, 429, 500, 503])
async def test_other_errors_of_either_source_are_raised(status: int) -> None:
    failed = answer(status, {})
    for behaviour in (organization({None: failed}, summary("a")), organization({None: page("gh/o/a")}, failed)):
        async with raw_server(behaviour) as server, client(server.url) as circle:
            with pytest.raises(ca.CircleCIError):
                await circle.projects.list("gh/o").collect()


async def test_a_refusal_of_a_later_page_is_raised_and_the_list_resumes_there() -> None:
    pages: dict[str | None, Behaviour] = {None: page("gh/o/a", token="two"), "two": refusal(403)}
    async with raw_server(organization(pages, summary("c"))) as server, client(server.url) as circle:
        listing = circle.projects.list("gh/o")
        with pytest.raises(ca.PermissionDenied) as caught:
            await listing.collect()
        assert caught.value.page_token == "two"
        pages["two"] = page("gh/o/b", first=1)
        rest = [project.name async for page in listing.pages(start="two") for project in page.items]
    assert rest == ["b", "c"]


async def test_insights_is_not_asked_where_slugs_are_opaque() -> None:
    slug = "circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat"
    async with raw_server(organization({None: page(slug)}, summary("api"))) as server, client(server.url) as circle:
        found = await circle.projects.list(ca.OrgSlug("circleci", "9YytKzouJxzu4TjCRFqAoD")).collect()
        assert [project.slug for project in found] == [slug]
        assert len(server.requests) == 1


async def test_a_list_without_names_is_empty() -> None:
    data = {"metrics": NO_RUNS, "trends": NO_RUNS}
    unnamed = answer(200, {"org_data": data, "org_project_data": [], "all_projects": None})
    async with raw_server(organization({None: page()}, unnamed)) as server, client(server.url) as circle:
        listing = circle.projects.list("gh/o")
        assert (await listing.collect(), await listing.first()) == ([], None)


async def test_leaving_early_or_cancelling_leaves_nothing_in_use() -> None:
    pages: dict[str | None, Behaviour] = {None: page("gh/o/a", token="two"), "two": hang}
    async with raw_server(organization(pages, summary())) as server, client(server.url) as circle:
        async with aclosing(aiter(circle.projects.list("gh/o"))) as projects:
            assert (await anext(projects)).name == "a"
        check_nothing_in_use(circle)
        task = asyncio.create_task(circle.projects.list("gh/o").collect())
        while len(server.requests) < 3:
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        check_nothing_in_use(circle)


@pytest.mark.parametrize("look_back", [0, -1, 1.5, True, "9"])
async def test_a_wrong_look_back_is_refused_at_once(look_back: Any) -> None:
    async with raw_server() as server, client(server.url) as circle:
        with pytest.raises(ca.InvalidArgument, match="look_back must be a positive integer"):
            circle.projects.list("gh/o", look_back=look_back)


@pytest.mark.parametrize("wrong", ["", "acme", "gh/acme/api", "gh/..", None, 5])
async def test_what_is_not_an_organization_is_refused_at_once(wrong: Any) -> None:
    async with raw_server() as server, client(server.url) as circle:
        with pytest.raises(ca.InvalidArgument):
            circle.projects.list(wrong)


async def test_the_list_of_the_embedded_circleci() -> None:
    world = World()
    now = world.clock()
    world.project("gh/acme/web").pipeline(created_at=now - timedelta(days=1))
    api = world.project("gh/acme/api")
    api.pipeline(created_at=now - timedelta(days=3))
    api.pipeline(created_at=now - timedelta(days=2))
    world.project("gh/acme/idle")
    world.project("gh/other/lib").pipeline()
    async with FakeCircleCI(world, page_size=1) as fake, fake.client() as circle:
        found = await circle.projects.list("github/acme").collect()
        mine = await circle.pipelines.list_for_org("gh/acme", mine=True).collect()
        with pytest.raises(ca.NotFound):
            await circle.projects.list("gh/missing").collect()
    assert [project.slug for project in found] == ["gh/acme/web", "gh/acme/api", "gh/acme/idle"]
    assert found[0].last_pipeline_at is not None
    assert timestamp(found[0].last_pipeline_at) == timestamp(now - timedelta(days=1))
    assert {each.project_slug for each in mine} == {"gh/acme/api", "gh/acme/web"}


async def test_a_listed_project_is_accepted_wherever_a_project_is_taken() -> None:
    world = World()
    world.project("gh/acme/api").pipeline()
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        listed = await circle.projects.list("gh/acme").first()
        assert listed is not None
        project = await circle.projects.get(listed)
        assert (project.slug, (await circle.projects.get(project)).id) == (listed.slug, project.id)
        assert len(await circle.pipelines.list(listed).collect()) == 1
    assert ca.ProjectSlug.parse(listed) == ca.ProjectSlug("gh", "acme", "api")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("gh/acme", ca.OrgSlug("gh", "acme")),
        ("circleci/9YytKzouJxzu4TjCRFqAoD", ca.OrgSlug("circleci", "9YytKzouJxzu4TjCRFqAoD")),
        ("https://app.circleci.com/pipelines/github/acme", ca.OrgSlug("gh", "acme")),
        ("github.com/acme", ca.OrgSlug("gh", "acme")),
        (ca.OrgSlug("bb", "acme"), ca.OrgSlug("bb", "acme")),
        (Organization(id="1", slug="gh/acme", name="acme"), ca.OrgSlug("gh", "acme")),
        ("https://app.circleci.com/pipelines/github/acme/api", ca.ProjectSlug("gh", "acme", "api")),
        ("github.com/acme/api", ca.ProjectSlug("gh", "acme", "api")),
        (ca.ProjectSlug("gh", "acme", "api"), ca.ProjectSlug("gh", "acme", "api")),
    ],
)
def test_an_organization_is_distinguished_from_a_project(given: object, expected: ca.ProjectSlug | ca.OrgSlug) -> None:
    assert project_or_organization(given) == expected


NEITHER = "is invalid: expected a project such as 'gh/acme/api', an organization such as 'gh/acme', or the URL of one"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("acme", f"project slug 'acme' {NEITHER}"),
        ("https://user:s3cret@example.com/x?token=s3cret", f"project slug 'https://example.com/x' {NEITHER}"),
        (None, f"project slug None {NEITHER}"),
        (7, f"project slug 7 {NEITHER}"),
        ("acme/api", "slug has the unknown vcs 'acme': expected 'gh', 'bb' or 'circleci'"),
        ("gh/..", "slug has the invalid name '..': it would change the path"),
        ("s3cret@gitlab.com/acme", "slug has the unsupported vcs 'gitlab': projects on GitLab have an opaque slug"),
        ("gitlab.com/acme/api", "slug has the unsupported vcs 'gitlab': projects on GitLab have an opaque slug"),
    ],
)
async def test_what_is_neither_a_project_nor_an_organization_is_refused(
    given: Any, message: str, tmp_path: Path
) -> None:
    async with raw_server() as server, client(server.url) as circle:
        with pytest.raises(ca.InvalidArgument) as caught:
            await circle.harvest([given], tmp_path / "out")
        results = [(project, str(result)) async for project, result in circle.insights.snapshot([given])]
    assert str(caught.value).startswith(message)
    assert results == [(given, str(caught.value))]
    assert server.requests == []


async def test_a_snapshot_continues_after_an_organization_that_cannot_be_listed() -> None:
    world = World()
    world.project("gh/acme/api").pipeline().workflow("build").job("test")
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        snapshot = circle.insights.snapshot(["gh/missing", "gh/acme"])
        results = {project: result async for project, result in snapshot}
        alone = [(project, type(result)) async for project, result in circle.insights.snapshot("gh/missing")]
        check_nothing_in_use(circle)
    error = results.pop("gh/missing")
    assert isinstance(error, ca.NotFound)
    assert (error.status, list(results), len(results["gh/acme/api"])) == (404, ["gh/acme/api"], 1)  # type: ignore[arg-type]
    assert alone == [("gh/missing", ca.NotFound)]


async def test_a_snapshot_yields_no_project_twice() -> None:
    async with FakeCircleCI(two_organizations()) as fake, fake.client() as circle:
        given: Any = ["gh/acme/web", "gh/acme", "gh/acme/api", ca.OrgSlug("gh", "other")]
        projects = [project async for project, _ in circle.insights.snapshot(given)]
    assert sorted(map(str, projects)) == ["gh/acme/api", "gh/acme/web", "gh/other/lib"]


async def test_an_organization_that_no_source_knows_is_an_error() -> None:
    behaviour = organization({None: page(), "two": page()}, refusal(404))
    async with raw_server(behaviour) as server, client(server.url) as circle:
        with pytest.raises(ca.NotFound):
            await circle.projects.list("gh/typo").collect()
        assert [request.path.rpartition("/")[2] for request in server.requests] == ["pipeline", "summary"]
        assert await circle.projects.list("gh/acme", since="7d").collect() == []
        assert [each async for each in circle.projects.list("gh/acme").pages(start="two")] == []


def two_organizations() -> World:
    world = World()
    for slug in ("gh/acme/api", "gh/acme/web", "gh/other/lib"):
        world.project(slug).pipeline().workflow("build").job("test").artifact("a.txt", slug.encode())
    return world


@pytest.mark.parametrize(
    ("given", "files"),
    [
        (lambda _: "gh/acme", ["api", "web"]),
        (lambda _: ca.OrgSlug("gh", "acme"), ["api", "web"]),
        (lambda _: ["gh/other/lib", "gh/acme", "gh/acme/web"], ["api", "lib", "web"]),
        (lambda circle: circle.projects.list("gh/acme"), ["api", "web"]),
        (lambda _: "gh/acme/web", ["web"]),
    ],
)
async def test_a_harvest_takes_an_organization(
    given: Callable[[ca.CircleCI], Any], files: list[str], tmp_path: Path
) -> None:
    async with FakeCircleCI(two_organizations()) as fake, fake.client() as circle:
        report = await circle.harvest(given(circle), tmp_path / "out")
    assert sorted(path.read_text().rpartition("/")[2] for path in (tmp_path / "out").rglob("a.txt")) == files
    assert report.is_complete


async def test_a_harvest_refuses_projects_before_anything_is_sent_or_written(tmp_path: Path) -> None:
    async with raw_server() as server, client(server.url) as circle:
        wrong: Any
        for wrong in (["gh/acme", "acme"], ["gh/acme", None], 7, None):
            with pytest.raises(ca.InvalidArgument):
                await circle.harvest(wrong, tmp_path / "out")
        assert server.requests == []
    assert not (tmp_path / "out").exists()


async def test_a_harvest_of_an_organization_without_projects_says_so(tmp_path: Path) -> None:
    behaviour = organization({None: page()}, summary())
    async with raw_server(behaviour) as server, client(server.url) as circle:
        with pytest.raises(ca.InvalidArgument, match=r"projects must contain at least one project.*got 'gh/acme'"):
            await circle.harvest("gh/acme", tmp_path / "out")


async def test_a_harvest_continues_without_an_organization_that_cannot_be_listed(tmp_path: Path) -> None:
    world, later = two_organizations(), two_organizations()
    later.project("gh/late/app").pipeline().workflow("build").job("test").artifact("a.txt", b"late")
    given = ["gh/late", "gh/acme", "gh/other/lib"]
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        events: list[ca.HarvestEvent] = []
        for files in (3, 0):
            report = await circle.harvest(given, tmp_path / "out", on_progress=events.append)
            assert (len(report.files), report.is_complete, report.error) == (files, False, None)
            [failure] = report.failed
            assert (failure.kind, failure.project, failure.name) == ("projects", "gh/late", "gh/late")
            assert str(failure).startswith("projects of gh/late: 404 Not Found: Organization not found")
        with pytest.raises(ca.NotFound):
            await circle.harvest(["gh/late", "gh/gone"], tmp_path / "none")
    assert [event.kind for event in events if isinstance(event, ca.ListingFailed)] == 2 * ["projects"]
    assert not (tmp_path / "none").exists()
    async with FakeCircleCI(later) as fake, fake.client() as circle:
        found = await circle.harvest(given, tmp_path / "out")
    assert ([*found.failed], found.is_complete) == ([], True)
    assert [*(await ca.harvest_status(tmp_path / "out")).failures] == []
