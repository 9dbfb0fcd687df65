"""Whether what was seen is the end. Everything here is pure: what is known, and since when, goes in as a `Sight`."""

from collections.abc import Callable

from attrs import frozen

from ..errors import NotFound
from ..models.newest_workflows import expects_workflows, newest_of_each_name
from ..models.pipelines import PipelineState
from .arguments import OnHold
from .results import Outcome, outcome_of, worst
from .snapshot import Snapshot


@frozen
class Sight:
    """What one look, or one event, has shown. Times are the event loop's, in seconds."""

    snapshot: Snapshot
    at: float
    since: float
    """When it was first seen to stand so; for what is not there yet, when it was first looked for."""
    looks: int
    """How many looks in a row have found it so."""
    is_sure: bool = False
    """Whether webhook events have said of all that ended that it did."""
    missing: NotFound | None = None
    """What the API answered if there is nothing: just after a pipeline was made, it may not be there yet."""


@frozen
class Verdict:
    """What a sight means to one of those who wait."""

    outcome: Outcome
    is_final: bool
    look_within: float | None = None
    """Seconds until the next look, if it is to come sooner than otherwise."""
    error: NotFound | None = None
    """What ends the wait, if it is not there."""


Judge = Callable[[Sight], Verdict]


def of_pipeline(sight: Sight, *, grace: float, on_hold: OnHold, confirm_within: float, jobs: bool = False) -> Verdict:
    """Judge a pipeline by the newest workflow of each name.

    `grace`: seconds for which it may lack workflows, or only have had its setup, or have jobs that run on, if these are
    of interest (`jobs`). What looks like its end must be seen twice, the second time after `confirm_within` seconds:
    between two jobs, a workflow may look as if it had ended.
    """
    if sight.missing:
        return _missing(sight, grace)
    pipeline, counted = sight.snapshot.pipeline, newest_of_each_name(sight.snapshot.workflows)
    outcomes = [outcome_of(each) for each in counted]
    outcome = worst(outcomes)
    if outcome == Outcome.RUNNING or (on_hold == "wait" and Outcome.ON_HOLD in outcomes):
        return Verdict(outcome, is_final=False)
    if pipeline is not None and pipeline.state == PipelineState.ERRORED:
        return Verdict(Outcome.ERRORED, is_final=True)
    if outcome in {Outcome.SUCCESS, Outcome.NOT_RUN} and expects_workflows(pipeline, counted):
        left = sight.since + grace - sight.at
        if left > 0:
            return Verdict(Outcome.RUNNING, is_final=False, look_within=left)
    return _confirmed(sight, outcome, grace if jobs else 0.0, confirm_within)


def of_workflow(sight: Sight, *, grace: float, on_hold: OnHold, confirm_within: float, jobs: bool = False) -> Verdict:
    """Judge a workflow by itself; the arguments are those of `of_pipeline`."""
    if sight.missing:
        return _missing(sight, grace)
    (workflow,) = sight.snapshot.workflows
    outcome = outcome_of(workflow)
    if outcome == Outcome.RUNNING or (on_hold == "wait" and outcome == Outcome.ON_HOLD):
        return Verdict(outcome, is_final=False)
    return _confirmed(sight, outcome, grace if jobs else 0.0, confirm_within)


def _missing(sight: Sight, grace: float) -> Verdict:
    left = sight.since + grace - sight.at
    if left <= 0:
        return Verdict(Outcome.RUNNING, is_final=True, error=sight.missing)
    return Verdict(Outcome.RUNNING, is_final=False, look_within=min(left, grace))


def _confirmed(sight: Sight, outcome: Outcome, grace: float, confirm_within: float) -> Verdict:
    if sight.snapshot.has_stragglers and sight.at < sight.since + grace:
        return Verdict(outcome, is_final=False, look_within=confirm_within)
    if sight.looks >= 2 or (sight.looks == 1 and sight.is_sure):
        return Verdict(outcome, is_final=True)
    return Verdict(outcome, is_final=False, look_within=confirm_within)
