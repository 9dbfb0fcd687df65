"""Parsing deliveries into events: unknown content is kept, and invalid bodies are refused."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import circleci_async as ca
from circleci_async.models import (
    EventCommit,
    EventJob,
    EventOrganization,
    EventPerson,
    EventProject,
    EventTrigger,
    EventWebhook,
    JobStatus,
    TriggerType,
    WebhookEventType,
    WorkflowStatus,
)
from circleci_async.webhooks import parse, unwrap

from .deliveries import JOB_COMPLETED, PING, SECRET, WORKFLOW_COMPLETED, body_of, signed


def without(payload: dict[str, Any], name: str) -> dict[str, Any]:
    return {each: value for each, value in payload.items() if each != name}


def test_a_completed_workflow_is_parsed_completely() -> None:
    event = parse(body_of(WORKFLOW_COMPLETED))
    assert event.type == "workflow-completed"
    assert event.type is WebhookEventType.WORKFLOW_COMPLETED
    assert event.id == "3888f21b-eaa7-38e3-8f3d-75a63bba8895"
    assert event.happened_at == datetime(2026, 11, 24, 12, 30, 1, 553182, tzinfo=UTC)
    assert event.webhook == EventWebhook(id="cf8c4fdd-0587-4da1-b4ca-4846e9640af9", name="deploys")
    assert event.project == EventProject(id="84996744-a854-4f5e-aea3-04e2851dc1d2", name="api", slug="github/acme/api")
    assert event.organization == EventOrganization(id="f22b6566-597d-46d5-ba74-99ef5bb3d85c", name="acme")
    assert event.workflow is not None
    assert event.workflow.status is WorkflowStatus.FAILED
    assert event.workflow.name == "build-test-deploy"
    assert event.workflow.stopped_at == datetime(2026, 11, 24, 12, 30, 1, 200000, tzinfo=UTC)
    assert event.job is None
    pipeline = event.pipeline
    assert pipeline is not None
    assert (pipeline.number, pipeline.branch, pipeline.tag, pipeline.trigger_parameters) == (130, "main", None, None)
    assert pipeline.revision == "1dc6aa69429bff4806ad6afe58d3d8f57e25973e"
    assert pipeline.trigger == EventTrigger(type=TriggerType.WEBHOOK)
    assert pipeline.vcs is not None
    assert pipeline.vcs.commit == EventCommit(
        subject="Description of change",
        body="More details",
        author=EventPerson(name="Ann Author", email="ann@example.com"),
        authored_at=datetime(2026, 11, 24, 12, 20, 53, tzinfo=UTC),
        committer=EventPerson(name="Carl Committer", email="carl@example.com"),
        committed_at=datetime(2026, 11, 24, 12, 28, 16, tzinfo=UTC),
    )


def test_a_completed_job_has_its_workflow_without_status_and_its_revision() -> None:
    event = parse(body_of(JOB_COMPLETED))
    assert event.type is WebhookEventType.JOB_COMPLETED
    assert event.job == EventJob(
        id="8b91f9a8-7975-4e60-916c-f0152ccef937",
        number=317,
        name="test",
        status=JobStatus.SUCCESS,
        started_at=datetime(2026, 11, 24, 12, 28, 50, tzinfo=UTC),
        stopped_at=datetime(2026, 11, 24, 12, 29, 44, tzinfo=UTC),
    )
    assert event.workflow is not None
    assert event.workflow.status is None
    assert event.pipeline is not None
    assert event.pipeline.vcs is None
    assert (event.pipeline.branch, event.pipeline.tag, event.pipeline.revision) == ("main", None, "9e2e4bed")
    assert event.pipeline.trigger_parameters == JOB_COMPLETED["pipeline"]["trigger_parameters"]  # keys are unchanged


def test_a_ping_has_only_its_webhook() -> None:
    event = parse(body_of(PING))
    assert event.type is WebhookEventType.PING
    assert event.webhook is not None
    parts = (event.project, event.organization, event.pipeline, event.workflow, event.job)
    assert parts == (None, None, None, None, None)


def test_a_pipeline_of_a_tag_has_the_tag() -> None:
    pipeline = without(WORKFLOW_COMPLETED["pipeline"], "vcs") | {"vcs": {"tag": "v1.4.0", "revision": "1dc6"}}
    event = parse(body_of(WORKFLOW_COMPLETED | {"pipeline": pipeline}))
    assert event.pipeline is not None
    assert (event.pipeline.branch, event.pipeline.tag, event.pipeline.revision) == (None, "v1.4.0", "1dc6")


@pytest.mark.parametrize("parameters", [None, {}, {"git": None}, {"git": "main"}, {"git": {"branch": 7}}], ids=repr)
def test_trigger_parameters_of_any_shape_are_accepted(parameters: Any) -> None:
    event = parse(body_of(JOB_COMPLETED | {"pipeline": {"id": "p", "trigger_parameters": parameters}}))
    assert event.pipeline is not None
    assert (event.pipeline.branch, event.pipeline.tag, event.pipeline.revision) == (None, None, None)


@pytest.mark.parametrize("payload", [WORKFLOW_COMPLETED, JOB_COMPLETED, PING], ids=lambda payload: payload["type"])
def test_the_raw_payload_is_kept_and_unknown_fields_are_accepted(payload: dict[str, Any]) -> None:
    grown = payload | {"new": {"a-b": [1, None]}, "webhook": payload["webhook"] | {"owner": "x"}, "raw": "mine"}
    event = parse(body_of(grown))
    assert event.raw == grown
    assert (event.id, event.webhook) == (payload["id"], parse(body_of(payload)).webhook)


def test_unknown_enum_values_are_kept() -> None:
    job = JOB_COMPLETED["job"] | {"status": "exploded"}
    trigger = {"trigger": {"type": "Decoupled Ingestion System"}}
    payload = JOB_COMPLETED | {"job": job, "pipeline": JOB_COMPLETED["pipeline"] | trigger}
    event = parse(body_of(payload))
    assert event.job is not None
    assert event.job.status == "exploded"
    assert event.pipeline is not None
    assert event.pipeline.trigger is not None
    assert event.pipeline.trigger.type == "Decoupled Ingestion System"


def test_an_event_of_an_unknown_type_keeps_its_valid_parts() -> None:
    payload = WORKFLOW_COMPLETED | {"type": "pipeline-errored", "job": ["no", "job"], "happened_at": "yesterday"}
    event = parse(body_of(payload))
    assert event.type == "pipeline-errored"
    assert not event.type.is_known
    assert (event.job, event.happened_at) == (None, None)
    assert event.workflow == parse(body_of(WORKFLOW_COMPLETED)).workflow
    assert event.raw == payload


@pytest.mark.parametrize("part", ["webhook", "project", "organization", "pipeline", "workflow", "job"])
@pytest.mark.parametrize("given", ["absent", None, {}, {"id": None}, {"name": "no id"}], ids=repr)
def test_a_part_without_id_is_none(part: str, given: Any) -> None:
    whole = JOB_COMPLETED
    payload = without(whole, part) if given == "absent" else whole | {part: given}
    event = parse(body_of(payload))
    assert getattr(event, part) is None
    others = {each for each in whole if each not in {part, "id", "type", "happened_at"}}
    assert all(getattr(event, each) is not None for each in others)
    assert event.raw == payload


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "the body is empty"),
        (b" \n", "the body is empty"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"id": NaN}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"payload=%7B%22id%22%3A1%7D", "not JSON"),
        (b"null", "$: expected an object, got null"),
        (b"[]", "$: expected an object, got a list"),
        (b'"ping"', "$: expected an object, got 'ping'"),
        (b"{}", "$.id: required, but absent; $.type: required, but absent"),
        (body_of(without(PING, "id")), "$.id: required, but absent"),
        (body_of(PING | {"id": None}), "$.id: expected a string, got null"),
        (body_of(PING | {"id": 7}), "$.id: expected a string, got 7"),
        (body_of(PING | {"id": " "}), "$.id: expected a non-empty string"),
        (body_of(PING | {"type": None}), "$.type: expected a string, got null"),
        (body_of(PING | {"type": "new", "id": ["x"]}), "$.id: expected a string, got a list"),
        (body_of(PING | {"webhook": "x"}), "$.webhook: expected an object, got 'x'"),
        (body_of(PING | {"happened_at": "noon"}), "$.happened_at: expected a date and time, got 'noon'"),
        (
            body_of(JOB_COMPLETED | {"job": {"id": "j", "number": "1", "status": 2}}),
            "$.job.number: expected an integer, got '1'; $.job.status: expected a string, got 2",
        ),
    ],
)
def test_an_invalid_event_is_an_error_with_every_fault(body: bytes, fault: str) -> None:
    with pytest.raises(ca.DecodeError) as raised:
        parse(body)
    assert fault in str(raised.value)
    assert str(raised.value).startswith("the webhook's body cannot be decoded: ")


def test_the_signature_is_checked_before_the_body() -> None:
    with pytest.raises(ca.DecodeError):
        unwrap(b"{", signed(b"{"), SECRET)
    with pytest.raises(ca.SignatureError):
        unwrap(b"{", signed(b"["), SECRET)


def test_events_can_be_compared_copied_and_pickled() -> None:
    event = parse(body_of(JOB_COMPLETED))
    assert event == parse(body_of(JOB_COMPLETED))
    assert len({event, parse(body_of(JOB_COMPLETED)), parse(body_of(PING))}) == 2
    assert "9e2e4bed" in repr(event)
    assert "raw" not in repr(event)
    plain = ca.to_dict(event)
    assert plain["job"]["status"] == "success"
    assert plain["raw"] == JOB_COMPLETED
    assert json.loads(ca.to_json(event)) == plain
    with pytest.raises(AttributeError):
        event.id = "another"  # type: ignore[misc]  # this is the point


WORDS = st.text(max_size=6)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.just("id"), inner, max_size=3),
    max_leaves=8,
)
PARTS = ["webhook", "project", "organization", "pipeline", "workflow", "job", "happened_at", "raw", "new"]


@given(body=st.binary() | ANYTHING.map(body_of))
def test_any_body_is_an_event_or_a_decode_error(body: bytes) -> None:
    try:
        event = parse(body)
    except ca.DecodeError:
        return
    assert event.raw == json.loads(body)


@given(st.dictionaries(st.sampled_from(PARTS), ANYTHING), st.sampled_from(["new", "", "Ping", "workflow-started"]))
def test_an_event_of_an_unknown_type_is_accepted_with_any_parts(parts: dict[str, Any], type: str) -> None:
    payload = parts | {"id": "e", "type": type}
    event = parse(body_of(payload))
    assert (event.id, event.type, event.raw) == ("e", type, payload)
