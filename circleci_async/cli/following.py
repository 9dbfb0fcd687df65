"""A pipeline, looked at until all of it has ended."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..client import CircleCI
    from ..models.pipelines import Pipeline
    from ..models.workflows import Workflow

_UNSETTLED = frozenset({"pending", "setup-pending"})

CALM = 2
"""Looks in a row that must find the same end: between two calls, a setup workflow may have begun the next one."""
CALM_WITHOUT_WORKFLOWS = 5
"""As many, when nothing runs: workflows come a little later than their pipeline."""


async def follow(
    circle: "CircleCI", pipeline_id: str, on_look: "Callable[[list[Workflow]], Awaitable[None]]", *, every: float
) -> "tuple[Pipeline, list[Workflow]]":
    """Look at a pipeline every so many seconds until all has ended, and return it and its workflows.

    `on_look` is given the workflows as each look finds them.
    """
    calm, before = 0, None
    while True:
        pipeline = await circle.pipelines.get(pipeline_id)
        workflows = await circle.pipelines.workflows(pipeline_id).collect()
        await on_look(workflows)
        ended = pipeline.state not in _UNSETTLED and all(each.status and each.status.is_finished for each in workflows)
        now = pipeline.state, [(each.id, each.status) for each in workflows]
        calm = 0 if not ended else calm + 1 if now == before else 1
        before = now
        if pipeline.state == "errored" or calm >= (CALM if workflows else CALM_WITHOUT_WORKFLOWS):
            return pipeline, workflows
        await asyncio.sleep(every)


def latest(workflows: "Iterable[Workflow]") -> "list[Workflow]":
    """Return the latest workflow of each name: a rerun counts instead of what it ran again."""
    return list({each.name: each for each in sorted(workflows, key=lambda each: each.created_at)}.values())
