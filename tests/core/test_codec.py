"""Decoding bytes into models, or an error that names the first faults; encoding models as plain data."""

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import PurePosixPath
from typing import Any, cast, get_args, get_origin

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_async.core.codec import decode, decode_page, loads, structure, to_dict, to_json
from circleci_async.core.error_bodies import MAX_BODY
from circleci_async.errors import MAX_FAULTS, DecodeError
from circleci_async.models.artifacts import Artifact
from circleci_async.models.insights import DurationMetrics, JobMetricsValues, TestMetric
from circleci_async.models.jobs import JobDetails
from circleci_async.models.pipelines import (
    Actor,
    Pipeline,
    PipelineCommit,
    PipelineConfig,
    PipelineState,
    PipelineTrigger,
    TriggerType,
)
from circleci_async.models.users import Collaboration, User
from circleci_async.models.workflows import Workflow, WorkflowJob, WorkflowStatus
from circleci_async.untrusted_text import MAX_SHOWN
from tests.models.spec import MODELS, Json, example

WHO: dict[str, Any] = {"method": "GET", "url": "https://circleci.com/api/v2/me"}


def body(value: Json) -> bytes:
    return json.dumps(value).encode()


def faults(kind: Any, raw: bytes) -> tuple[str, ...]:
    with pytest.raises(DecodeError) as caught:
        decode(kind, raw, **WHO)
    assert caught.value.method == "GET"
    assert caught.value.url == WHO["url"]
    assert caught.value.body == raw[:MAX_BODY].decode(errors="replace")
    return caught.value.faults


# Faults.


def test_every_fault_of_a_page_is_named() -> None:
    items = [example("getPipelineById") for _ in range(6)]
    items[1]["trigger"]["type"] = None
    del items[2]["id"]
    items[3]["created_at"] = "yesterday"
    items[4]["vcs"] = ["main"]
    items[5]["errors"] = [{"type": "config"}]
    with pytest.raises(DecodeError) as caught:
        decode_page(Pipeline, body({"items": items, "next_page_token": 7}), method="GET", url="https://host/pipelines")
    assert caught.value.faults == (
        "$.items[1].trigger.type: expected a string, got null",
        "$.items[2].id: required, but absent",
        "$.items[3].created_at: expected a date and time, got 'yesterday'",
        "$.items[4].vcs: expected an object, got a list",
        "$.items[5].errors[0].message: required, but absent",
        "$.next_page_token: expected a string, got 7",
    )
    assert str(caught.value).startswith(
        "the response to GET https://host/pipelines cannot be decoded: $.items[1].trigger."
    )


def test_null_never_becomes_the_string_none() -> None:
    assert faults(User, b'{"id": null, "login": "octo"}') == ("$.id: expected a string, got null",)


def test_true_is_not_a_number() -> None:
    assert faults(Artifact, b'{"path": "a", "url": "b", "node_index": true}') == (
        "$.node_index: expected an integer, got true",
    )


def test_a_number_is_not_a_boolean() -> None:
    raw = body(example("getProjectWorkflowTestMetrics")["slowest_tests"][0] | {"flaky": 0})
    assert faults(TestMetric, raw) == ("$.flaky: expected true or false, got 0",)


def test_a_value_that_the_class_rejects_is_a_fault() -> None:
    @attrs.frozen(kw_only=True)
    class Even:
        number: int = attrs.field(validator=lambda _, __, number: _refuse_odd(number))

    def _refuse_odd(number: int) -> None:
        if number % 2:
            raise ValueError(f"{number} is odd")

    assert decode(Even, b'{"number": 2}') == Even(number=2)
    assert faults(Even, b'{"number": 3}') == ("$: invalid (ValueError)",)


def test_a_number_is_not_a_string() -> None:
    assert faults(User, b'{"id": 7, "login": 7.5}') == (
        "$.id: expected a string, got 7",
        "$.login: expected a string, got 7.5",
    )


@pytest.mark.parametrize("raw", [b'"body"', b'["body"]', b'""', b"[]", b"null", b"1", b"true"])
@pytest.mark.parametrize("kind", [DurationMetrics, PipelineCommit])
def test_a_model_without_required_fields_still_requires_an_object(kind: Any, raw: bytes) -> None:
    (fault,) = faults(kind, raw)
    assert fault.startswith("$: expected an object, got ")


def test_a_list_is_not_an_object() -> None:
    assert faults(list[Collaboration], b'{"message": "no"}') == ("$: expected a list, got an object",)
    assert faults(list[Collaboration], b'[{"name": "acme"}]') == ("$[0].vcs_type: required, but absent",)


def test_a_long_value_is_clipped() -> None:
    long = "x" * 10_000
    (fault,) = faults(PipelineTrigger, body({"type": "api", "received_at": long}))
    assert fault == f"$.received_at: expected a date and time, got '{'x' * 79}…'"
    (fault,) = faults(User, b'{"login": "octo", "id": ' + b"9" * 1000 + b"}")
    assert fault == f"$.id: expected a string, got {'9' * 80}…"


def test_a_string_of_eighty_characters_is_not_clipped() -> None:
    (fault,) = faults(PipelineTrigger, body({"type": "api", "received_at": "x" * 80}))
    assert fault == f"$.received_at: expected a date and time, got '{'x' * 80}'"


def test_the_traceback_shows_nothing_of_the_converters() -> None:
    with pytest.raises(DecodeError) as caught:
        decode(User, b'{"login": "octo"}')
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


# Many faults.


def test_the_first_faults_of_a_large_body_are_named() -> None:
    raw = body({"items": [{"login": n} for n in range(20_000)]})
    with pytest.raises(DecodeError) as caught:
        decode_page(User, raw, method="GET", url="https://circleci.com/api/v2/x")
    error = caught.value
    assert error.faults[:3] == (
        "$.items[0].id: required, but absent",
        "$.items[0].login: expected a string, got 0",
        "$.items[1].id: required, but absent",
    )
    assert len(error.faults) == MAX_FAULTS == 10
    assert error.message == "; ".join(error.faults) + "; and more faults"
    assert str(error) == f"the response to GET https://circleci.com/api/v2/x cannot be decoded: {error.message}"
    assert len(error.body) == MAX_BODY


def test_the_first_faults_of_a_map_are_named() -> None:
    raw = body({str(n): {"login": "octo"} for n in range(50)})
    with pytest.raises(DecodeError) as caught:
        decode(cast(Any, dict[str, User]), raw)
    assert caught.value.faults == tuple(f"$['{n}'].id: required, but absent" for n in range(10))


def test_the_faults_of_a_large_body_need_little_memory() -> None:
    raw = body([{"login": 7}] * 5_000)
    with pytest.raises(DecodeError):
        decode(list[User], raw)  # compiles the hooks
    data = json.loads(raw)
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            structure(list[User], data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


# Invalid JSON.


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"<html>502 Bad Gateway</html>", "not JSON: '<html>502 Bad Gateway</html>' (Expecting "),
        (b'{"id": "1", "login": ', 'not JSON: \'{"id": "1", "login": \' (Expecting '),
        (b'{"id": "\xff"}', 'not JSON: \'{"id": "\ufffd"}\' (not UTF-8 at byte 8)'),
        (b'{"id": NaN}', "not JSON: '{\"id\": NaN}' (NaN is not a number)"),
        (b'{"id": -Infinity}', "not JSON: '{\"id\": -Infinity}' (-Infinity is not a number)"),
        (b"[" * 100_000, f"not JSON: '{'[' * 79}…' (nested too deeply)"),
    ],
)
def test_invalid_json_is_shown_with_its_position(raw: bytes, fault: str) -> None:
    (found,) = faults(User, raw)
    assert found.startswith(fault)
    with pytest.raises(DecodeError) as caught:
        loads(raw)
    assert caught.value.faults == (found,)


def test_a_long_html_page_is_clipped() -> None:
    (fault,) = faults(User, b"<html>" + b"x" * 10_000)
    assert fault == f"not JSON: '<html>{'x' * 73}…' (Expecting value at line 1, column 1)"


def test_a_number_with_too_many_digits_is_rejected() -> None:
    (fault,) = faults(User, b"9" * 5_000)
    assert fault.startswith(f"not JSON: '{'9' * 79}…' (Exceeds the limit (4300 digits)")


@pytest.mark.parametrize("raw", [b"", b" \r\n"])
def test_an_empty_body_is_none_as_plain_data_and_a_fault_for_a_model(raw: bytes) -> None:
    assert loads(raw) is None
    with pytest.raises(DecodeError) as caught:
        decode(User, raw)
    assert caught.value.faults == ("the body is empty",)
    with pytest.raises(DecodeError, match="the body is empty"):
        decode_page(User, raw)


def test_plain_data_is_what_the_server_sent() -> None:
    assert loads(b'{"a-b": [1, 2.5, null, "\xc3\xa9"]}') == {"a-b": [1, 2.5, None, "é"]}
    assert decode(dict[str, Any], b'{"a-b": {"c-d": 1}}') == {"a-b": {"c-d": 1}}
    assert faults(dict[str, Any], b"[]") == ("$: expected an object, got a list",)


def test_an_undecodable_type_is_not_reported_as_a_fault_of_the_server() -> None:
    with pytest.raises(Exception, match="Unsupported type") as caught:
        decode(complex, b"{}")
    assert not isinstance(caught.value, DecodeError)


# Pages.


@pytest.mark.parametrize("end", [{"next_page_token": None}, {"next_page_token": ""}, {}])
def test_a_page_without_a_token_is_the_last(end: dict[str, Any]) -> None:
    assert decode_page(User, body({"items": [], **end})) == ((), None)


@pytest.mark.parametrize("spelling", ["next_page_token", "next-page-token"])
def test_a_page_has_items_and_the_token_of_the_next_page(spelling: str) -> None:
    items, token = decode_page(User, body({"items": [{"id": "1", "login": "octo"}], spelling: "abc"}))
    assert items == (User(id="1", login="octo"),)
    assert token == "abc"


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ({"next_page_token": None}, "$.items: required, but absent"),
        ({"items": None}, "$.items: expected a list, got null"),
        ({"items": {}}, "$.items: expected a list, got an object"),
        ({"items": [], "next_page_token": 5}, "$.next_page_token: expected a string, got 5"),
        ([], "$: expected an object, got a list"),
        ("items", "$: expected an object, got 'items'"),
    ],
)
def test_an_invalid_page_is_rejected(page: Json, fault: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_page(User, body(page))
    assert caught.value.faults == (fault,)


# Numbers and dates.


def test_an_integer_may_be_written_as_a_float() -> None:
    artifact = decode(Artifact, b'{"path": "a", "url": "b", "node_index": 3.0}')
    assert artifact.node_index == 3
    assert type(artifact.node_index) is int


def test_a_float_may_be_written_as_an_integer() -> None:
    job = decode(JobMetricsValues, body(example("getProjectWorkflowJobMetrics")["metrics"] | {"throughput": 2}))
    assert job.throughput == 2.0
    assert type(job.throughput) is float


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"1" + b"0" * 400])
def test_a_number_beyond_the_range_of_floats_is_rejected(number: bytes) -> None:
    raw = body(example("getProjectWorkflowTestMetrics")["slowest_tests"][0] | {"p95_duration": "?"})
    (fault,) = faults(TestMetric, raw.replace(b'"?"', number))
    assert fault.startswith("$.p95_duration: expected a number, got ")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2020-01-10T19:45:58.517Z", datetime(2020, 1, 10, 19, 45, 58, 517_000, tzinfo=UTC)),
        ("2020-01-10T19:45:58Z", datetime(2020, 1, 10, 19, 45, 58, tzinfo=UTC)),
        ("2020-01-10T19:45:58.123456789Z", datetime(2020, 1, 10, 19, 45, 58, 123_456, tzinfo=UTC)),
        ("2020-01-10T19:45:58", datetime(2020, 1, 10, 19, 45, 58, tzinfo=UTC)),
        ("2020-01-10T21:45:58+02:00", datetime(2020, 1, 10, 19, 45, 58, tzinfo=UTC)),
    ],
)
def test_decoded_datetimes_are_aware(text: str, moment: datetime) -> None:
    received = decode(PipelineTrigger, body({"type": "api", "received_at": text})).received_at
    assert received == moment
    assert received.tzinfo is not None


# Unknown keys and enum values.


def test_unknown_fields_are_ignored() -> None:
    raw = b'{"id": "1", "login": "octo", "new": {"deep": [1]}, "new-er": 2}'
    assert decode(User, raw) == User(id="1", login="octo")


@pytest.mark.parametrize("operation", sorted(MODELS))
def test_hyphens_and_underscores_in_keys_are_equal(operation: str) -> None:
    def hyphened(value: Json, kind: Any) -> Json:
        is_map = get_origin(kind) in (dict, Mapping) and any(map(attrs.has, get_args(kind)))
        kind = next((part for part in get_args(kind) if attrs.has(part)), kind)
        if isinstance(value, list):
            return [hyphened(item, kind) for item in value]
        if is_map:
            return {key: hyphened(item, kind) for key, item in value.items()}
        if isinstance(value, dict) and attrs.has(kind):
            types = {field.name: field.type for field in attrs.fields(kind)}
            return {key.replace("_", "-"): hyphened(item, types[key.replace("-", "_")]) for key, item in value.items()}
        return value

    usual = example(operation)
    kind = MODELS[operation]
    assert decode(kind, body(hyphened(usual, kind))) == decode(kind, body(usual))


def test_the_spelling_with_an_underscore_takes_precedence() -> None:
    raw = b'{"source": "a", "compiled": "b", "setup_config": "right", "setup-config": "wrong"}'
    assert decode(PipelineConfig, raw).setup_config == "right"


def test_a_fault_names_the_field_in_either_spelling() -> None:
    assert faults(Collaboration, b'{"name": "acme", "vcs-type": null}') == ("$.vcs_type: expected a string, got null",)


def test_free_maps_are_unchanged() -> None:
    parameters = {"a-b": 1, "a_b": {"c-d": [None, {"e-f": 1.5}]}, "created-at": "2020-01-10T19:45:58Z"}
    given = example("getPipelineById") | {"trigger-parameters": parameters}
    given.pop("trigger_parameters", None)
    pipeline = decode(Pipeline, body(given))
    assert pipeline.trigger_parameters == parameters
    assert to_dict(pipeline)["trigger_parameters"] == parameters


@pytest.mark.parametrize(("value", "said"), [([], "a list"), ([["a", 1]], "a list"), ("", "''"), (1, "1")])
def test_a_free_map_must_be_an_object(value: Json, said: str) -> None:
    raw = body(example("getPipelineById") | {"trigger_parameters": value})
    assert faults(Pipeline, raw) == (f"$.trigger_parameters: expected an object, got {said}",)


@attrs.frozen(kw_only=True)
class Bundle:
    """A model with maps of typed values."""

    documents: Mapping[str, Artifact]
    labels: Mapping[str, str]


def test_map_values_are_decoded_and_keys_kept() -> None:
    raw = b'{"documents": {"a-b": {"path": "x", "node-index": 1, "url": "u"}}, "labels": {"c-d": "e"}}'
    assert decode(Bundle, raw) == Bundle(
        documents={"a-b": Artifact(path="x", node_index=1, url="u")}, labels={"c-d": "e"}
    )
    assert decode(dict[str, Artifact], b"{}") == {}


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b'{"documents": [], "labels": {}}', "$.documents: expected an object, got a list"),
        (b'{"documents": {}, "labels": {"a.b": null}}', "$.labels['a.b']: expected a string, got null"),
        (
            b'{"documents": {"it\'s": {"path": 1, "node_index": 0, "url": ""}}, "labels": {}}',
            '$.documents["it\'s"].path: expected a string, got 1',
        ),
    ],
    ids=["no map", "a value", "a model"],
)
def test_a_fault_in_a_map_names_the_key(raw: bytes, fault: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(Bundle, raw)
    assert caught.value.faults == (fault,)


def test_a_long_key_is_clipped() -> None:
    with pytest.raises(DecodeError) as caught:
        decode(dict[str, Artifact], json.dumps({"k" * 1000: 1}).encode())
    assert len(caught.value.faults[0]) <= MAX_SHOWN


def test_models_with_free_maps_are_hashable() -> None:
    pipeline = decode(Pipeline, body(example("getPipelineById") | {"trigger_parameters": {"git": {"branch": "main"}}}))
    job = decode(WorkflowJob, body(example("listWorkflowJobs") | {"requires": {"1": ["success"]}}))
    assert len({pipeline, pipeline, job}) == 2
    assert pipeline != attrs.evolve(pipeline, trigger_parameters={})


def test_unknown_enum_values_survive_a_round_trip() -> None:
    given = example("getWorkflowById") | {"status": "never", "tag": ""}
    workflow = decode(Workflow, body(given))
    assert workflow.status == "never"
    assert isinstance(workflow.status, WorkflowStatus)
    assert not workflow.status.is_known
    assert workflow.tag == ""
    assert to_dict(workflow)["status"] == "never"
    assert decode(Workflow, to_json(workflow).encode()) == workflow


def test_known_enum_values_are_members() -> None:
    assert decode(Workflow, body(example("getWorkflowById") | {"status": "queued"})).status is WorkflowStatus.QUEUED


def test_the_last_of_two_equal_keys_counts() -> None:
    assert decode(User, b'{"id": "1", "id": "2", "login": "octo"}').id == "2"


# Plain data.

RECEIVED = datetime(2020, 1, 10, tzinfo=UTC)
TRIGGER = PipelineTrigger(type=TriggerType.API, received_at=RECEIVED, actor=Actor(login="octo"))


def test_a_model_is_converted_to_a_dict_of_all_fields() -> None:
    assert to_dict(TRIGGER) == {
        "type": "api",
        "received_at": "2020-01-10T00:00:00Z",
        "actor": {"login": "octo", "avatar_url": None},
    }
    assert type(to_dict(TRIGGER)["type"]) is str


def test_models_in_collections_are_converted() -> None:
    once = to_dict(TRIGGER)
    assert to_dict([TRIGGER, (TRIGGER,)]) == [once, [once]]
    assert to_dict({"a": TRIGGER, "b": [PipelineState.SETUP]}) == {"a": once, "b": ["setup"]}


@pytest.mark.parametrize("value", [None, True, 3, 2.5, "text", [], {"a-b": [1, None]}])
def test_plain_values_are_unchanged(value: Json) -> None:
    assert to_dict(value) == value
    assert json.loads(to_json(value)) == value


def test_paths_and_errors_become_strings_and_sets_lists() -> None:
    @attrs.frozen
    class Report:
        path: PurePosixPath
        seen: frozenset[int]
        failed: tuple[tuple[str, Exception], ...]

    report = Report(PurePosixPath("out/a.txt"), frozenset({1}), (("b.txt", ValueError("too long")),))
    assert to_dict(report) == {"path": "out/a.txt", "seen": [1], "failed": [["b.txt", "too long"]]}


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2020, 1, 10, 19, 45, 58, 517_000, tzinfo=UTC), "2020-01-10T19:45:58.517Z"),
        (datetime(2020, 1, 10, 19, 45, 58, tzinfo=UTC), "2020-01-10T19:45:58Z"),
        (datetime(2020, 1, 10, 19, 45, 58, 517_001, tzinfo=UTC), "2020-01-10T19:45:58.517001Z"),
        (datetime(2020, 1, 10, 19, 45, 58, tzinfo=timezone(timedelta(hours=2))), "2020-01-10T19:45:58+02:00"),
    ],
)
def test_datetimes_are_encoded_as_the_api_does(moment: datetime, text: str) -> None:
    assert to_dict(moment) == text


OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(timezones=OFFSETS))
def test_a_datetime_survives_a_round_trip(moment: datetime) -> None:
    trigger = attrs.evolve(TRIGGER, received_at=moment)
    assert decode(PipelineTrigger, to_json(trigger).encode()).received_at == moment


def test_to_json_is_one_line_of_ascii() -> None:
    text = to_json(User(id="1", login="octo", name="Zoë\n\ud800"))
    assert text.isascii()
    assert "\n" not in text
    assert decode(User, text.encode()).name == "Zoë\n\ud800"


# Imports and threads.


def test_the_codec_imports_no_models() -> None:
    code = "import sys, circleci_async.core.codec; print(*(name for name in sys.modules if '.models.' in name))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_many_threads_decode_a_class_for_the_first_time_at_once() -> None:
    @attrs.frozen(kw_only=True)
    class Fresh:
        job: JobDetails
        others: tuple[JobDetails, ...] = ()

    job = example("getJobDetails")
    raw = body({"job": job, "others": [job] * 20})
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: decode(Fresh, raw), range(32)))
    assert len(found[0].others) == 20
    assert all(each == found[0] for each in found)
