"""The API's specification, and which model each of its answers becomes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from circleci_async.models.artifacts import Artifact
from circleci_async.models.insights import (
    FlakyTests,
    InsightsBranches,
    JobMetrics,
    JobTimeseries,
    TestMetrics,
    WorkflowMetrics,
    WorkflowRun,
    WorkflowSummary,
)
from circleci_async.models.jobs import JobDetails, TestResult
from circleci_async.models.messages import Message
from circleci_async.models.pipelines import Pipeline, PipelineConfig, PipelineCreated
from circleci_async.models.projects import Project
from circleci_async.models.summaries import OrgSummary, ProjectSummary
from circleci_async.models.users import Collaboration, User
from circleci_async.models.workflows import RerunAccepted, Workflow, WorkflowJob

Json = Any

_SPEC: Json = json.loads((Path(__file__).parent.parent / "contract" / "circleci-v2.openapi.json").read_bytes())

MODELS: dict[str, Any] = {
    "approvePendingApprovalJobById": Message,
    "cancelJobByJobID": Message,
    "cancelJobByJobNumber": Message,
    "cancelWorkflow": Message,
    "continuePipeline": Message,
    "getAllInsightsBranches": InsightsBranches,
    "getCollaborations": list[Collaboration],
    "getCurrentUser": User,
    "getFlakyTests": FlakyTests,
    "getJobArtifacts": Artifact,
    "getJobDetails": JobDetails,
    "getJobTimeseries": JobTimeseries,
    "getOrgSummaryData": OrgSummary,
    "getPipelineById": Pipeline,
    "getPipelineByNumber": Pipeline,
    "getPipelineConfigById": PipelineConfig,
    "getProjectBySlug": Project,
    "getProjectWorkflowJobMetrics": JobMetrics,
    "getProjectWorkflowMetrics": WorkflowMetrics,
    "getProjectWorkflowRuns": WorkflowRun,
    "getProjectWorkflowTestMetrics": TestMetrics,
    "getProjectWorkflowsPageData": ProjectSummary,
    "getTests": TestResult,
    "getUser": User,
    "getWorkflowById": Workflow,
    "getWorkflowSummary": WorkflowSummary,
    "listMyPipelines": Pipeline,
    "listPipelines": Pipeline,
    "listPipelinesForProject": Pipeline,
    "listWorkflowJobs": WorkflowJob,
    "listWorkflowsByPipelineId": Workflow,
    "rerunWorkflow": RerunAccepted,
    "triggerPipeline": PipelineCreated,
}
"""The model of an operation's answer; of one item, if the answer is a page."""


def resolve(schema: Json) -> Json:
    """Follow a reference to the schema that it names."""
    while "$ref" in schema:
        schema = _SPEC["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _answers(operation: str) -> list[Json]:
    (found,) = (
        method
        for path in _SPEC["paths"].values()
        for method in path.values()
        if isinstance(method, dict) and method.get("operationId") == operation
    )
    return [answer["content"]["application/json"] for code, answer in found["responses"].items() if code[0] == "2"]


def _is_page(answer: Json) -> bool:
    return "items" in resolve(answer["schema"]).get("properties", {})


def schema(operation: str) -> Json:
    """Return the schema of what the operation's model stands for."""
    (answer,) = _answers(operation)
    whole = resolve(answer["schema"])
    return resolve(whole["properties"]["items"]["items"]) if _is_page(answer) else whole


def examples(operation: str) -> Iterator[Json]:
    """Yield an example of everything that the operation's model is to stand for."""
    (answer,) = _answers(operation)
    bodies = [each["value"] for each in answer.get("examples", {}).values()]
    if "example" in answer:
        bodies.append(answer["example"])
    for body in bodies:
        if _is_page(answer):
            yield from body["items"]
        else:
            yield body


def example(operation: str) -> Json:
    """Return the operation's first example, for the test to alter."""
    return json.loads(json.dumps(next(examples(operation))))
