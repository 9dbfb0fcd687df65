"""A scene of the demo: a pipeline fails, a webhook tells of it at once, and the log says why."""

from typing import TYPE_CHECKING

from attrs import frozen

from . import listen, logs
from .output import Output

if TYPE_CHECKING:
    from ..client import CircleCI
    from ..models.events import WebhookEvent
    from .stage import Stage

SECRET = "the secret that signs the demo's webhooks"  # noqa: S105  it signs nothing else
POLL = 600.0
"""Seconds between two looks: nobody would wait for the second one."""


@frozen
class Failure:
    """What came of it."""

    status: str
    """Of the pipeline."""
    events: int
    """That arrived, signed with the right secret."""
    lines: int
    """Of the log of what failed."""


async def fail(circle: "CircleCI", stage: "Stage", out: Output) -> Failure:
    """Trigger a pipeline that fails, be told of it, and read why."""
    from ..webhooks.receiver import Receiver

    events: list[WebhookEvent] = []

    def take(event: "WebhookEvent") -> None:
        listen.show_event(out, event)
        events.append(event)
        circle.notify(event)

    project = [*stage.server.world.projects.values()][1]
    async with Receiver(SECRET, take, concurrency=1).serve() as url:
        project.webhook(url, secret=SECRET)
        out.say(f"A receiver listens at {url}.\nOf itself, the next look at the pipeline is {POLL:.0f} s away.")
        result = await circle.pipelines.trigger_and_wait(project.slug, interval=(POLL, POLL))
        await stage.server.delivered()
    out.say(f"The pipeline has {result.status}. Why?")
    [failed] = [event.job for event in events if event.job and event.job.status == "failed"]
    outputs = await circle.jobs.failed_output(project.slug, failed.number or 0, tail=12)
    logs.show_failures(out, outputs)
    return Failure(
        status=result.status,
        events=len(events),
        lines=sum(len(each.text.splitlines()) for each in outputs),
    )
