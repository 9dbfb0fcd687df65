"""Run an embedded CircleCI: `python -m circleci_async.testing`."""

import argparse
import asyncio
import shlex
from collections.abc import Sequence

from . import FakeCircleCI, RateLimit, World, example_world


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
    port: int = options.port
    fake = FakeCircleCI(
        example_world() if options.seed is None else World.generate(seed=options.seed),
        rate_limit=None if options.rate_limit is None else RateLimit(options.rate_limit),
        latency=options.latency,
        run_time=options.run_time,
        ports=(port, port + 1, port + 2) if port else (0, 0, 0),
        record=False,
    )
    asyncio.run(fake.serve_forever(_announce))


def _announce(fake: FakeCircleCI) -> None:
    for name, value in fake.environment.items():
        print(f"export {name}={shlex.quote(value)}", flush=True)


if __name__ == "__main__":
    main()
