"""Run an embedded CircleCI: `python -m circleci_async.testing`."""

import argparse
import asyncio
import shlex
from collections.abc import Sequence

from . import FakeCircleCI, World, example_world


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until Ctrl-C or SIGTERM, and print the environment variables that configure clients for the server."""
    parser = argparse.ArgumentParser(prog="python -m circleci_async.testing", description=main.__doc__)
    parser.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="generate projects and builds from this seed (default: those of the documentation)",
    )
    parser.add_argument(
        "--history", action="store_true", help="generate 90 days of runs for insights and usage exports (seed: 0)"
    )
    parser.add_argument(
        "--port", type=int, default=0, help="port of the API; the next two ports are used too (default: free ports)"
    )
    parser.add_argument(
        "--rate-limit", type=float, metavar="N", help="limit the API to N requests per second; answer 429 to the rest"
    )
    parser.add_argument(
        "--latency", type=float, default=0.0, metavar="S", help="seconds before each response (default: 0)"
    )
    parser.add_argument(
        "--run-time", type=float, default=1.5, metavar="S", help="seconds that a triggered pipeline runs (default: 1.5)"
    )
    options = parser.parse_args(arguments)
    asyncio.run(new_server(**vars(options)).serve_forever(_announce))


def new_server(
    *, seed: int | None, history: bool, port: int, rate_limit: float | None, latency: float, run_time: float
) -> FakeCircleCI:
    """Return a server with these options, as this program and `circleci-async fake` run it."""
    return FakeCircleCI(
        _world(seed, history=history),
        rate_limit=rate_limit,
        latency=latency,
        run_time=run_time,
        ports=(port, port + 1, port + 2) if port else (0, 0, 0),
        record=False,
    )


def _world(seed: int | None, *, history: bool) -> World:
    if history:
        return World.history(seed=seed or 0)
    return example_world() if seed is None else World.generate(seed=seed)


def _announce(fake: FakeCircleCI) -> None:
    for name, value in fake.environment.items():
        print(f"export {name}={shlex.quote(value)}", flush=True)


if __name__ == "__main__":
    main()
