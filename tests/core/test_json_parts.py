"""Parsing JSON in parts gives the values and the errors of `json`."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circleci_async.core import codec, json_parts


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is refused")


DECODER = json.JSONDecoder(parse_constant=_refuse)

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**20, max_value=10**60),
    st.floats(),
    st.text(max_size=40),
    st.text(alphabet='a,]}"\\ud\n', max_size=20),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=6), inner, max_size=8),
    max_leaves=60,
)
SPACE = st.text(alphabet=" \t\r\n", max_size=3)
JUNK = st.sampled_from([*'[]{}:,"\\0-.eE+ntfN\n x\x00é', "NaN", "-Infinity", "1" * 5_000, ",]", ",}", " " * 50])


PARTS = (1, 9, 30)
"""Sizes of a part, so small that all levels are walked."""

few = settings(max_examples=40)


def outcome(parse: Any, text: str) -> Any:
    try:
        return repr(parse(text))
    except json.JSONDecodeError as error:
        return error.msg, error.pos, error.lineno, error.colno, error.doc
    except ValueError as error:
        return str(error)
    except RecursionError:
        return "too deep"


def check(text: str) -> None:
    expected = outcome(DECODER.decode, text)
    for size in (*PARTS, json_parts.PART):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(json_parts, "PART", size)
            assert outcome(lambda text: json_parts.loads(DECODER, text), text) == expected


@few
@given(VALUES, st.sampled_from([None, 0, 1]), st.sampled_from([",", ", ", " ,"]), SPACE, SPACE, st.booleans())
def test_valid_json(value: Any, indent: int | None, comma: str, before: str, after: str, escaped: bool) -> None:
    text = json.dumps(value, indent=indent, separators=(comma, ": "), ensure_ascii=escaped)
    check(f"{before}{text}{after}")


@few
@given(VALUES, st.data())
def test_invalid_json(value: Any, data: st.DataObject) -> None:
    text = json.dumps(value)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        removed = data.draw(st.integers(0, 3))
        text = text[:at] + data.draw(st.just("") | JUNK) + text[at + removed :]
    check(text)


@few
@given(st.lists(JUNK, max_size=30).map("".join))
def test_anything(text: str) -> None:
    check(text)


@few
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=40))
def test_the_last_of_equal_keys_counts(pairs: list[tuple[str, int]]) -> None:
    check("{" + ", ".join(f'"{key}": {number}' for key, number in pairs) + "}")


@pytest.mark.parametrize("depth", [30, 70, 300])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a": 1, "b":', "}]")])
def test_deep_nesting(depth: int, opening: str, closing: str) -> None:
    check(opening * depth + "1" + closing * depth)
    check(opening * depth)


def test_nesting_beyond_what_python_parses() -> None:
    check("[" * 100_000)


@pytest.mark.parametrize(
    "text",
    [
        "[" + "1," * 100 + "]",
        "[" + "1, " * 100 + "2",
        '["' + "a,b" * 30 + '", "' + "c" * 100,
        '{"a": 1' + ', "b": 2' * 50 + ",}",
        '{"a" 1' + ', "b": 2' * 50 + "}",
        "[1] 2",
        "[" + "12.5e+3," * 50 + "1]",
        "[" + "-" * 40,
        "[1.5.5]",
        '{"a": 1.5.5}',
        '{"a": 1e5e5}',
        "[1," + "9" * 5_000 + "]",
        "﻿[1]",
        "",
        "   ",
    ],
)
def test_errors_at_the_edges_of_parts(text: str) -> None:
    check(text)


# The bound of what the C scanner parses at once


class Recorder(json.JSONDecoder):
    """Records the length of each text that it parsed, or tried to parse."""

    def __init__(self) -> None:
        super().__init__()
        self.parsed: list[int] = []

    def raw_decode(self, s: str, idx: int = 0) -> tuple[Any, int]:
        try:
            value, end = super().raw_decode(s, idx)
        except ValueError:
            self.parsed.append(len(s) - idx)
            raise
        self.parsed.append(end - idx)
        return value, end


ITEM = {"id": "5034460f", "trigger": {"actor": {"login": "octo"}}, "errors": [{"type": "a, b", "message": "]},"}]}
LARGE: dict[str, Any] = {
    "page": {"items": [ITEM] * 5_000, "next_page_token": None},
    "numbers": [*range(100_000)],
    "map": {f"key {n}": n for n in range(30_000)},
    "map of objects": {f"key {n}": {} for n in range(30_000)},
    "empty objects": [{}] * 100_000,
    "nested": [[[ITEM] * 50] * 10] * 10,
    "deep page": {"a": {"b": [{"c": {"items": [ITEM] * 3_000}}]}},
}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("indent", [None, 1])
def test_no_more_than_a_part_is_parsed_at_once(name: str, indent: int | None) -> None:
    text = json.dumps(LARGE[name], indent=indent)
    decoder = Recorder()
    assert json_parts.loads(decoder, text) == LARGE[name]
    assert max(decoder.parsed) <= json_parts.PART + 2
    assert sum(decoder.parsed) < 4 * len(text), "little is parsed again"


def test_an_error_at_the_end_is_found_in_parts() -> None:
    text = json.dumps(LARGE["page"])[:-2] + "]}"
    decoder = Recorder()
    with pytest.raises(json.JSONDecodeError) as caught:
        json_parts.loads(decoder, text)
    assert max(decoder.parsed) <= json_parts.PART + 2
    assert outcome(json.JSONDecoder().decode, text)[:2] == (caught.value.msg, caught.value.pos)


def test_a_large_body_is_parsed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = Recorder()
    monkeypatch.setattr(codec, "_JSON", decoder)
    items = [ITEM] * 10_000
    assert codec.loads(json.dumps(items).encode()) == items
    assert max(decoder.parsed) <= json_parts.PART + 2
