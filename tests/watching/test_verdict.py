"""Whether a pipeline or a workflow has ended, according to the polls so far."""

from typing import Any

import pytest

from circleci_async import NotFound
from circleci_async.models import Pipeline, Workflow
from circleci_async.models.newest_workflows import newest_of_each_name
from circleci_async.watching.arguments import OnHold
from circleci_async.watching.results import outcome_of, worst
from circleci_async.watching.snapshot import Snapshot
from circleci_async.watching.verdict import PollResult, Verdict, pipeline_verdict, workflow_verdict
from tests.watching.builds import job, pipeline, workflow


def verdict_of(
    *workflows: Workflow,
    of: Pipeline | None = None,
    polls: int = 2,
    after: float = 100,
    on_hold: OnHold = "return",
    **more: Any,
) -> Verdict:
    """Return the verdict on a pipeline that has been in this state for `after` seconds."""
    snapshot = Snapshot(of or pipeline(), workflows)
    result = PollResult(snapshot, at=1000 + after, since=1000, polls=polls, **more)
    return pipeline_verdict(result, grace=30, on_hold=on_hold, confirm_within=2)


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        (["success"], "success"),
        (["success", "success"], "success"),
        (["success", "not_run"], "not_run"),
        (["not_run", "on_hold"], "on_hold"),
        (["on_hold", "canceled"], "canceled"),
        (["canceled", "unauthorized"], "unauthorized"),
        (["unauthorized", "failed"], "failed"),
        (["failed", "error"], "errored"),
        (["error", "success"], "errored"),
    ],
)
def test_the_worst_workflow_decides(statuses: list[str], outcome: str) -> None:
    for order in (statuses, statuses[::-1]):
        verdict = verdict_of(*(workflow(f"w{number}", status) for number, status in enumerate(order)))
        assert (verdict.outcome, verdict.is_final) == (outcome, True)


@pytest.mark.parametrize("status", ["running", "failing", "queued", "levitating", None])
def test_a_running_workflow_or_an_unknown_status_is_not_the_end(status: str | None) -> None:
    verdict = verdict_of(workflow("done", "failed"), workflow("other", status))
    assert (verdict.outcome, verdict.is_final, verdict.poll_within) == ("running", False, None)


def test_the_newest_workflow_of_each_name_counts() -> None:
    first, again = workflow("build", "failed", id="1", begun=0), workflow("build", "success", id="2", begun=60)
    for order in ((first, again), (again, first)):
        assert verdict_of(*order).outcome == "success"
        assert newest_of_each_name(order) == (again,)


def test_a_running_rerun_is_waited_for() -> None:
    verdict = verdict_of(workflow("build", "failed", id="1"), workflow("build", "running", id="2", begun=60))
    assert not verdict.is_final


def test_a_final_state_is_confirmed_by_a_second_poll() -> None:
    once = verdict_of(workflow("build", "success"), polls=1)
    assert (once.is_final, once.poll_within) == (False, 2)
    assert verdict_of(workflow("build", "success"), polls=2).is_final


def test_one_poll_is_enough_if_webhook_events_report_the_end() -> None:
    assert verdict_of(workflow("build", "success"), polls=1, is_certain=True).is_final
    assert not verdict_of(workflow("build", "success"), polls=0, is_certain=True).is_final


@pytest.mark.parametrize(
    ("jobs", "status", "after", "is_final"),
    [
        (True, "running", 5, False),
        (True, "running", 31, True),
        (True, "canceled", 5, True),
        (False, "running", 5, True),
    ],
)
def test_jobs_that_outlive_their_workflow_get_the_grace_if_jobs_are_watched(
    jobs: bool, status: str, after: float, is_final: bool
) -> None:
    ended = workflow("build", "canceled")
    snapshot = Snapshot(pipeline(), (ended,), {ended.id: (job("test", status), job("deploy", "blocked"))})
    result = PollResult(snapshot, at=1000 + after, since=1000, polls=9)
    verdict = pipeline_verdict(result, grace=30, on_hold="return", confirm_within=2, jobs=jobs)
    assert (verdict.outcome, verdict.is_final) == ("canceled", is_final)


def test_a_pipeline_without_workflows_is_not_run_after_the_grace() -> None:
    early = verdict_of(after=25)
    assert (early.outcome, early.is_final, early.poll_within) == ("running", False, 5)
    late = verdict_of(after=30)
    assert (late.outcome, late.is_final) == ("not_run", True)


def test_a_pipeline_in_creation_gets_no_more_than_the_grace() -> None:
    assert not verdict_of(of=pipeline("pending"), after=29).is_final
    assert verdict_of(of=pipeline("pending"), after=30).outcome == "not_run"


def test_an_errored_pipeline_has_ended() -> None:
    verdict = verdict_of(of=pipeline("errored"), polls=1, after=0)
    assert (verdict.outcome, verdict.is_final) == ("errored", True)


def test_an_errored_pipeline_with_a_running_setup_has_not_ended() -> None:
    assert not verdict_of(workflow("setup", "running", setup=True), of=pipeline("errored")).is_final


@pytest.mark.parametrize("state", ["created", "setup", "something-new"])
def test_a_successful_setup_is_followed_by_other_workflows_within_the_grace(state: str) -> None:
    setup = workflow("setup", "success", setup=True)
    early = verdict_of(setup, of=pipeline(state), after=10)
    assert (early.is_final, early.poll_within) == (False, 20)
    late = verdict_of(setup, of=pipeline(state), after=30)
    assert (late.outcome, late.is_final) == ("success", True)
    assert verdict_of(setup, workflow("build", "success", begun=60), after=0).is_final


def test_nothing_follows_a_failed_setup() -> None:
    verdict = verdict_of(workflow("setup", "failed", setup=True), of=pipeline("setup"), after=0)
    assert (verdict.outcome, verdict.is_final) == ("failed", True)


def test_on_hold_is_the_end_unless_the_caller_waits_for_approvals() -> None:
    assert verdict_of(workflow("deploy", "on_hold")).outcome == "on_hold"
    assert verdict_of(workflow("deploy", "on_hold")).is_final
    assert not verdict_of(workflow("deploy", "on_hold"), workflow("build", "running")).is_final
    assert not verdict_of(workflow("deploy", "on_hold"), on_hold="wait").is_final
    assert not verdict_of(workflow("deploy", "on_hold"), workflow("build", "failed"), on_hold="wait").is_final


def test_a_missing_pipeline_or_workflow_is_an_error_after_the_grace() -> None:
    for evaluate in (pipeline_verdict, workflow_verdict):
        gone = NotFound(404, "Pipeline not found")
        early = PollResult(Snapshot(), at=10, since=0, polls=0, missing=gone)
        late = PollResult(Snapshot(), at=30, since=0, polls=0, missing=gone)
        verdict = evaluate(early, grace=30, on_hold="return", confirm_within=2)
        assert (verdict.is_final, verdict.error, verdict.poll_within) == (False, None, 20)
        assert evaluate(late, grace=30, on_hold="return", confirm_within=2).error is gone


@pytest.mark.parametrize(
    ("status", "outcome"), [("success", "success"), ("error", "errored"), ("on_hold", "on_hold"), ("odd", "running")]
)
def test_the_verdict_on_a_workflow_depends_on_its_status(status: str, outcome: str) -> None:
    result = PollResult(Snapshot(None, (workflow("build", status),)), at=9, since=0, polls=2)
    verdict = workflow_verdict(result, grace=30, on_hold="return", confirm_within=2)
    assert (verdict.outcome, verdict.is_final) == (outcome, outcome != "running")
    assert outcome_of(workflow("build", status)) == outcome


def test_no_workflows_at_all_are_not_run() -> None:
    assert worst([]) == "not_run"
