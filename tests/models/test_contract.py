"""The models match the OpenAPI description."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import NoneType
from typing import Any, get_args, get_origin

import attrs
import pytest

from circleci_async.core.codec import decode, to_dict
from circleci_async.models.open_enum import OpenEnum

from .spec import MODELS, Json, examples, resolve, schema

PLAIN = {"boolean": bool, "integer": int, "number": float, "string": str}


def spelt(key: str) -> str:
    """Return a key in the spelling of the models: the description hyphenates some."""
    return key.replace("-", "_")


def differences(schema: Json, kind: Any, place: str) -> Iterator[str]:
    """Yield each difference between a model and its schema."""
    schema = resolve(schema)
    nullable = NoneType in get_args(kind)
    if nullable:
        (kind,) = (part for part in get_args(kind) if part is not NoneType)
    elif schema.get("nullable"):
        yield f"{place} may be null"

    if get_origin(kind) in (list, tuple):
        if schema["type"] == "array":
            yield from differences(schema["items"], get_args(kind)[0], f"{place}[]")
        else:
            yield f"{place} must be a list"
    elif attrs.has(kind):
        fields = attrs.fields_dict(kind)
        properties = {spelt(name): inner for name, inner in schema.get("properties", {}).items()}
        for name in fields.keys() ^ properties.keys():
            yield f"{kind.__name__}.{name} is only on one side"
        for name in fields.keys() & properties.keys():
            field, inner = fields[name], properties[name]
            promised = name in map(spelt, schema.get("required", []))
            if field.default is attrs.NOTHING and not promised:
                yield f"{place}.{name} may be absent"
            if field.default is not attrs.NOTHING and promised and not resolve(inner).get("nullable"):
                yield f"{kind.__name__}.{name} need not be optional"
            yield from differences(inner, field.type, f"{place}.{name}")
    elif get_origin(kind) in (Mapping, dict):
        values = schema.get("additionalProperties")
        if not values:
            yield f"{place} must be a map"
        elif get_args(kind)[1] is not Any:
            yield from differences(values, get_args(kind)[1], f"{place}{{}}")
    elif issubclass(kind, OpenEnum):
        for word in schema.get("enum", ["no words"]):
            if not kind(word).is_known:
                yield f"{place} may be {word!r}"
    elif "enum" in schema:
        yield f"{place} is one of {schema['enum']}"
    elif kind is datetime:
        if schema.get("format") != "date-time":
            yield f"{place} must be a date"
    elif schema.get("format") == "date-time" or PLAIN[schema["type"]] is not kind:
        yield f"{place} is {schema['type']} {schema.get('format', '')}"


def test_the_models_differ_from_the_description_only_as_listed() -> None:
    found = {each for operation, kind in MODELS.items() for each in differences(schema(operation), kind, operation)}
    assert found == {
        # The live API omits these fields or sends null.
        "Collaboration.slug need not be optional",
        "JobDetails.status need not be optional",
        "JobProject.id need not be optional",
        "PipelineTrigger.actor need not be optional",
        "Project.id need not be optional",
        "Project.organization_id need not be optional",
        "Project.organization_slug need not be optional",
        "Workflow.pipeline_id need not be optional",
        "Workflow.pipeline_number need not be optional",
        "Workflow.project_slug need not be optional",
        "Workflow.started_by need not be optional",
        "WorkflowJob.project_slug need not be optional",
        "WorkflowMetrics.project_id need not be optional",
        "WorkflowRun.branch need not be optional",
        "WorkflowRun.is_approval need not be optional",
        "CheckoutKey.created_at need not be optional",
        "ContextVariable.updated_at need not be optional",
        "Schedule.updated_at need not be optional",
        # They do not identify an object.
        "Organization.vcs_type need not be optional",
        "OtelExporter.endpoint need not be optional",
        "OtelExporter.insecure need not be optional",
        "OtelExporter.org_id need not be optional",
        "OtelExporter.protocol need not be optional",
        "UrlOrbAllowListEntry.auth need not be optional",
        "UrlOrbAllowListEntry.prefix need not be optional",
        "ContextVariable.context_id need not be optional",
        "ContextVariable.created_at need not be optional",
        "Schedule.actor need not be optional",
        "Schedule.created_at need not be optional",
        "Schedule.parameters need not be optional",
        "Schedule.timetable need not be optional",
        "Webhook.created_at need not be optional",
        "Webhook.events need not be optional",
        "Webhook.scope need not be optional",
        "Webhook.signing_secret need not be optional",
        "Webhook.updated_at need not be optional",
        "Webhook.verify_tls need not be optional",
        "WebhookScope.type need not be optional",
        "DeployLabel.value need not be optional",
        "RuleViolation.reason need not be optional",
        # One model for two responses.
        "UsageExport.end is only on one side",
        "UsageExport.error_reason is only on one side",
        "UsageExport.start is only on one side",
        # The description does not state the format. The API returns dates.
        "getFlakyTests.flaky_tests[].workflow_created_at must be a date",
        # An update changes a part of a timetable.
        "Timetable.hours_of_day need not be optional",
        "Timetable.per_hour need not be optional",
        # A response without them is still useful.
        "Collaboration.avatar_url need not be optional",
        "JobDetails.contexts need not be optional",
        "JobDetails.messages need not be optional",
        "JobDetails.parallel_runs need not be optional",
        "Pipeline.errors need not be optional",
        "WorkflowJob.dependencies need not be optional",
        # A confirmation can be empty.
        "Message.message need not be optional",
        "OidcClaimSet.org_id need not be optional",
        "UrlOrbConfirmation.id need not be optional",
        "UrlOrbConfirmation.message need not be optional",
    }


def comparable(value: Json) -> Json:
    """Normalize a body: drop null and empty lists, replace hyphens, and parse dates."""
    if isinstance(value, dict):
        return {spelt(key): comparable(item) for key, item in value.items() if item not in (None, [])}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, str) and value[4:5] == "-" and value[10:11] == "T":
        return datetime.fromisoformat(value)
    return value


@pytest.mark.parametrize("operation", MODELS)
def test_an_example_survives_a_round_trip_through_its_model(operation: str) -> None:
    bodies = list(examples(operation))
    assert bodies
    for body in bodies:
        assert comparable(to_dict(decode(MODELS[operation], json.dumps(body).encode()))) == comparable(body)
