"""`listen`: receive webhooks and print their events."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigurationError
from ..untrusted_text import printable
from .arguments import option
from .formatting import STYLES
from .output import Output

if TYPE_CHECKING:
    from ..models import WebhookEvent

SECRET_VARIABLE = "CIRCLE_WEBHOOK_SECRET"  # noqa: S105  the name of an environment variable


async def listen(
    out: Output,
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="Port; 0 picks a free one.")] = 0,
    bind: Annotated[str, typer.Option(metavar="ADDRESS", help="Address; 0.0.0.0 listens on all.")] = "127.0.0.1",
    path: Annotated[str, typer.Option(metavar="PATH", help="URL path of the webhook.")] = "/",
    secret_file: Annotated[
        Path | None,
        option(f"File with signing secrets, one per line, instead of {SECRET_VARIABLE}.", metavar="FILE"),
    ] = None,
    count: Annotated[int | None, option("Stop after N events.", metavar="N", min=1)] = None,
    drain: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Time to print accepted events when stopping.")
    ] = 30.0,
) -> None:
    """Receive webhooks and print their events.

    The signing secret is read from CIRCLE_WEBHOOK_SECRET or from a file; requests with another signature are rejected.
    With --json each event is printed as one line of JSON, as delivered. Press Ctrl-C to stop.
    """
    from ..webhooks import Receiver

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
        except OSError as error:  # stdout is closed, or the disk is full
            done.set_exception(error)
            return
        seen += 1
        if seen == count:
            done.set_result(None)

    receiver = Receiver(_secrets(secret_file), show, concurrency=1, drain=drain)  # one at a time keeps the order
    async with receiver.serve(bind, port, path=path) as url:
        out.note(f"Listening at {url}. Press Ctrl-C to stop.")
        await done


def show_event(out: Output, event: "WebhookEvent") -> None:
    """Print an event as one line: time, type, project, pipeline, branch, name and status."""
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
    """Read the signing secret, or several during a rotation."""
    if file is not None:
        text, where = file.read_text("utf-8"), str(file)
    else:
        text, where = os.environ.get(SECRET_VARIABLE, ""), SECRET_VARIABLE
    secrets = [line.strip() for line in text.splitlines() if line.strip()]
    if not secrets:
        raise ConfigurationError(f"{where} contains no signing secret: set the one of the webhook in CircleCI")
    return secrets
