"""Open enums accept unknown values."""

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_async.models.jobs import JobStatus
from circleci_async.models.pipelines import PipelineState
from circleci_async.models.workflows import WorkflowStatus


@given(st.text())
def test_any_string_is_a_value(text: str) -> None:
    word = WorkflowStatus(text)
    assert isinstance(word, WorkflowStatus)
    assert word == text == word.value == str(word)
    assert hash(word) == hash(text)
    assert word.is_known == (text in list(WorkflowStatus))


@given(st.text(), st.sampled_from(range(pickle.HIGHEST_PROTOCOL + 1)))
def test_a_value_survives_copying_and_pickling(text: str, protocol: int) -> None:
    word = WorkflowStatus(text)
    for twin in (copy.copy(word), copy.deepcopy(word), pickle.loads(pickle.dumps(word, protocol))):
        assert type(twin) is WorkflowStatus
        assert twin == word
        assert twin.is_known == word.is_known


def test_a_known_value_is_a_member() -> None:
    assert PipelineState("setup-pending") is PipelineState.SETUP_PENDING
    assert PipelineState.SETUP_PENDING.is_known


def test_the_name_of_a_member_is_not_its_value() -> None:
    assert not WorkflowStatus("SUCCESS").is_known
    assert WorkflowStatus("SUCCESS") != WorkflowStatus.SUCCESS


def test_an_unknown_value_does_not_become_a_member() -> None:
    before = list(WorkflowStatus)
    first, second = WorkflowStatus("never"), WorkflowStatus("never")
    assert first is not second
    assert list(WorkflowStatus) == before
    assert {first, second} == {"never"}


def test_the_repr_of_an_unknown_value() -> None:
    assert repr(WorkflowStatus("never")) == "<WorkflowStatus.never: 'never'>"
    assert f"{WorkflowStatus('never')}" == "never"
    assert json.dumps(WorkflowStatus("never")) == '"never"'


@pytest.mark.parametrize("value", [5, None, b"success", ["success"]])
def test_a_value_must_be_a_string(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a valid WorkflowStatus"):
        WorkflowStatus(value)


def test_final_statuses_of_a_workflow() -> None:
    moving = {WorkflowStatus.FAILING, WorkflowStatus.ON_HOLD, WorkflowStatus.QUEUED, WorkflowStatus.RUNNING}
    assert {status for status in WorkflowStatus if not status.is_finished} == moving
    assert not WorkflowStatus("never").is_finished


def test_final_statuses_of_a_job() -> None:
    moving = {JobStatus.BLOCKED, JobStatus.NOT_RUNNING, JobStatus.ON_HOLD, JobStatus.QUEUED, JobStatus.RUNNING}
    assert {status for status in JobStatus if not status.is_finished} == moving
    assert not JobStatus("never").is_finished
