"""Many random sequences of faults, each with a harvest that is killed: `make faults`."""

import os
from typing import Any

import pytest

from tests.harvest.fault_sequences import run_sequences

SHARDS = 8
"""Parts that can run at the same time."""

SEQUENCES = int(os.environ.get("SEQUENCES", "200"))


@pytest.mark.parametrize("shard", range(SHARDS))
def test_random_sequences_of_faults_with_kills(shard: int, record_property: Any) -> None:
    count = SEQUENCES // SHARDS + (shard < SEQUENCES % SHARDS)
    counts = run_sequences(1_000 * (shard + 1), count=count, shrinks=True)
    record_property("faults", dict(counts))
    assert counts["sequences"] >= count
