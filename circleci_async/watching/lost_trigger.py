"""Triggers a pipeline, and finds it if the response is lost. Never sends the trigger again."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, get_args

from attrs import asdict, define, field

from ..core.arguments import check_word
from ..core.deletion import may_be_done
from ..core.polling import Interval, PollSchedule
from ..core.session import Session
from ..endpoints.pipelines import Parameters, Pipelines, check_ref, check_sources
from ..endpoints.projects import Projects
from ..endpoints.resource import Id, ProjectRef
from ..errors import CircleCIError, DecodeError
from ..models.pipelines import Pipeline, PipelineCreated, Ref, TriggerType
from .arguments import IfLost

FIND_TIMEOUT = 30.0
"""Seconds for which a pipeline whose response was lost is searched."""

INTERVAL: Interval = (1.0, 5.0)

_RAISED = (
    'The pipeline may have been created: check `pipelines.mine` before you trigger again, or use `if_lost="find"`.'
)

MAX_RETURNED = 1_000
"""Pipelines that a client remembers to have returned."""


@define(eq=False)
class ReturnedPipelines:
    """The pipelines that the triggers of one client have returned lately: none of them is the one that was lost."""

    ids: deque[str] = field(factory=lambda: deque[str](maxlen=MAX_RETURNED))


@define
class Search:
    """The pipelines that a lost trigger may have created.

    They are in the user's own list, were triggered by the API, and have a greater number than every pipeline that was
    listed before the trigger was sent: numbers increase, and do not depend on any clock.
    """

    session: Session
    project: ProjectRef
    branch: str | None
    tag: str | None
    any_ref: bool
    """Whether pipelines of every branch and tag count. If not, no branch and no tag mean the default branch."""
    newest: int = 0
    """The greatest number before the trigger."""
    failure: str | None = None
    """The error that ended the search, if any."""

    async def begin(self) -> None:
        """Note the newest pipeline."""
        newest = await Pipelines(self.session).mine(self.project).first()
        self.newest = newest.number if newest is not None else 0

    async def candidates(self, returned: ReturnedPipelines) -> tuple[Pipeline, ...]:
        """Poll until there are candidates; return none after `FIND_TIMEOUT`, or when polling fails."""
        schedule = PollSchedule(INTERVAL)
        with suppress(TimeoutError):
            async with asyncio.timeout(FIND_TIMEOUT):
                while True:
                    try:
                        found = await self._poll(returned)
                    except CircleCIError as error:
                        if not schedule.failed(error):
                            self.failure = error.summary
                            break
                    else:
                        if found:
                            return found
                        schedule.succeeded()
                    await asyncio.sleep(schedule.next_delay())
        return ()

    async def _poll(self, returned: ReturnedPipelines) -> tuple[Pipeline, ...]:
        if not self.any_ref and self.branch is None and self.tag is None:
            self.branch = (await Projects(self.session).get(self.project)).vcs_info.default_branch
        found: list[Pipeline] = []
        async with aclosing(Pipelines(self.session).mine(self.project).pages()) as pages:
            async for page in pages:
                new = [each for each in page.items if each.number > self.newest]
                found += filter(self._matches, new)
                if len(new) < len(page.items):
                    break
        return tuple(each for each in found if each.id not in returned.ids)

    def _matches(self, pipeline: Pipeline) -> bool:
        if pipeline.trigger.type != TriggerType.API:
            return False
        if self.tag is not None:
            return pipeline.tag == self.tag
        return self.any_ref or pipeline.branch == self.branch


async def trigger(
    session: Session,
    project: ProjectRef,
    *,
    branch: str | None,
    tag: str | None,
    parameters: Parameters | None,
    if_lost: IfLost,
) -> PipelineCreated:
    """Trigger a pipeline; see `pipelines.trigger`."""
    check_ref(branch, tag)  # before the search requests anything
    call = partial(Pipelines(session).trigger, project, branch=branch, tag=tag, parameters=parameters)
    return await _create(call, Search(session, project, branch, tag, any_ref=False), if_lost)


async def run(
    session: Session,
    project: ProjectRef,
    *,
    definition_id: Id | None,
    config: Ref | Mapping[str, Any] | None,
    checkout: Ref | Mapping[str, Any] | None,
    parameters: Parameters | None,
    if_lost: IfLost,
) -> PipelineCreated:
    """Run a pipeline; see `pipelines.run`."""
    check_sources(config, checkout)  # before the search requests anything
    call = partial(
        Pipelines(session).run,
        project,
        definition_id=definition_id,
        config=config,
        checkout=checkout,
        parameters=parameters,
    )
    ref = checkout if isinstance(checkout, Mapping) else {} if checkout is None else asdict(checkout)
    search = Search(session, project, ref.get("branch"), ref.get("tag"), any_ref=checkout is None)
    return await _create(call, search, if_lost)


async def _create(send: Callable[[], Awaitable[PipelineCreated]], search: Search, if_lost: IfLost) -> PipelineCreated:
    """Call `send` once. If its response is lost, do what `if_lost` says."""
    check_word("if_lost", if_lost, get_args(IfLost), required=True)
    returned = search.session.state.singleton(ReturnedPipelines)
    if if_lost == "find":
        await search.begin()
    try:
        created = await send()
    except CircleCIError as error:
        if not (may_be_done(error) or isinstance(error, DecodeError)):
            raise
        if if_lost == "raise":
            error.hint = _RAISED
            raise
        found = await search.candidates(returned)
        if len(found) != 1:
            _explain(error, found, search.failure)
            raise
        [pipeline] = found
        created = PipelineCreated(
            id=pipeline.id, number=pipeline.number, state=pipeline.state, created_at=pipeline.created_at
        )
    returned.ids.append(created.id)
    return created


def _explain(error: CircleCIError, found: tuple[Pipeline, ...], failure: str | None) -> None:
    """Add the candidates and a hint to the error of a trigger."""
    error.candidates = found
    if found:
        numbers = ", ".join(str(each.number) for each in found)
        error.hint = (
            f"One of the pipelines {numbers} may be the triggered one: see `candidates` before you trigger again."
        )
    elif failure is not None:
        error.hint = f"The search for its pipeline failed ({failure}): check `pipelines.mine` before you trigger again."
    else:
        error.hint = (
            f"No pipeline of this trigger appeared within {FIND_TIMEOUT:g} s: check `pipelines.mine` before you trigger"
            " again."
        )
