"""Secrets are replaced wherever the text is divided, in linear time, and everything else is kept."""

import json
import re
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.harvest.sources.patterns import DEFAULTS, Pattern, parse_scrub
from circleci_async.harvest.sources.scrub import MAX_SECRET, REPLACEMENT, Scrubber

from .tokens import EXAMPLES, KEY, OTHERS, A


def streamed(scrubber: Scrubber, pieces: list[str], *, ansi: bool = False) -> str:
    stream = scrubber.stream(ansi=ansi)
    return "".join([*map(stream.feed, pieces), stream.end()])


@pytest.mark.parametrize(("name", "secret", "kept"), EXAMPLES)
def test_each_common_token_is_replaced_wherever_the_text_is_divided(name: str, secret: str, kept: str) -> None:
    text, expected = f"before\t{secret}\nafter", f"before\t{kept}\nafter"
    whole = Scrubber(DEFAULTS)
    assert (whole.text(text), whole.counts) == (expected, {name: 1})
    for position in range(0, len(text), max(1, len(text) // 60)):
        scrubber = Scrubber(DEFAULTS)
        assert streamed(scrubber, [text[:position], text[position:]]) == expected
        assert scrubber.counts == {name: 1}


@pytest.mark.parametrize(("name", "secret", "kept"), [EXAMPLES[0], EXAMPLES[4], EXAMPLES[-3]])
def test_a_token_is_found_wherever_the_end_of_the_kept_text_is(name: str, secret: str, kept: str) -> None:
    """Text is returned when `2 * MAX_SECRET` characters are there, up to `MAX_SECRET` before its end."""
    for shift in range(-2, len(secret) + 3, 11):
        for limit in (MAX_SECRET, 2 * MAX_SECRET):
            before = "-" * (limit - shift - 1) + " "
            scrubber = Scrubber(DEFAULTS)
            stream = scrubber.stream()
            text = before + secret + " " + "." * 2 * MAX_SECRET
            pieces = [stream.feed(text[begin : begin + 65_521]) for begin in range(0, len(text), 65_521)]
            assert "".join([*pieces, stream.end()]) == text.replace(secret, kept)
            assert scrubber.counts == {name: 1}


@pytest.mark.parametrize("text", OTHERS)
def test_other_text_is_kept(text: str) -> None:
    scrubber = Scrubber(DEFAULTS)
    assert (scrubber.text(text), streamed(scrubber, list(text)), scrubber.counts) == (text, text, {})


def test_a_private_key_without_its_end_is_replaced_up_to_its_last_full_line() -> None:
    cut = KEY.partition("abc=")[0]
    assert Scrubber(DEFAULTS).text(cut + "done.") == REPLACEMENT + "done."


def test_several_secrets_are_counted_by_name() -> None:
    scrubber = Scrubber(DEFAULTS)
    text = f"ghp_{A} gho_{A} AKIAIOSFODNN7EXAMPLE https://u:ghp_{A}@host"
    assert scrubber.text(text) == "[scrubbed] [scrubbed] [scrubbed] https://u:[scrubbed]@host"
    assert scrubber.counts == {"github-token": 2, "aws-access-key-id": 1, "url-password": 1}


def test_a_secret_longer_than_the_kept_text_is_removed_with_the_rest_of_its_word() -> None:
    secret = "ghp_" + "a" * 5 * MAX_SECRET
    text = f"x {secret} y"
    scrubber = Scrubber(DEFAULTS)
    assert streamed(scrubber, [text[at : at + 1000] for at in range(0, len(text), 1000)]) == "x [scrubbed] y"
    assert scrubber.counts == {"github-token": 1}


UNITS = [
    *(
        "a",
        " ",
        "\\",
        "\\n",
        "\n",
        "eyJaaaaa.",
        "eyJa.",
        "://a:",
        "://a:b",
        "://" + "a" * 300,
        "://" + "0" * 40 + ":",
        "MTIz",
    ),
    *(
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n" + " " * 100,
        "-----BEGIN PRIVATE KEY-----\nA: b\n",
    ),
    *(
        "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVkt",
        "aws_secret_access_key" + " " * 12,
        "authorization: bearer ",
        "ghs_1_eyJ",
    ),
    *('"auth": "a', 'auth": "', "circle_token=a", "circle-token" + " " * 10, ":_auth", "a" * 16 + ".", "0Q~", "İAKIA"),
]


@pytest.mark.parametrize("unit", UNITS)
def test_hostile_text_takes_linear_time(unit: str) -> None:
    """With quadratic time, it would take minutes."""
    text = (unit * (250_000 // len(unit) + 1))[:250_000]
    Scrubber(DEFAULTS).text(text)


@pytest.mark.parametrize("pattern", DEFAULTS, ids=lambda each: each.name)
def test_repeated_beginnings_of_secrets_take_linear_time(pattern: Pattern) -> None:
    texts = [text for name, text, _ in EXAMPLES if name == pattern.name][:2]
    for unit in [*pattern.words[:2], *(text[:length] for text in texts for length in (len(text) // 2, len(text) - 1))]:
        Scrubber([pattern]).text((unit * (50_000 // len(unit) + 1))[:50_000])


def test_each_match_of_a_default_pattern_begins_with_one_of_its_words() -> None:
    """Else it would not be found."""
    for pattern in DEFAULTS:
        assert pattern.words
        for _, text, _ in EXAMPLES:
            for match in pattern.compile().finditer(text):
                words = tuple(word for word in pattern.words if word.islower())
                assert match.group().startswith(pattern.words) or match.group().lower().startswith(words)


def test_a_token_behind_characters_that_lower_case_makes_longer_is_found() -> None:
    assert Scrubber(DEFAULTS).text(f"İİİ ghp_{A} İ") == "İİİ [scrubbed] İ"


@pytest.mark.parametrize(("name", "secret", "kept"), EXAMPLES)
def test_each_common_token_is_found_inside_of_json(name: str, secret: str, kept: str) -> None:
    scrubber = Scrubber(DEFAULTS)
    assert scrubber.text(json.dumps({"message": f"a\n{secret}\nb"})) == json.dumps({"message": f"a\n{kept}\nb"})
    assert scrubber.counts == {name: 1}


# Escape codes


@pytest.mark.parametrize("code", ["\x1b[31m", "\x1b[0;1m", "\x1b]8;;http://x\x07", "\x1b(B", "\x00", "\x08"])
def test_a_token_with_a_code_inside_is_found_with_ansi(code: str) -> None:
    secret = f"ghp_{A}"
    for position in range(len(secret) + 1):
        text = f"a\x1b[1m b {secret[:position]}{code}{secret[position:]}\x1b[0m c"
        for division in (0, 9, 20, 30):
            scrubber = Scrubber(DEFAULTS)
            found = streamed(scrubber, [text[:division], text[division:]], ansi=True)
            assert found.replace(code, "") == "a\x1b[1m b [scrubbed]\x1b[0m c"
            assert scrubber.counts == {"github-token": 1}


def test_codes_around_a_token_are_kept_and_secrets_in_links_are_replaced_with_ansi() -> None:
    scrubber = Scrubber(DEFAULTS)
    text = f"\x1b[32mghp_{A}\x1b[0m \x1b]8;;https://u:pa55@host\x07link\x1b]8;;\x07 \x1b[1"
    expected = "\x1b[32m[scrubbed]\x1b[0m \x1b]8;;https://u:[scrubbed]@host\x07link\x1b]8;;\x07 \x1b[1"
    assert streamed(scrubber, list(text), ansi=True) == expected
    assert scrubber.counts == {"github-token": 1, "url-password": 1}


def test_long_output_with_codes_is_kept_with_ansi() -> None:
    text = "".join(f"\x1b[3{number % 8}mline {number}\x1b[0m\n" for number in range(20_000))
    scrubber = Scrubber(DEFAULTS)
    assert streamed(scrubber, [text[at : at + 997] for at in range(0, len(text), 997)], ansi=True) == text


# The patterns of the caller


def test_patterns_of_the_caller_add_to_the_default_ones() -> None:
    scrubber = Scrubber(parse_scrub(["hunter[0-9]", re.compile("PASSWORD=(?P<secret>.+)", re.IGNORECASE)]))
    assert scrubber.text(f"hunter2 password=x y\nghp_{A}") == "[scrubbed] password=[scrubbed]\n[scrubbed]"
    assert scrubber.counts == {"hunter[0-9]": 1, "PASSWORD=(?P<secret>.+)": 1, "github-token": 1}


def test_the_whole_match_is_replaced_without_the_group_secret() -> None:
    assert Scrubber(parse_scrub([r"id=(\d+)", "(?P<secret>x)?yz"])).text("id=12 yz xyz") == (
        "[scrubbed] [scrubbed] [scrubbed]yz"
    )


def test_a_pattern_can_look_around_and_match_over_lines() -> None:
    text = "a" * MAX_SECRET + "\nBEGIN\nx\nEND\n" + "b" * 2 * MAX_SECRET
    scrubber = Scrubber(parse_scrub([r"(?<=\n)BEGIN[^.]*?END(?=\n)"]))
    assert streamed(scrubber, [text[at : at + 999] for at in range(0, len(text), 999)]) == text.replace(
        "BEGIN\nx\nEND", REPLACEMENT
    )


def test_empty_matches_of_a_pattern_are_ignored() -> None:
    assert Scrubber([Pattern("b", r"\b|[0-9]+")]).text("ab 12 cd") == "ab [scrubbed] cd"


def test_false_replaces_nothing() -> None:
    text = f"ghp_{A}"
    assert Scrubber(parse_scrub(False)).text(text) == streamed(Scrubber(parse_scrub(False)), [text]) == text


@pytest.mark.parametrize(
    ("scrub", "message"),
    [
        ("abc", "scrub must be a list of regular expressions, None for the default ones, or False, got 'abc'"),
        (True, "scrub must be a list of regular expressions, None for the default ones, or False, got True"),
        (7, "scrub must be a list of regular expressions, None for the default ones, or False, got 7"),
        (["("], r"scrub must contain valid regular expressions, got '\(': missing"),
        (["x*"], r"scrub must not contain an expression that matches empty text, got 'x\*'"),
        ([""], "scrub must not contain an expression that matches empty text, got ''"),
        ([re.compile("a?")], r"scrub must not contain an expression that matches empty text, got re.compile"),
        ([re.compile(b"a")], r"scrub must contain regular expressions for text, got re.compile\(b'a'\)"),
        ([1], "scrub must contain regular expressions for text, got 1"),
        ([None], "scrub must contain regular expressions for text, got None"),
    ],
)
def test_invalid_patterns_are_refused(scrub: Any, message: str) -> None:
    with pytest.raises(ca.InvalidArgument, match=message):
        parse_scrub(scrub)


def test_the_default_patterns_are_public() -> None:
    assert set(ca.DEFAULT_SCRUB_PATTERNS) >= {name for name, *_ in EXAMPLES}
    assert all(re.compile(regex) for regex in ca.DEFAULT_SCRUB_PATTERNS.values())


# Plain data


def test_the_texts_of_plain_data_are_scrubbed_with_their_keys() -> None:
    scrubber = Scrubber(DEFAULTS)
    data = {"aws_secret_access_key": "w" * 40, "list": [f"ghp_{A}", 1, None, {"a: b": KEY}], f"ghp_{A}": True}
    assert scrubber.value(data) == {
        "aws_secret_access_key": "[scrubbed]",
        "list": ["[scrubbed]", 1, None, {"a: b": "[scrubbed]"}],
        "[scrubbed]": True,
    }
