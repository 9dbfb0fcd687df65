"""Which ranges of a file are written and claimed."""

import hashlib
import json

import pytest

from circleci_async.downloads import range_map
from circleci_async.downloads.range_map import RangeMap, Span


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(range_map, "PIECE", 10)


def test_pieces_are_claimed_in_order() -> None:
    ranges = RangeMap(35, "v", [(0, 3), (12, 14)])
    claims = [ranges.claim() for _ in range(6)]
    spans = [claim and (claim.position, claim.stop) for claim in claims]
    assert spans == [(3, 10), (10, 12), (14, 20), (20, 30), (30, 35), None]
    assert ranges.gap is None
    second = claims[1]
    assert second is not None
    ranges.release(second)
    assert ranges.gap == Span(10, 12)


def test_a_claim_that_ends_early_leaves_a_gap() -> None:
    ranges = RangeMap(20, "v")
    claim = ranges.claim()
    assert claim is not None
    ranges.add(0, 4)
    claim.position = 4
    ranges.release(claim)
    assert (ranges.front, ranges.gap) == (4, Span(4, 10))


def test_a_claim_is_extended_by_the_gap_that_follows() -> None:
    ranges = RangeMap(25, "v")
    first = ranges.claim()
    assert first is not None
    assert ranges.extend(first)
    assert first.stop == 20
    other = ranges.claim()
    assert other is not None
    assert not ranges.extend(first)
    ranges.release(other)
    assert ranges.extend(first)
    assert first.stop == 25
    assert not ranges.extend(first)


@pytest.mark.parametrize(
    ("written", "merged", "front"),
    [
        ([], [], 0),
        ([(0, 5), (5, 9)], [(0, 9)], 9),
        ([(5, 9), (0, 5)], [(0, 9)], 9),
        ([(0, 2), (4, 6), (1, 5)], [(0, 6)], 6),
        ([(7, 9), (3, 5), (4, 4)], [(3, 5), (7, 9)], 0),
        ([(0, 9), (2, 3)], [(0, 9)], 9),
    ],
)
def test_written_ranges_are_merged(written: list[tuple[int, int]], merged: list[tuple[int, int]], front: int) -> None:
    ranges = RangeMap(9, "v", written)
    assert (list(ranges.written), ranges.front) == (merged, front)
    assert ranges.received == sum(stop - start for start, stop in merged)


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
