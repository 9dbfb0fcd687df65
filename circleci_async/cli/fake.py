"""`fake`: an embedded CircleCI to try things on."""

import asyncio
import shlex
from typing import Annotated

import typer

from .output import Output


async def fake(
    out: Output,
    seed: Annotated[int, typer.Option(help="The same seed makes the same world.")] = 7,
    port: Annotated[
        int,
        typer.Option(min=0, max=65533, metavar="PORT", help="The first of three to listen on; 0: any that are free."),
    ] = 0,
    rate_limit: Annotated[
        float | None,
        typer.Option(metavar="N", min=0.1, help="Requests per second; unlimited unless given.", show_default=False),
    ] = None,
    latency: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="Before each answer.")] = 0.0,
) -> None:
    """Serve an embedded CircleCI to try things on.

    It has made-up projects, listens on this machine only, and stops at Ctrl-C. It prints what to export, so that other
    commands find it.
    """
    from ..testing import FakeCircleCI, RateLimit, World

    world = World.generate(seed=seed)
    server = FakeCircleCI(
        world,
        rate_limit=None if rate_limit is None else RateLimit(per_second=rate_limit),
        latency=latency,
        ports=(port, port + 1, port + 2) if port else (0, 0, 0),
        record=False,
    )
    async with server:
        if out.is_json:
            out.data(server.environment)
        for name, value in server.environment.items():
            out.say(f"export {name}={shlex.quote(value)}")
        out.stream.flush()
        out.note(f"Serving {', '.join(world.projects)}; Ctrl-C stops.")
        await asyncio.Event().wait()
