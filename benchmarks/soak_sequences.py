"""The random sequences of faults of the tests, in a separate process, while the soak runs."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

from attrs import define

END_TIMEOUT = 600.0
"""Seconds after the soak until the sequences must have ended. Reducing one that failed takes minutes."""


@define
class Sequences:
    """The output of the sequences, and whether their results were correct. Set when the block of `running` ends."""

    output: str = ""
    is_right: bool = False


@contextmanager
def running(minutes: float, seed: int) -> Generator[Sequences]:
    """Run as many sequences as fit `minutes`."""
    command = ("nice", "-n", "10", sys.executable, "-m", "tests.harvest.fault_sequences")
    options = (f"--minutes={minutes}", f"--seed={seed}")
    process = subprocess.Popen((*command, *options), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    sequences = Sequences()
    try:
        yield sequences
        sequences.output, _ = process.communicate(timeout=END_TIMEOUT)
        sequences.is_right = process.returncode == 0
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
