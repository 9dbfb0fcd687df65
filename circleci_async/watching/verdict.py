"""Whether a pipeline, a workflow or a job has ended, according to the polls so far. No I/O and no clock."""

from collections.abc import Callable
from typing import TypeAlias

from attrs import frozen

from ..errors import NotFound
from ..models.newest_workflows import expects_workflows, newest_of_each_name
from ..models.pipelines import PipelineState
from .arguments import OnHold
from .results import Outcome, outcome_of, worst
from .snapshot import Snapshot


@frozen
class PollResult:
    """The state after one poll, or after one webhook event. Times are in seconds of the event loop's clock."""

    snapshot: Snapshot
    at: float
    since: float
    """When this state was first seen; of a missing pipeline or workflow, when it was first polled."""
    polls: int
    """Consecutive polls that have returned this state."""
    is_certain: bool = False
    """Whether webhook events have reported the end of everything that has ended."""
    missing: NotFound | None = None
    """The API's 404 response, if any: a new pipeline is missing for a short time."""


@frozen
class Verdict:
    """What a poll result means for one caller."""

    outcome: Outcome
    is_final: bool
    poll_within: float | None = None
    """Seconds within which the next poll is needed, if sooner than scheduled."""
    error: NotFound | None = None
    """The error that ends the wait: the pipeline, workflow or job does not exist."""


Evaluator: TypeAlias = Callable[[PollResult], Verdict]


def pipeline_verdict(
    result: PollResult, *, grace: float, on_hold: OnHold, confirm_within: float, jobs: bool = False
) -> Verdict:
    """Decide whether a pipeline has ended, by the newest workflow of each name.

    - `grace`: seconds for which it may have no workflows, or only its setup; with `jobs`, also seconds for which jobs
      may still run in workflows that have ended.
    - `confirm_within`: seconds after which a final state is polled once more. Between two jobs, a workflow can look as
      if it had ended.
    """
    if result.missing:
        return _missing(result, grace)
    pipeline, workflows = result.snapshot.pipeline, newest_of_each_name(result.snapshot.workflows)
    outcomes = [outcome_of(each) for each in workflows]
    outcome = worst(outcomes)
    if outcome == Outcome.RUNNING or (on_hold == "wait" and Outcome.ON_HOLD in outcomes):
        return Verdict(outcome, is_final=False)
    if pipeline is not None and pipeline.state == PipelineState.ERRORED:
        return Verdict(Outcome.ERRORED, is_final=True)
    if outcome in {Outcome.SUCCESS, Outcome.NOT_RUN} and expects_workflows(pipeline, workflows):
        left = result.since + grace - result.at
        if left > 0:
            return Verdict(Outcome.RUNNING, is_final=False, poll_within=left)
    return _confirmed(result, outcome, grace if jobs else 0.0, confirm_within)


def workflow_verdict(
    result: PollResult, *, grace: float, on_hold: OnHold, confirm_within: float, jobs: bool = False
) -> Verdict:
    """Decide whether a workflow has ended; the arguments are those of `pipeline_verdict`."""
    if result.missing:
        return _missing(result, grace)
    (workflow,) = result.snapshot.workflows
    outcome = outcome_of(workflow)
    if outcome == Outcome.RUNNING or (on_hold == "wait" and outcome == Outcome.ON_HOLD):
        return Verdict(outcome, is_final=False)
    return _confirmed(result, outcome, grace if jobs else 0.0, confirm_within)


def job_verdict(
    result: PollResult, *, grace: float, on_hold: OnHold, confirm_within: float, jobs: bool = False
) -> Verdict:
    """Decide whether a job has ended: its status is final. Only `grace` matters, for which it may be missing."""
    del on_hold, confirm_within, jobs
    if result.missing:
        return _missing(result, grace)
    status = result.snapshot.job and result.snapshot.job.status
    return Verdict(Outcome.RUNNING, is_final=bool(status and status.is_finished))


def _missing(result: PollResult, grace: float) -> Verdict:
    left = result.since + grace - result.at
    if left <= 0:
        return Verdict(Outcome.RUNNING, is_final=True, error=result.missing)
    return Verdict(Outcome.RUNNING, is_final=False, poll_within=min(left, grace))


def _confirmed(result: PollResult, outcome: Outcome, grace: float, confirm_within: float) -> Verdict:
    if result.snapshot.has_running_stragglers and result.at < result.since + grace:
        return Verdict(outcome, is_final=False, poll_within=confirm_within)
    if result.polls >= 2 or (result.polls == 1 and result.is_certain):
        return Verdict(outcome, is_final=True)
    return Verdict(outcome, is_final=False, poll_within=confirm_within)
