"""Random sequences of faults: as many as fit 7 seconds. `make faults` runs more of them."""

from typing import Any

from tests.harvest.fault_sequences import run_sequences

SECONDS = 7


def test_random_sequences_of_faults(record_property: Any) -> None:
    counts = run_sequences(1, seconds=SECONDS)
    record_property("faults", dict(counts))
    assert counts["sequences"] >= 1
    assert counts["killed harvests"] >= 1
