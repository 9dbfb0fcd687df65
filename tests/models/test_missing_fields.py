"""Fields that the description requires, and that the live API omits or sends as null."""

import json

import pytest

from circleci_async.core.codec import decode
from circleci_async.models import FlakyTestReport

from .spec import MODELS, Json, example

SEEN_MISSING = {
    "getAllInsightsBranches": ["org_id", "project_id"],
    "getCollaborations": ["0.id", "0.slug"],
    "getCurrentUser": ["name"],
    "getJobDetails": ["executor", "project.id", "queued_at", "started_at", "status"],
    "getPipelineById": ["trigger.actor", "trigger.actor.avatar_url", "updated_at", "vcs"],
    "getProjectBySlug": ["id", "organization_id", "organization_slug"],
    "getProjectWorkflowMetrics": ["metrics.total_recoveries", "project_id"],
    "getProjectWorkflowRuns": ["branch", "is_approval"],
    "getProjectWorkflowTestMetrics": [
        f"{tests}.0.{name}"
        for tests in ("most_failed_tests", "slowest_tests")
        for name in ("classname", "file", "source")
    ],
    "getTests": ["file"],
    "getWorkflowById": ["pipeline_id", "pipeline_number", "project_slug", "started_by", "status"],
    "getScheduleById": ["updated-at"],
    "listCheckoutKeys": ["created_at"],
    "listEnvVars": ["created_at"],
    "listEnvironmentVariablesFromContext": ["updated_at"],
    "listWorkflowJobs": ["project_slug", "started_at"],
}
PLACES = [(operation, place) for operation, places in SEEN_MISSING.items() for place in places]


def step(parent: Json, name: str) -> Json:
    return parent[int(name)] if name.isdigit() else parent[name]


@pytest.mark.parametrize("missing", ["absent", "null"])
@pytest.mark.parametrize(("operation", "place"), PLACES)
def test_a_field_omitted_by_the_live_api_is_none(operation: str, place: str, missing: str) -> None:
    body = example(operation)
    parent = body
    *above, last = place.split(".")
    for name in above:
        parent = step(parent, name)
    if missing == "null":
        parent[last] = None
    else:
        del parent[last]

    found = decode(MODELS[operation], json.dumps(body).encode())
    for name in place.split("."):
        found = found[int(name)] if name.isdigit() else getattr(found, name.replace("-", "_"))
    assert found is None


@pytest.mark.parametrize("total", [3, 3.0, 0, 1e3])
def test_the_number_of_flaky_tests_may_be_a_float(total: float) -> None:
    body = json.dumps({"flaky_tests": [], "total_flaky_tests": total}).encode()
    assert decode(FlakyTestReport, body).total_flaky_tests == total
