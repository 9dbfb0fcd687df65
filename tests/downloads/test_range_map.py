"""The map of written ranges that a partial file ends with."""

import hashlib
import json

import pytest

from circleci_async.downloads import range_map
from circleci_async.downloads.range_map import RangeMap


def test_a_map_is_stored_and_loaded() -> None:
    ranges = RangeMap(100, '"é\n"', [(0, 10), (30, 40)], source="a")
    stored = ranges.dump()
    assert len(stored) == range_map.STORED
    loaded = RangeMap.load(stored)
    assert loaded is not None
    assert (loaded.size, loaded.etag, loaded.written, loaded.source) == (100, '"é\n"', ranges.written, "a")
    for position in range(len(stored.rstrip()) - 1):
        assert RangeMap.load(stored[:position]) is None
        assert RangeMap.load(stored[:position] + b"~" + stored[position + 1 :]) is None


def test_too_many_ranges_are_stored_in_part() -> None:
    ranges = RangeMap(10**15, '"' + "é" * (range_map.MAX_ETAG - 2) + '"')
    for start in range(0, 3000, 3):
        ranges.add(10**14 + start, 10**14 + start + 1)
    stored = ranges.dump()
    loaded = RangeMap.load(stored)
    assert loaded is not None
    assert len(stored) == range_map.STORED
    assert len(loaded.written) > 100
    assert loaded.written == ranges.written[: len(loaded.written)]


@pytest.mark.parametrize(
    "stored",
    [
        [],
        {},
        {"size": 9, "etag": "v", "source": "", "written": [[0, 10]]},
        {"size": 9, "etag": "v", "source": "", "written": [[-1, 3]]},
        {"size": 9, "etag": "v", "source": "", "written": [[3, 3]]},
        {"size": 9, "etag": "v", "source": "", "written": [[1, 2, 3]]},
        {"size": 9, "etag": "v", "source": "", "written": ["x"]},
        {"size": "9", "etag": "v", "source": "", "written": [[0, 1]]},
    ],
)
def test_a_map_of_another_program_is_not_loaded(stored: object) -> None:
    text = json.dumps(stored).encode()
    assert RangeMap.load(hashlib.sha256(text).hexdigest().encode() + b" " + text + b"\n") is None
