"""Which workflows of a pipeline count, whether all of them have been created, and whether they succeeded."""

from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from circleci_async.models import (
    Pipeline,
    PipelineState,
    PipelineTrigger,
    TriggerType,
    Workflow,
    WorkflowStatus,
    WorkflowTag,
)
from circleci_async.models.newest_workflows import expects_workflows, is_setup_finished, newest_of_each_name, succeeded

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def workflow(name: str, id: str, *, minute: int = 0, setup: bool = False) -> Workflow:
    created_at = START + timedelta(minutes=minute)
    return Workflow(id=id, name=name, created_at=created_at, tag=WorkflowTag.SETUP if setup else None)


def pipeline(state: str) -> Pipeline:
    trigger = PipelineTrigger(type=TriggerType.API, received_at=START)
    return Pipeline(
        id="p", number=7, project_slug="gh/acme/api", state=PipelineState(state), created_at=START, trigger=trigger
    )


def ids(*workflows: Workflow) -> list[str]:
    return [each.id for each in newest_of_each_name(workflows)]


def test_a_rerun_replaces_the_earlier_run_in_any_order() -> None:
    first, rerun = workflow("build", "1"), workflow("build", "2", minute=5)
    assert ids(first, rerun) == ids(rerun, first) == ["2"]


def test_of_workflows_created_at_the_same_time_the_first_listed_counts() -> None:
    assert ids(workflow("build", "1"), workflow("build", "2")) == ["1"]
    assert ids(workflow("build", "2"), workflow("build", "1")) == ["2"]


def test_each_name_counts_in_the_order_in_which_it_is_first_listed() -> None:
    workflows = [workflow("b", "1"), workflow("a", "2", minute=1), workflow("b", "3", minute=2), workflow("c", "4")]
    assert ids(*workflows) == ["3", "2", "4"]
    assert ids() == []


@pytest.mark.parametrize(
    ("state", "is_finished"),
    [
        ("pending", False),
        ("setup", False),
        ("setup-pending", False),
        ("created", True),
        ("errored", True),
        ("a state of the future", True),
    ],
)
def test_the_setup_is_finished_once_the_pipeline_has_left_its_first_states(state: str, is_finished: bool) -> None:
    assert is_setup_finished(pipeline(state)) is is_finished


def test_workflows_are_expected_while_there_is_only_the_setup_or_none() -> None:
    setup, build = workflow("setup", "1", setup=True), workflow("build", "2")
    assert expects_workflows(None, [])
    assert expects_workflows(pipeline("pending"), [build])
    assert expects_workflows(pipeline("created"), [])
    assert expects_workflows(pipeline("created"), [setup])
    assert not expects_workflows(pipeline("created"), [setup, build])
    assert not expects_workflows(pipeline("created"), [build])


@pytest.mark.parametrize(
    ("state", "statuses", "is_all", "expected"),
    [
        ("created", ["success", "success"], True, True),
        ("created", ["success", "failed"], True, False),
        ("created", ["success", None], True, False),
        ("created", [], True, False),
        ("errored", ["success"], True, False),
        ("errored", ["success"], False, True),
        ("setup", ["success"], True, False),
        ("setup", ["success"], False, True),
        ("setup", ["success", "success"], True, True),
    ],
)
def test_a_pipeline_succeeded_if_all_workflows_that_count_did(
    state: str, statuses: list[str | None], is_all: bool, expected: bool
) -> None:
    workflows = [
        evolve(workflow("build", str(number)), status=None if status is None else WorkflowStatus(status))
        for number, status in enumerate(statuses)
    ]
    assert succeeded(pipeline(state), workflows, is_all=is_all) is expected


@pytest.mark.parametrize(
    ("status", "expected"), [("success", True), ("failing", False), ("a status of the future", False), (None, False)]
)
def test_a_workflow_without_a_known_final_status_is_not_finished(status: str | None, expected: bool) -> None:
    known = None if status is None else WorkflowStatus(status)
    assert evolve(workflow("build", "1"), status=known).is_finished is expected
