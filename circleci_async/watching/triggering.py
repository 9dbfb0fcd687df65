"""Triggers a pipeline and waits for its end, within one timeout."""

import asyncio

from attrs import evolve

from ..core.session import Session
from ..endpoints.pipelines import Parameters
from ..endpoints.resource import Id, ProjectRef
from ..models.pipelines import Ref
from .arguments import IfLost, WaitOptions
from .lost_trigger import run, trigger
from .results import PipelineResult
from .wait import wait_for_pipeline


async def trigger_and_wait(
    session: Session,
    project: ProjectRef,
    options: WaitOptions,
    *,
    branch: str | None,
    tag: str | None,
    parameters: Parameters | None,
    definition_id: Id | None,
    if_lost: IfLost,
) -> PipelineResult:
    """Trigger a pipeline, or run a definition, and wait until it has ended; see `pipelines.trigger_and_wait`."""
    started = asyncio.get_running_loop().time()
    limited = session if options.timeout is None else _with_max_wait(session, options.timeout)
    if definition_id is None:
        created = await trigger(limited, project, branch=branch, tag=tag, parameters=parameters, if_lost=if_lost)
    else:
        ref = None if branch is None and tag is None else Ref(branch=branch, tag=tag)
        created = await run(
            limited,
            project,
            definition_id=definition_id,
            config=ref,
            checkout=ref,
            parameters=parameters,
            if_lost=if_lost,
        )
    return await wait_for_pipeline(session, created.id, options, started=started).result()


def _with_max_wait(session: Session, seconds: float) -> Session:
    """Return a session whose calls wait at most that long before they are sent."""
    retry = session.options.retry
    return session.with_options(retry=evolve(retry, max_wait=min(retry.max_wait, seconds)))
