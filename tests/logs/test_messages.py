"""Parsing the stored output of a step from any pieces, without buffering all of it."""

import json
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circleci_async.logs.messages import MAX_MESSAGE, JsonMessages, MalformedOutput, TextMessages
from circleci_async.models import OutputMessage

PIECES = [1, 2, 3, 7, 1000, 10**9]


def read(data: bytes, size: int = 10**9, reader: Any = None) -> list[OutputMessage]:
    """Return all messages, of bytes in pieces of `size`."""
    reader = reader or JsonMessages()
    found = [message for at in range(0, len(data), size) for message in reader.feed(data[at : at + size])]
    return [*found, *reader.end()]


def texts(data: bytes, size: int = 10**9) -> list[str]:
    return [message.text for message in read(data, size)]


@pytest.mark.parametrize("size", PIECES)
def test_a_message_has_text_type_and_time(size: int) -> None:
    stored = (
        b'[{"message":"Hello\\r\\n","time":"2026-11-24T12:00:00.5Z","type":"out"},\n {"type":"err","message":"Oh!"}]'
    )
    first, second = read(stored, size)
    assert first == OutputMessage(
        text="Hello\r\n", type="out", time=datetime(2026, 11, 24, 12, 0, 0, 500_000, tzinfo=UTC)
    )
    assert second == OutputMessage(text="Oh!", type="err", time=None)


@pytest.mark.parametrize("size", PIECES)
@pytest.mark.parametrize("stored", [b"[]", b" [ ] \n", b"", b" \r\n", b"\xef\xbb\xbf[]"])
def test_a_step_without_output_has_no_messages(stored: bytes, size: int) -> None:
    assert read(stored, size) == []


@pytest.mark.parametrize("size", PIECES)
@pytest.mark.parametrize("escaped", [True, False])
def test_escapes_and_characters_can_be_split_between_pieces(escaped: bool, size: int) -> None:
    printed = 'a "quoted" \\ path\\u0041 /\b\f\n\r\t\x1b[31m \x00 é ≤ 😀\u2028 𝄞'
    stored = json.dumps([{"message": printed}, {"message": printed[::-1]}], ensure_ascii=escaped).encode()
    assert texts(stored, size) == [printed, printed[::-1]]


@pytest.mark.parametrize("size", PIECES)
def test_incomplete_characters_and_invalid_bytes_are_replaced(size: int) -> None:
    stored = (
        b'[{"message":"a\\ud83d"},{"message":"\\ude00b"},{"message":"\\ud83d\\ud83d\\ude00c"},{"message":"\xff\xc3"}]'
    )
    assert texts(stored, size) == ["a�", "�b", "�😀c", "��"]
    "".join(texts(stored, size)).encode()


@pytest.mark.parametrize("size", PIECES)
def test_unknown_fields_of_a_message_are_ignored(size: int) -> None:
    more: dict[str, Any] = {
        "a": None,
        "b": [1, -2.5e3, True, {"message": "not this ]}", "c": []}],
        "d": {},
        "e": '\\"',
        "message": "yes",
    }
    stored = json.dumps(
        [more, {"message": None, "type": 7, "time": "yesterday"}, {"time": None}, {}], indent=1
    ).encode()
    assert read(stored, size) == [OutputMessage(text="yes")] + [OutputMessage(text="")] * 3


def test_a_time_without_a_zone_is_ignored() -> None:
    assert read(b'[{"message":"a","time":"2026-11-24T12:00:00"}]') == [OutputMessage(text="a")]


@pytest.mark.parametrize("size", PIECES)
@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (b"<?xml version='1.0'?><Error/>", "$[0]: expected [, got"),
        (b'{"message":"Not found"}', "$[0]: expected [, got"),
        (b'[{"message":"a"}', "$[1]: expected , or ], got the end"),
        (b'[{"message":"a"},', "$[1]: expected {, got the end"),
        (b'[{"message":"a"},]', "$[1]: expected {, got ']'"),
        (b'[{"message":"a"} {"message":"b"}]', "$[1]: expected , or ], got"),
        (b'[{"message":"a', "$[0]: expected the end of a string, got the end"),
        (b'[{"message":"a\\', "$[0]: expected the end of a string, got '\\\\'"),
        (b'[{"message":"a\\u12', "$[0]: expected the end of a string, got '\\\\u12'"),
        (b'[{"message":"a\\u12zz.....', "$[0]: expected an escape, got"),
        (b'[{"message":"a\\x.........', "$[0]: invalid escape in"),
        (b'[{"message":7}]', "$[0].message: expected a string"),
        (b'[{"message":["a"]}]', "$[0].message: expected a string"),
        (b'[{"message"}]', "$[0]: expected :, got"),
        (b'[{"a":nul}]', "$[0]: expected a value, got"),
        (b'[{"a":01}]', "$[0]: expected a value, got"),
        (b'[{"a":NaN}]', "$[0]: expected a value, got"),
        (b'[{"a":NaN,"message":"a"}]', "$[0]: expected a value, got"),
        (b'[{"a":}]', "$[0]: expected a value, got"),
        (b'[{"a":[}', "$[0]: expected"),
        (b'[{message:"a"}]', '$[0]: expected ", got'),
        (b'["a"]', "$[0]: expected {, got"),
        (b"[]]", "$: expected the end"),
        (b'[{"message":"a"}] x', "$: expected the end"),
        (b'[{"' + b"k" * 1000 + b'":1}]', "expected a shorter string"),
        (b'[{"a":' + b"1" * 1000, "$[0]: expected"),
        (b"[" * 5000, "$[0]: expected {, got"),
        (b'[{"a":' + b"[" * 5000, "$[0]: expected a value, got the end"),
    ],
)
def test_a_fault_is_reported_with_its_place(stored: bytes, message: str, size: int) -> None:
    if len(stored) > 500 and size < 100:
        size = 100
    with pytest.raises(MalformedOutput) as caught:
        read(stored, size)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 200


def test_messages_before_a_fault_are_yielded() -> None:
    reader = JsonMessages()
    feeding = reader.feed(b'[{"message":"a"},{"message":"b"},oops]')
    assert [next(feeding).text, next(feeding).text] == ["a", "b"]
    with pytest.raises(MalformedOutput, match=r"\$\[2\]: expected {, got 'oops\]'"):
        next(feeding)


MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"message": st.text(), "type": st.sampled_from(["out", "err"])},
        optional={"time": st.none() | st.just("2026-11-24T12:00:00Z"), "more": st.recursive(st.none(), st.lists)},
    )
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MESSAGES, st.integers(1, 40), st.booleans(), st.sampled_from([None, 1]))
def test_any_messages_in_any_pieces_are_parsed_like_json(
    messages: list[dict[str, Any]], size: int, escaped: bool, indent: int | None
) -> None:
    stored = json.dumps(messages, ensure_ascii=escaped, indent=indent).encode()
    assert [(each.text, each.type) for each in read(stored, size)] == [
        (each["message"], each["type"]) for each in messages
    ]


@pytest.mark.parametrize("order", [("type", "time", "message"), ("message", "time", "type")])
def test_a_long_message_is_yielded_in_parts(order: tuple[str, ...]) -> None:
    printed = "".join(f"{number:09d}\n" for number in range(30_000))
    message = {"message": printed, "time": "2026-11-24T12:00:00Z", "type": "err"}
    stored = json.dumps([{name: message[name] for name in order}, {"message": "then"}]).encode()
    parts = read(stored, 10_000)
    assert "".join(part.text for part in parts) == f"{printed}then"
    assert len(parts) > 4
    assert max(len(part.text) for part in parts) < MAX_MESSAGE + 10_000
    known = [part.type for part in parts[:-1]]
    assert known == (["err"] * len(known) if order[0] == "type" else [None] * (len(known) - 1) + ["err"])


def test_a_long_message_needs_little_memory() -> None:
    line = b"a line of a log that goes on and on, with colours \\u001b[31mred\\u001b[0m\\r\\n" * 1000
    count = 200
    reader = JsonMessages()
    given = sum(len(message.text) for message in reader.feed(b'[{"message":"'))
    tracemalloc.start()
    try:
        for _ in range(count):
            given += sum(len(message.text) for message in reader.feed(line))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    given += sum(len(message.text) for message in [*reader.feed(b'"}]'), *reader.end()])
    assert given == count * len(json.loads(b'"' + line + b'"'))
    assert peak < 4 * 1024 * 1024 < count * len(line) / 3


def test_plain_text_is_yielded_piece_by_piece() -> None:
    data = "é ≤ 😀\n".encode() + b"\xff\xc3"
    for size in PIECES:
        parts = read(data, size, TextMessages())
        assert "".join(part.text for part in parts) == "é ≤ 😀\n��"
        assert {(part.type, part.time) for part in parts} == {(None, None)}
    assert read(b"", reader=TextMessages()) == []
