"""Each method sends exactly the right request, and gives back the right kind of thing."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import attrs
import pytest

from circleci_async import CircleCI, Granularity, OrgSlug, Paged, ProjectSlug, ReportingWindow
from tests.endpoints.contract import OPERATIONS
from tests.models.spec import MODELS, examples
from tests.raw_server import answer, raw_server

ID = UUID("5034460f-c7c4-4c43-9457-de07e2029e7b")
PROJECT = "/api/v2/project/gh/acme/api"
INSIGHTS = "/api/v2/insights/gh/acme/api"
FROM, UNTIL = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 31, 14, tzinfo=timezone(timedelta(hours=2)))

Do = Callable[[CircleCI], Any]


@attrs.frozen
class Case:
    name: str
    do: Do
    target: str
    body: Any = None
    """What must arrive as JSON; None: no body at all."""


P = "gh/acme/api"
CASES = [
    Case("users.me", lambda c: c.users.me(), "/api/v2/me"),
    Case("users.get", lambda c: c.users.get(ID), f"/api/v2/user/{ID}"),
    Case("users.get", lambda c: c.users.get("a b/c"), "/api/v2/user/a%20b%2Fc"),
    Case("users.collaborations", lambda c: c.users.collaborations(), "/api/v2/me/collaborations"),
    Case("projects.get", lambda c: c.projects.get(P), PROJECT),
    Case("pipelines.list", lambda c: c.pipelines.list(P), f"{PROJECT}/pipeline"),
    Case(
        "pipelines.list",
        lambda c: c.pipelines.list(P, branch="feature/a+b &c=d%2F\u00e9"),
        f"{PROJECT}/pipeline?branch=feature%2Fa%2Bb%20%26c%3Dd%252F%C3%A9",
    ),
    Case("pipelines.mine", lambda c: c.pipelines.mine(P), f"{PROJECT}/pipeline/mine"),
    Case("pipelines.list_for_org", lambda c: c.pipelines.list_for_org(), "/api/v2/pipeline"),
    Case(
        "pipelines.list_for_org",
        lambda c: c.pipelines.list_for_org("github/acme corp", mine=False),
        "/api/v2/pipeline?org-slug=gh%2Facme%20corp&mine=false",
    ),
    Case(
        "pipelines.list_for_org",
        lambda c: c.pipelines.list_for_org(OrgSlug("bb", "acme"), mine=True),
        "/api/v2/pipeline?org-slug=bb%2Facme&mine=true",
    ),
    Case("pipelines.get", lambda c: c.pipelines.get(ID), f"/api/v2/pipeline/{ID}"),
    Case("pipelines.get_by_number", lambda c: c.pipelines.get_by_number(P, 25), f"{PROJECT}/pipeline/25"),
    Case("pipelines.config", lambda c: c.pipelines.config(ID), f"/api/v2/pipeline/{ID}/config"),
    Case("pipelines.values", lambda c: c.pipelines.values(ID), f"/api/v2/pipeline/{ID}/values"),
    Case("pipelines.workflows", lambda c: c.pipelines.workflows(ID), f"/api/v2/pipeline/{ID}/workflow"),
    Case("pipelines.trigger", lambda c: c.pipelines.trigger(P), f"{PROJECT}/pipeline", {}),
    Case(
        "pipelines.trigger",
        lambda c: c.pipelines.trigger(P, branch="b/1", parameters={"a_b": 1, "c-d": True, "e": "\u00e9"}),
        f"{PROJECT}/pipeline",
        {"branch": "b/1", "parameters": {"a_b": 1, "c-d": True, "e": "\u00e9"}},
    ),
    Case(
        "pipelines.trigger",
        lambda c: c.pipelines.trigger(P, tag="v1", parameters={}),
        f"{PROJECT}/pipeline",
        {"tag": "v1", "parameters": {}},
    ),
    Case(
        "pipelines.continue_",
        lambda c: c.pipelines.continue_("key", configuration="version: 2.1\n"),
        "/api/v2/pipeline/continue",
        {"continuation-key": "key", "configuration": "version: 2.1\n"},
    ),
    Case(
        "pipelines.continue_",
        lambda c: c.pipelines.continue_("key", configuration="", parameters={"n": 0}),
        "/api/v2/pipeline/continue",
        {"continuation-key": "key", "configuration": "", "parameters": {"n": 0}},
    ),
    Case("workflows.get", lambda c: c.workflows.get(ID), f"/api/v2/workflow/{ID}"),
    Case("workflows.jobs", lambda c: c.workflows.jobs(ID), f"/api/v2/workflow/{ID}/job"),
    Case("workflows.cancel", lambda c: c.workflows.cancel(ID), f"/api/v2/workflow/{ID}/cancel"),
    Case("workflows.rerun", lambda c: c.workflows.rerun(ID), f"/api/v2/workflow/{ID}/rerun", {}),
    Case(
        "workflows.rerun",
        lambda c: c.workflows.rerun(ID, from_failed=True, sparse_tree=False),
        f"/api/v2/workflow/{ID}/rerun",
        {"from_failed": True, "sparse_tree": False},
    ),
    Case(
        "workflows.rerun",
        lambda c: c.workflows.rerun(ID, jobs=[ID, "j-2"], enable_ssh=True, sparse_tree=True),
        f"/api/v2/workflow/{ID}/rerun",
        {"jobs": [str(ID), "j-2"], "enable_ssh": True, "sparse_tree": True},
    ),
    Case("workflows.approve", lambda c: c.workflows.approve("w", ID), f"/api/v2/workflow/w/approve/{ID}"),
    Case("jobs.get", lambda c: c.jobs.get(P, 42), f"{PROJECT}/job/42"),
    Case("jobs.get", lambda c: c.jobs.get(P, 0), f"{PROJECT}/job/0"),
    Case("jobs.tests", lambda c: c.jobs.tests(P, 42), f"{PROJECT}/42/tests"),
    Case("jobs.cancel", lambda c: c.jobs.cancel(P, 42), f"{PROJECT}/job/42/cancel"),
    Case("jobs.cancel_by_id", lambda c: c.jobs.cancel_by_id(ID), f"/api/v2/jobs/{ID}/cancel"),
    Case("artifacts.list", lambda c: c.artifacts.list(P, 42), f"{PROJECT}/42/artifacts"),
    Case("insights.workflows", lambda c: c.insights.workflows(P), f"{INSIGHTS}/workflows"),
    Case(
        "insights.workflows",
        lambda c: c.insights.workflows(P, all_branches=True, reporting_window=ReportingWindow.LAST_24_HOURS),
        f"{INSIGHTS}/workflows?all-branches=true&reporting-window=last-24-hours",
    ),
    Case(
        "insights.workflows",
        lambda c: c.insights.workflows(P, branch="a/b", all_branches=False, reporting_window="last-7-days"),
        f"{INSIGHTS}/workflows?branch=a%2Fb&all-branches=false&reporting-window=last-7-days",
    ),
    Case(
        "insights.workflow_runs",
        lambda c: c.insights.workflow_runs(P, "build & test/\u00fc+%", branch="b", start_date=FROM, end_date=UNTIL),
        f"{INSIGHTS}/workflows/build%20%26%20test%2F%C3%BC%2B%25"
        "?branch=b&start-date=2026-03-01T12%3A00%3A00Z&end-date=2026-03-31T12%3A00%3A00Z",
    ),
    Case(
        "insights.workflow_jobs",
        lambda c: c.insights.workflow_jobs(P, "build", job_name="a b", reporting_window="last-30-days"),
        f"{INSIGHTS}/workflows/build/jobs?reporting-window=last-30-days&job-name=a%20b",
    ),
    Case(
        "insights.workflow_summary",
        lambda c: c.insights.workflow_summary(P, "build", all_branches=True),
        f"{INSIGHTS}/workflows/build/summary?all-branches=true",
    ),
    Case(
        "insights.test_metrics",
        lambda c: c.insights.test_metrics(P, "build", branch="b"),
        f"{INSIGHTS}/workflows/build/test-metrics?branch=b",
    ),
    Case(
        "insights.job_timeseries",
        lambda c: c.insights.job_timeseries(P, "build", branch="b", granularity=Granularity.HOURLY, start_date=FROM),
        "/api/v2/insights/time-series/gh/acme/api/workflows/build/jobs"
        "?branch=b&granularity=hourly&start-date=2026-03-01T12%3A00%3A00Z",
    ),
    Case("insights.branches", lambda c: c.insights.branches(P), f"{INSIGHTS}/branches"),
    Case(
        "insights.branches",
        lambda c: c.insights.branches(P, workflow="a b"),
        f"{INSIGHTS}/branches?workflow-name=a%20b",
    ),
    Case("insights.flaky_tests", lambda c: c.insights.flaky_tests(P), f"{INSIGHTS}/flaky-tests"),
    Case(
        "insights.project_summary",
        lambda c: c.insights.project_summary(P, branches=["a/b", "c"], workflow_names=["build"]),
        "/api/v2/insights/pages/gh/acme/api/summary?branches=a%2Fb&branches=c&workflow-names=build",
    ),
    Case(
        "insights.org_summary",
        lambda c: c.insights.org_summary("gh/acme", reporting_window="last-60-days", project_names=["api", "web"]),
        "/api/v2/insights/gh/acme/summary?reporting-window=last-60-days&project-names=api&project-names=web",
    ),
]
PAGED = [case for case in CASES if OPERATIONS[case.name].paged == "yes"]
NAMES = [f"{case.name} {number}" for number, case in enumerate(CASES)]


async def run(case: Case) -> Any:
    """Do the call; of a list that is paged, all of it."""
    async with raw_server(answer(200, body_of(case.name))) as server, CircleCI("t", host=server.url) as circle:
        began: Paged[Any] | Awaitable[Any] = case.do(circle)
        result = await began.collect() if isinstance(began, Paged) else await began
        (request,) = server.requests
        assert request.method == OPERATIONS[case.name].method
        assert request.target == case.target
        if case.body is None:
            assert request.body == b""
        else:
            assert json.loads(request.body) == case.body
            assert request.headers["content-type"] == "application/json"
        return result


def body_of(name: str) -> Any:
    """An answer to a call as the specification shows it."""
    operation = OPERATIONS[name]
    if operation.id == "getPipelineValuesById":
        return {"pipeline.number": 7, "pipeline.git-branch": "main"}
    found = list(examples(operation.id))
    return {"items": found, "next_page_token": None} if operation.paged == "yes" else found[0]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
async def test_the_right_request_arrives_and_the_right_thing_comes_back(case: Case) -> None:
    operation = OPERATIONS[case.name]
    result = await run(case)
    if operation.id == "getPipelineValuesById":
        assert result == {"pipeline.number": 7, "pipeline.git-branch": "main"}
        return
    kind = MODELS[operation.id]
    if operation.paged != "no":
        assert isinstance(result, list)
        assert result
        assert all(isinstance(item, get_args(kind)[0] if get_args(kind) else kind) for item in result)
    else:
        assert isinstance(result, kind)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_what_is_sent_is_in_the_specification(case: Case) -> None:
    operation = OPERATIONS[case.name]
    parts = urlsplit(case.target)
    assert operation.pattern.fullmatch(parts.path)
    assert {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)} <= operation.query
    if case.body is not None:
        assert set(case.body) <= set(operation.body["properties"])
        assert set(operation.body.get("required", [])) <= set(case.body)
    else:
        assert not operation.body.get("required")


@pytest.mark.parametrize("case", PAGED, ids=[f"{case.name} {number}" for number, case in enumerate(PAGED)])
async def test_the_next_page_is_asked_for_with_the_same_parameters(case: Case) -> None:
    whole = body_of(case.name)
    first = {**whole, "next_page_token": "to/ken="}
    async with raw_server(answer(200, first), answer(200, whole)) as server, CircleCI("t", host=server.url) as circle:
        assert len(await case.do(circle).collect()) == 2 * len(whole["items"])
        separator = "&" if "?" in case.target else "?"
        assert [request.target for request in server.requests] == [
            case.target,
            f"{case.target}{separator}page-token=to%2Fken%3D",
        ]


@pytest.mark.parametrize(
    ("project", "path"),
    [
        ("gh/acme/api", "gh/acme/api"),
        ("github/acme/api", "gh/acme/api"),
        ("bitbucket/acme/api", "bb/acme/api"),
        (
            "circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat",
            "circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat",
        ),
        ("gh/acme corp/a%2Fpi+x\u00e9", "gh/acme%20corp/a%252Fpi%2Bx%C3%A9"),
        ("gh%2Facme%2Fapi", "gh/acme/api"),
        ("https://github.com/acme/api.git", "gh/acme/api"),
        (ProjectSlug("gh", "acme", "a?b#c&d"), "gh/acme/a%3Fb%23c%26d"),
    ],
    ids=str,
)
async def test_a_slug_arrives_as_three_segments_each_quoted_by_itself(project: str | ProjectSlug, path: str) -> None:
    async with raw_server(answer(200, {"items": []})) as server, CircleCI("t", host=server.url) as circle:
        await circle.pipelines.list(project).collect()
        await circle.insights.workflows(project).collect()
        assert [request.target for request in server.requests] == [
            f"/api/v2/project/{path}/pipeline",
            f"/api/v2/insights/{path}/workflows",
        ]
