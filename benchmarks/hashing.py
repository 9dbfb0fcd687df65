"""The time that SHA-256 alone takes, which is the minimum for a download with checksums."""

import hashlib
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from circleci_async.downloads.file_threads import available_cores

from .measure import MIB, Row

SAMPLE = 128
"""MiB that each thread hashes to measure the speed."""

GOAL = 1.2
"""The goal for large files, as a multiple of the larger of transfer and SHA-256."""


def seconds_for(sizes: Sequence[int]) -> float:
    """Return the seconds that hashing files of these sizes takes, one core for each file."""
    threads = min(len(sizes), available_cores())
    piece = bytes(MIB)

    def sample() -> None:
        digest = hashlib.sha256()
        for _ in range(SAMPLE):
            digest.update(piece)

    with ThreadPoolExecutor(threads) as pool:
        began = time.perf_counter()
        for running in [pool.submit(sample) for _ in range(threads)]:
            running.result()
        seconds = time.perf_counter() - began
    return seconds * sum(sizes) / (threads * SAMPLE * MIB)


def against_floor(row: Row, sizes: Sequence[int], rounds: int) -> Row:
    """Compare with the larger of two times: that of the other side in `row`, and that of SHA-256 alone."""
    floor = statistics.median(seconds_for(sizes) for _ in range(rounds))
    name = f"the larger of bare aiohttp and SHA-256 alone ({floor * 1000:,.0f} ms)"
    return Row(name, row.sdk, [max(floor, statistics.median(row.bare))], GOAL)
