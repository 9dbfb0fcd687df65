"""Arguments that can't be right are refused by name, before anything is sent."""

from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from circleci_async import CircleCI, InvalidArgument, Paged
from tests.raw_server import answer, raw_server

P = "gh/acme/api"
START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NAIVE = START.replace(tzinfo=None)

Do = Callable[[CircleCI], Any]


def untyped(value: Any) -> Any:
    """A value as those have it who check no types."""
    return value


@pytest.fixture
async def circle() -> AsyncGenerator[CircleCI, None]:
    async with CircleCI("t", host="http://localhost:1") as circle:
        yield circle
        assert circle.stats.requests == 0, "something was sent"


async def refused(do: Do, circle: CircleCI) -> str:
    with pytest.raises(InvalidArgument) as caught:
        began = do(circle)
        if isinstance(began, Paged):
            pytest.fail("a list must refuse its arguments at once, not when it is iterated")
        await began
    return str(caught.value)


CONTRADICTIONS: dict[str, tuple[Do, str]] = {
    "branch and tag": (lambda c: c.pipelines.trigger(P, branch="a", tag="b"), "branch='a', tag='b'"),
    "failed and jobs": (lambda c: c.workflows.rerun("w", from_failed=True, jobs=["j"]), "from_failed=True, jobs="),
    "ssh without jobs": (lambda c: c.workflows.rerun("w", enable_ssh=True), "enable_ssh"),
    "sparse without jobs": (lambda c: c.workflows.rerun("w", sparse_tree=True), "sparse_tree"),
    "no jobs": (lambda c: c.workflows.rerun("w", jobs=[]), "jobs=[]: give at least one id"),
    "a day": (
        lambda c: c.insights.workflow_runs(P, "w", start_date=untyped(START.date())),
        "start_date=datetime.date(",
    ),
    "a day of usage": (
        lambda c: c.usage.create_export("o", start=untyped(START.date()), end=START),
        "start=datetime.date(",
    ),
    "a secret that is no text": (
        lambda c: c.webhooks.update("w", signing_secret=untyped(5)),
        "'signing_secret' is of type int",
    ),
    "a header that is no text": (
        lambda c: c.otel.create_exporter("o", endpoint="e", protocol="grpc", headers={"X": untyped(5)}),
        "'X' is of type int",
    ),
    "no limit": (lambda c: c.groups.list("o", limit=untyped("5")), "limit='5'"),
    "jobs in one text": (lambda c: c.workflows.rerun("w", jobs="j-1"), "jobs='j-1'"),
    "workflows": (lambda c: c.insights.workflows(P, branch="a", all_branches=True), "all_branches=True"),
    "runs": (lambda c: c.insights.workflow_runs(P, "w", branch="a", all_branches=True), "all_branches=True"),
    "jobs": (lambda c: c.insights.workflow_jobs(P, "w", branch="a", all_branches=True), "all_branches=True"),
    "summary": (lambda c: c.insights.workflow_summary(P, "w", branch="a", all_branches=True), "all_branches=True"),
    "tests": (lambda c: c.insights.test_metrics(P, "w", branch="a", all_branches=True), "all_branches=True"),
    "naive start": (lambda c: c.insights.workflow_runs(P, "w", start_date=NAIVE), "start_date="),
    "naive end": (lambda c: c.insights.workflow_runs(P, "w", start_date=START, end_date=NAIVE), "end_date="),
    "no date": (lambda c: c.insights.workflow_runs(P, "w", start_date="yesterday"), "start_date='yesterday'"),
    "naive text": (lambda c: c.insights.job_timeseries(P, "w", start_date="2026-03-01"), "start_date="),
    "end alone": (lambda c: c.insights.workflow_runs(P, "w", end_date=START), "end_date needs a start_date"),
    "no time": (lambda c: c.insights.workflow_runs(P, "w", start_date=START, end_date=START), "end_date="),
    "back": (lambda c: c.insights.job_timeseries(P, "w", start_date=START, end_date=START - DAY), "end_date="),
    "too far": (lambda c: c.insights.job_timeseries(P, "w", start_date=START, end_date=START + 91 * DAY), "end_date="),
}


@pytest.mark.parametrize("contradiction", CONTRADICTIONS)
async def test_arguments_that_contradict_each_other_are_refused(contradiction: str, circle: CircleCI) -> None:
    do, named = CONTRADICTIONS[contradiction]
    assert named in await refused(do, circle)


def test_the_longest_span_is_allowed() -> None:
    listing = CircleCI("").insights.workflow_runs(P, "w", start_date=START, end_date=START + 90 * DAY)
    assert isinstance(listing, Paged)


@pytest.mark.parametrize("wrong", ["", ".", "..", None, True, -1, 1.5, b"x"], ids=repr)
async def test_what_can_not_be_part_of_a_path_is_refused(wrong: Any, circle: CircleCI) -> None:
    for do in (
        lambda c: c.users.get(wrong),
        lambda c: c.pipelines.get(wrong),
        lambda c: c.pipelines.get_by_number(P, wrong),
        lambda c: c.pipelines.config(wrong),
        lambda c: c.pipelines.values(wrong),
        lambda c: c.pipelines.workflows(wrong),
        lambda c: c.workflows.get(wrong),
        lambda c: c.workflows.jobs(wrong),
        lambda c: c.workflows.cancel(wrong),
        lambda c: c.workflows.rerun(wrong),
        lambda c: c.workflows.approve(wrong, "a"),
        lambda c: c.workflows.approve("w", wrong),
        lambda c: c.jobs.get(P, wrong),
        lambda c: c.jobs.tests(P, wrong),
        lambda c: c.jobs.cancel(P, wrong),
        lambda c: c.jobs.cancel_by_id(wrong),
        lambda c: c.artifacts.list(P, wrong),
        lambda c: c.insights.workflow_runs(P, wrong),
        lambda c: c.insights.workflow_jobs(P, wrong),
        lambda c: c.insights.workflow_summary(P, wrong),
        lambda c: c.insights.test_metrics(P, wrong),
        lambda c: c.insights.job_timeseries(P, wrong),
    ):
        assert "can't be part of a path" in await refused(do, circle)


@pytest.mark.parametrize(
    "wrong", ["", "api", "acme/api", "gh/acme/..", "gh//api", "gh/a/b/c", "svn/a/b", None, 5], ids=repr
)
async def test_what_is_no_project_is_refused(wrong: Any, circle: CircleCI) -> None:
    for do in (
        lambda c: c.projects.get(wrong),
        lambda c: c.pipelines.list(wrong),
        lambda c: c.pipelines.mine(wrong),
        lambda c: c.pipelines.get_by_number(wrong, 1),
        lambda c: c.pipelines.trigger(wrong),
        lambda c: c.jobs.get(wrong, 1),
        lambda c: c.jobs.tests(wrong, 1),
        lambda c: c.jobs.cancel(wrong, 1),
        lambda c: c.artifacts.list(wrong, 1),
        lambda c: c.insights.workflows(wrong),
        lambda c: c.insights.branches(wrong),
        lambda c: c.insights.flaky_tests(wrong),
        lambda c: c.insights.project_summary(wrong),
    ):
        assert await refused(do, circle)


@pytest.mark.parametrize("wrong", ["", "acme", "gh/..", "gh/a/b/c", "svn/a"], ids=repr)
async def test_what_is_no_organization_is_refused(wrong: str, circle: CircleCI) -> None:
    assert await refused(lambda c: c.pipelines.list_for_org(wrong), circle)
    assert await refused(lambda c: c.insights.org_summary(wrong), circle)


async def test_dates_may_be_text_as_the_api_writes_them() -> None:
    page: dict[str, Any] = {"items": [], "next_page_token": None}
    async with raw_server(answer(200, page)) as server, CircleCI("t", host=server.url) as circle:
        listing = circle.insights.workflow_runs(
            P, "w", start_date="2026-03-01T00:00:00Z", end_date="2026-03-02T01:00+01:00"
        )
        assert await listing.collect() == []
        query = server.requests[0].target.partition("?")[2]
        assert query == "start-date=2026-03-01T00%3A00%3A00Z&end-date=2026-03-02T00%3A00%3A00Z"


@pytest.mark.parametrize("body", ["", "null", "{}"])
@pytest.mark.parametrize("status", [200, 202, 204])
async def test_an_action_that_is_confirmed_without_a_word_has_been_confirmed(status: int, body: str) -> None:
    said = answer(status, body if status != 204 else "")
    async with raw_server(said) as server, CircleCI("t", host=server.url) as circle:
        assert (await circle.workflows.cancel("w-1")).message == ""
        assert (await circle.jobs.cancel(P, 1)).message == ""


@pytest.mark.parametrize("wrong", ["", None, 5, b"x"], ids=repr)
async def test_what_is_no_id_is_refused_where_it_goes_into_a_query_or_a_body(wrong: Any, circle: CircleCI) -> None:
    for do in (
        lambda c: c.deploys.environments(wrong),
        lambda c: c.deploys.components(wrong),
        lambda c: c.otel.exporters(wrong),
        lambda c: c.otel.create_exporter(wrong, endpoint="e", protocol="grpc"),
        lambda c: c.webhooks.list(wrong),
        lambda c: c.webhooks.create(name="n", url="https://x", events=["job-completed"], scope_id=wrong),
        lambda c: c.contexts.add_restriction("c", type="project", value=wrong),
    ):
        assert "give an id" in await refused(do, circle)
