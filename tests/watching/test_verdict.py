"""What is the end of a pipeline and what is not, by what is known of it."""

from typing import Any

import pytest

from circleci_async import NotFound, Pipeline, Workflow
from circleci_async.models.newest_workflows import newest_of_each_name
from circleci_async.watching.arguments import OnHold
from circleci_async.watching.results import outcome_of, worst
from circleci_async.watching.snapshot import Snapshot
from circleci_async.watching.verdict import Sight, Verdict, of_pipeline, of_workflow
from tests.watching.builds import job, pipeline, workflow


def judged(
    *workflows: Workflow,
    of: Pipeline | None = None,
    looks: int = 2,
    after: float = 100,
    on_hold: OnHold = "return",
    **more: Any,
) -> Verdict:
    """The verdict on a pipeline that has stood like this for `after` seconds."""
    snapshot = Snapshot(of or pipeline(), workflows)
    sight = Sight(snapshot, at=1000 + after, since=1000, looks=looks, **more)
    return of_pipeline(sight, grace=30, on_hold=on_hold, confirm_within=2)


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
def test_the_worst_workflow_counts(statuses: list[str], outcome: str) -> None:
    for order in (statuses, statuses[::-1]):
        verdict = judged(*(workflow(f"w{number}", status) for number, status in enumerate(order)))
        assert (verdict.outcome, verdict.is_final) == (outcome, True)


@pytest.mark.parametrize("status", ["running", "failing", "queued", "levitating", None])
def test_a_workflow_that_goes_on_or_that_nobody_has_heard_of_is_not_the_end(status: str | None) -> None:
    verdict = judged(workflow("done", "failed"), workflow("other", status))
    assert (verdict.outcome, verdict.is_final, verdict.look_within) == ("running", False, None)


def test_of_each_name_the_newest_workflow_counts_however_they_are_listed() -> None:
    first, again = workflow("build", "failed", id="1", begun=0), workflow("build", "success", id="2", begun=60)
    for order in ((first, again), (again, first)):
        assert judged(*order).outcome == "success"
        assert newest_of_each_name(order) == (again,)


def test_a_rerun_that_goes_on_is_waited_for() -> None:
    verdict = judged(workflow("build", "failed", id="1"), workflow("build", "running", id="2", begun=60))
    assert not verdict.is_final


def test_what_looks_like_the_end_must_be_seen_twice() -> None:
    once = judged(workflow("build", "success"), looks=1)
    assert (once.is_final, once.look_within) == (False, 2)
    assert judged(workflow("build", "success"), looks=2).is_final


def test_one_look_is_enough_if_webhooks_have_said_so() -> None:
    assert judged(workflow("build", "success"), looks=1, is_sure=True).is_final
    assert not judged(workflow("build", "success"), looks=0, is_sure=True).is_final


@pytest.mark.parametrize(
    ("jobs", "status", "after", "is_final"),
    [
        (True, "running", 5, False),
        (True, "running", 31, True),
        (True, "canceled", 5, True),
        (False, "running", 5, True),
    ],
)
def test_a_job_that_runs_on_after_its_workflow_is_given_time_if_anybody_wants_to_know(
    jobs: bool, status: str, after: float, is_final: bool
) -> None:
    ended = workflow("build", "canceled")
    snapshot = Snapshot(pipeline(), (ended,), {ended.id: (job("test", status), job("deploy", "blocked"))})
    sight = Sight(snapshot, at=1000 + after, since=1000, looks=9)
    verdict = of_pipeline(sight, grace=30, on_hold="return", confirm_within=2, jobs=jobs)
    assert (verdict.outcome, verdict.is_final) == ("canceled", is_final)


def test_a_pipeline_without_workflows_is_not_run_when_the_grace_is_over() -> None:
    early = judged(after=25)
    assert (early.outcome, early.is_final, early.look_within) == ("running", False, 5)
    late = judged(after=30)
    assert (late.outcome, late.is_final) == ("not_run", True)


def test_a_pipeline_that_is_still_being_created_gets_no_more_time_than_that() -> None:
    assert not judged(of=pipeline("pending"), after=29).is_final
    assert judged(of=pipeline("pending"), after=30).outcome == "not_run"


def test_an_errored_pipeline_has_ended_at_once() -> None:
    verdict = judged(of=pipeline("errored"), looks=1, after=0)
    assert (verdict.outcome, verdict.is_final) == ("errored", True)


def test_an_errored_pipeline_whose_setup_still_runs_has_not_ended() -> None:
    assert not judged(workflow("setup", "running", setup=True), of=pipeline("errored")).is_final


@pytest.mark.parametrize("state", ["created", "setup", "something-new"])
def test_after_a_setup_that_succeeded_other_workflows_are_waited_for(state: str) -> None:
    setup = workflow("setup", "success", setup=True)
    early = judged(setup, of=pipeline(state), after=10)
    assert (early.is_final, early.look_within) == (False, 20)
    late = judged(setup, of=pipeline(state), after=30)
    assert (late.outcome, late.is_final) == ("success", True)
    assert judged(setup, workflow("build", "success", begun=60), after=0).is_final


def test_after_a_setup_that_failed_nothing_is_waited_for() -> None:
    verdict = judged(workflow("setup", "failed", setup=True), of=pipeline("setup"), after=0)
    assert (verdict.outcome, verdict.is_final) == ("failed", True)


def test_on_hold_is_the_end_unless_it_is_to_be_waited_for() -> None:
    assert judged(workflow("deploy", "on_hold")).outcome == "on_hold"
    assert judged(workflow("deploy", "on_hold")).is_final
    assert not judged(workflow("deploy", "on_hold"), workflow("build", "running")).is_final
    assert not judged(workflow("deploy", "on_hold"), on_hold="wait").is_final
    assert not judged(workflow("deploy", "on_hold"), workflow("build", "failed"), on_hold="wait").is_final


def test_what_is_missing_may_come_until_the_grace_is_over() -> None:
    for judge in (of_pipeline, of_workflow):
        gone = NotFound(404, "Pipeline not found")
        early = Sight(Snapshot(), at=10, since=0, looks=0, missing=gone)
        late = Sight(Snapshot(), at=30, since=0, looks=0, missing=gone)
        verdict = judge(early, grace=30, on_hold="return", confirm_within=2)
        assert (verdict.is_final, verdict.error, verdict.look_within) == (False, None, 20)
        assert judge(late, grace=30, on_hold="return", confirm_within=2).error is gone


@pytest.mark.parametrize(
    ("status", "outcome"), [("success", "success"), ("error", "errored"), ("on_hold", "on_hold"), ("odd", "running")]
)
def test_a_workflow_alone_is_judged_by_itself(status: str, outcome: str) -> None:
    sight = Sight(Snapshot(None, (workflow("build", status),)), at=9, since=0, looks=2)
    verdict = of_workflow(sight, grace=30, on_hold="return", confirm_within=2)
    assert (verdict.outcome, verdict.is_final) == (outcome, outcome != "running")
    assert outcome_of(workflow("build", status)) == outcome


def test_the_worst_of_nothing_is_not_run() -> None:
    assert worst([]) == "not_run"
