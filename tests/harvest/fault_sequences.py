"""Runs sequences of the fault machine: a number of them, or as many as fit a time.

`python -m tests.harvest.fault_sequences --minutes 10` runs them until the time is up, and prints the counts.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from circleci_async.harvest import outage
from tests.harvest.disks import MIB, small_disk
from tests.harvest.fault_harvests import Place
from tests.harvest.fault_machine import FaultMachine
from tests.harvest.killer import DOWNTIME, killer

STEPS = 12
"""Steps of a sequence."""

CHUNK = 10
"""Sequences that are generated from one seed."""

DISK_SIZE = 64 * MIB


@contextmanager
def place() -> Iterator[Place]:
    """Make a place for the sequences of this process."""
    downtime, outage.MAX_DOWNTIME = outage.MAX_DOWNTIME, DOWNTIME
    with tempfile.TemporaryDirectory() as name, killer() as killing:
        root = Path(name) / "disk"
        with small_disk(root, DISK_SIZE) as is_small:
            try:
                yield Place(root, killing, is_small=is_small)
            finally:
                outage.MAX_DOWNTIME = downtime


def run_sequences(
    first_seed: int, *, count: int | None = None, seconds: float = 0, shrinks: bool = False
) -> Counter[str]:
    """Run `count` sequences, or as many as fit `seconds`, and return the counts. The same seed has the same sequences.

    `shrinks`: whether a sequence that fails is reduced to its necessary steps, which takes minutes.
    """
    options = settings(
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink) if shrinks else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    began = time.monotonic()
    longest = 0.0
    with place() as here:
        for number in range(first_seed, sys.maxsize):
            size = CHUNK if count is None else min(CHUNK, count - here.counts["sequences"])
            chunk_began = time.monotonic()
            if size <= 0 or (count is None and chunk_began - began + longest > seconds):
                break
            machine = seed(number)(type("FaultMachine", (FaultMachine,), {"place": here}))
            run_state_machine_as_test(machine, settings=settings(options, max_examples=size))
            longest = max(longest, time.monotonic() - chunk_began)
    return here.counts


def text_of(counts: Counter[str]) -> str:
    """Return the counts as one line."""
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items(), key=lambda each: each[1]))


def main(arguments: list[str] | None = None) -> None:
    """Run sequences until the time is up, and print the counts. A wrong result is an exception."""
    parser = argparse.ArgumentParser(prog="python -m tests.harvest.fault_sequences", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    counts = run_sequences(options.seed * 1_000_000, seconds=options.minutes * 60, shrinks=True)
    print(f"{text_of(counts)}; 0 wrong results")


if __name__ == "__main__":
    main()
