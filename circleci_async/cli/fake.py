"""`fake`: serve an embedded CircleCI."""

import asyncio
import shlex
from typing import Annotated

import typer

from .output import Output


async def fake(
    out: Output,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Generate projects and builds from this seed; those of the documentation by default.",
            show_default=False,
        ),
    ] = None,
    history: Annotated[
        bool,
        typer.Option(
            "--history", help="Generate 90 days of runs for insights and usage exports; --seed selects other ones."
        ),
    ] = False,
    port: Annotated[
        int,
        typer.Option(min=0, max=65533, metavar="PORT", help="First of three consecutive ports; 0 picks free ones."),
    ] = 0,
    rate_limit: Annotated[
        float | None,
        typer.Option(metavar="N", min=0.1, help="Limit of requests per second; none by default.", show_default=False),
    ] = None,
    latency: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="Delay before each response.")] = 0.0,
    run_time: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="How long a triggered pipeline runs.")
    ] = 1.5,
) -> None:
    """Serve an embedded CircleCI on this machine.

    It has the projects of the documentation, listens on loopback only, and stops on Ctrl-C. It prints the environment
    variables that make other commands use it.
    """
    from ..testing.__main__ import new_server

    server = new_server(
        seed=seed, history=history, port=port, rate_limit=rate_limit, latency=latency, run_time=run_time
    )
    async with server:
        if out.is_json:
            out.data(server.environment)
        for name, value in server.environment.items():
            out.say(f"export {name}={shlex.quote(value)}")
        out.stream.flush()
        out.note(f"Serving {', '.join(server.world.projects)}. Press Ctrl-C to stop.")
        await asyncio.Event().wait()
