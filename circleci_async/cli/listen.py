"""`listen`: a receiver of webhooks that prints the events."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigurationError
from .formatting import STYLES, printable
from .output import Output

if TYPE_CHECKING:
    from ..models.events import WebhookEvent

SECRET = "CIRCLE_WEBHOOK_SECRET"  # noqa: S105  the name of a variable


async def listen(
    out: Output,
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="Where to listen; 0: any free one.")] = 0,
    bind: Annotated[str, typer.Option(metavar="ADDRESS", help="On which address; 0.0.0.0: on all.")] = "127.0.0.1",
    path: Annotated[str, typer.Option(metavar="PATH", help="The path that is delivered to.")] = "/",
    secret_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help=f"Holds the signing secret, instead of {SECRET}. One a line.", show_default=False
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Stop after so many events; unlimited unless given.", show_default=False),
    ] = None,
) -> None:
    """Receive webhooks, and print their events.

    The webhook's signing secret is read from CIRCLE_WEBHOOK_SECRET, or from a file; what it has not signed is refused.
    With --json an event is a line of JSON, as it was delivered. Ctrl-C stops.
    """
    from ..webhooks.receiver import Receiver

    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    seen = 0

    def show(event: "WebhookEvent") -> None:
        nonlocal seen
        if done.done():
            return
        try:
            if out.is_json:
                out.line(event.raw)
            else:
                show_event(out, event)
        except OSError as error:  # nobody reads what is printed, or the disk is full
            done.set_exception(error)
            return
        seen += 1
        if seen == count:
            done.set_result(None)

    receiver = Receiver(_secrets(secret_file), show, concurrency=1)  # in the order in which they came
    async with receiver.serve(bind, port, path=path) as url:
        out.note(f"Listening at {url}; Ctrl-C stops.")
        await done


def show_event(out: Output, event: "WebhookEvent") -> None:
    """Show an event in a line: when, what, of which project and branch, and how it ended."""
    from rich.text import Text

    pipeline, workflow, job = event.pipeline, event.workflow, event.job
    status = (job.status if job else workflow.status if workflow else None) or ""
    where = [
        event.project and (event.project.slug or event.project.name),
        pipeline and pipeline.number and f"#{pipeline.number}",
        pipeline and (pipeline.branch or pipeline.tag),
        " / ".join(each.name for each in (workflow, job) if each and each.name),
    ]
    words = [
        (f"{(event.happened_at or datetime.now(UTC)).astimezone():%H:%M:%S}", "dim"),
        (event.type, "bold"),
        *((printable(str(each)), "") for each in where if each),
        (printable(status), STYLES.get(status, "")),
    ]
    out.say(Text("  ").join(Text(text, style) for text, style in words if text))
    out.stream.flush()


def _secrets(file: Path | None) -> list[str]:
    """Read the signing secret, or several of them while one takes the other's place."""
    if file is not None:
        text, where = file.read_text("utf-8"), str(file)
    else:
        text, where = os.environ.get(SECRET, ""), SECRET
    secrets = [line.strip() for line in text.splitlines() if line.strip()]
    if not secrets:
        raise ConfigurationError(f"{where} holds no secret: give the signing secret that the webhook has in CircleCI")
    return secrets
