"""Triggers a pipeline or reruns a workflow, and waits for its end, within one timeout."""

import asyncio
from collections.abc import Sequence

from attrs import evolve

from ..core.session import Session
from ..endpoints.pipelines import Parameters
from ..endpoints.resource import Id, ProjectRef
from ..endpoints.workflows import Workflows
from ..models.pipelines import Ref
from .arguments import IfLost, WaitOptions
from .lost_trigger import run, trigger
from .results import PipelineResult, WorkflowResult
from .wait import wait_for_pipeline, wait_for_workflow


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
    limited = with_max_wait(session, options.timeout)
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


async def rerun_and_wait(
    session: Session,
    workflow_id: Id,
    options: WaitOptions,
    *,
    from_failed: bool | None,
    jobs: Sequence[Id] | None,
    enable_ssh: bool | None,
    sparse_tree: bool | None,
) -> WorkflowResult:
    """Rerun a workflow, and wait until the new one has ended; see `workflows.rerun_and_wait`."""
    started = asyncio.get_running_loop().time()
    accepted = await Workflows(with_max_wait(session, options.timeout)).rerun(
        workflow_id, from_failed=from_failed, jobs=jobs, enable_ssh=enable_ssh, sparse_tree=sparse_tree
    )
    return await wait_for_workflow(session, accepted.workflow_id, options, started=started).result()


def with_max_wait(session: Session, seconds: float | None) -> Session:
    """Return a session whose calls wait at most that long before they are sent; None: as long as the session allows."""
    if seconds is None:
        return session
    retry = session.options.retry
    return session.with_options(retry=evolve(retry, max_wait=min(retry.max_wait, seconds)))
