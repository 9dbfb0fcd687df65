"""The calls about pipelines, with waiting for their end."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from attrs import evolve

from ..core.session import Session
from ..endpoints.pipelines import Parameters
from ..endpoints.pipelines import Pipelines as Endpoints
from ..endpoints.resource import Id, ProjectRef
from ..models.pipelines import Ref
from ..slug import segment
from ..watching.arguments import GRACE, INTERVAL, Interval, OnHold, Patience

if TYPE_CHECKING:
    from ..watching.changes import Change
    from ..watching.results import PipelineResult
    from ..watching.wait import Wait


class Pipelines(Endpoints):
    """Pipelines: what a push, a schedule or a call sets going.

    A pipeline's `state` tells how its creation went, never how the build went: its workflows tell that, and `wait` and
    `watch` know how to read them.
    """

    async def wait(
        self,
        pipeline_id: Id,
        *,
        timeout: float | None = None,
        on_hold: OnHold = "return",
        interval: Interval = INTERVAL,
        grace: float = GRACE,
    ) -> "PipelineResult":
        """Wait until a pipeline has ended, and return how: the newest workflow of each name counts.

        `timeout`: seconds, or None to wait for as long as it takes. `on_hold`: what to do when all that goes on waits
        for somebody's approval: "return" that, or "wait". `interval`: seconds to the second look, and at most between
        looks. `grace`: seconds for which the pipeline may be missing, may have no workflows before it counts as
        `not_run`, and may have had nothing but its setup.

        One task looks for all who wait for the same pipeline, and an event given to `CircleCI.notify` makes it look at
        once. What looks like the end is looked at once more. Failures that may pass (no connection, 5xx, 429) do not
        end the wait until looks have failed for two minutes.

        Raises `WaitTimeout`, whose `last` is the `PipelineResult` of what was seen last; `NotFound` if the pipeline is
        not there after `grace`.
        """
        patience = Patience(timeout, interval, grace, on_hold)
        return await self._wait(pipeline_id, patience, jobs=False).end()

    def watch(
        self,
        pipeline_id: Id,
        *,
        timeout: float | None = None,
        on_hold: OnHold = "wait",
        interval: Interval = INTERVAL,
        grace: float = GRACE,
        jobs: bool = True,
    ) -> "AsyncGenerator[Change, None]":
        """Iterate what changes in a pipeline until it has ended: first how it stands, then each change once, in order.

        A change is of the pipeline, of a workflow, or of a job (`jobs=False` leaves these out, and the calls that they
        take). A pipeline on hold has not ended, unless `on_hold="return"`. The other arguments, and what is raised, are
        as for `wait`.

        To leave the loop early and be sure that nobody looks any more, wrap it in `contextlib.aclosing`.
        """
        patience = Patience(timeout, interval, grace, on_hold)
        return self._wait(pipeline_id, patience, jobs=jobs).changes()

    async def trigger_and_wait(
        self,
        project: ProjectRef,
        *,
        branch: str | None = None,
        tag: str | None = None,
        parameters: Parameters | None = None,
        definition_id: Id | None = None,
        timeout: float | None = None,
        on_hold: OnHold = "return",
        interval: Interval = INTERVAL,
        grace: float = GRACE,
    ) -> "PipelineResult":
        """Set a pipeline going, wait until it has ended, and return how.

        It is triggered as `trigger` does, or, if `definition_id` names one of the project's pipeline definitions, as
        `run` does with this branch or tag for the configuration and the code. `timeout` counts from the call, but does
        not cut the trigger itself: nobody would know what became of it. The other arguments are those of `wait`.

        Raises what these raise; `RateLimited` before anything is sent, if a pause that the server asked for outlasts
        `timeout`. An error that ends the wait carries `pipeline_id`; the pipeline goes on.
        """
        patience = Patience(timeout, interval, grace, on_hold)
        began = asyncio.get_running_loop().time()
        endpoints = self if timeout is None else Endpoints(_impatient(self._session, timeout))
        if definition_id is None:
            created = await endpoints.trigger(project, branch=branch, tag=tag, parameters=parameters)
        else:
            ref = _ref(branch, tag)
            created = await endpoints.run(
                project, definition_id=definition_id, config=ref, checkout=ref, parameters=parameters
            )
        return await self._wait(created.id, patience, jobs=False, began=began).end()

    def _wait(
        self, pipeline_id: Id, patience: Patience, *, jobs: bool, began: float | None = None
    ) -> "Wait[PipelineResult]":
        from ..watching.wait import for_pipeline

        segment(pipeline_id)  # whose text is used from here on
        return for_pipeline(self._session, str(pipeline_id).lower(), patience, jobs=jobs, began=began)


def _impatient(session: Session, seconds: float) -> Session:
    """Return a session whose calls wait for no longer than that before they are sent."""
    retry = session.options.retry
    retry = evolve(retry, max_wait=min(retry.max_wait, seconds))
    return Session(session.state, evolve(session.options, retry=retry))


def _ref(branch: str | None, tag: str | None) -> Ref | None:
    return None if branch is None and tag is None else Ref(branch=branch, tag=tag)
