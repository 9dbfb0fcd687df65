"""Splitting printed text into lines, as printed or as a terminal shows them."""

import math
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circleci_async.logs.escapes import Escapes
from circleci_async.logs.lines import MAX_LINE, Line, splitter


def shown(text: str, size: int = 10**9, *, ansi: bool = False) -> str:
    """Return all lines with their newlines, of text in pieces of `size` characters."""
    return "".join(line.with_newline for line in lines(text, size, ansi=ansi))


def lines(text: str, size: int = 10**9, *, ansi: bool = False) -> list[Line]:
    found = splitter(ansi=ansi)
    given = [line for at in range(0, len(text), size) for line in found.feed(text[at : at + size])]
    return [*given, *found.end()]


CODES = {
    "colour": ("a\x1b[1;31mred\x1b[0mz", "aredz"),
    "bare colour": ("a\x1b[mz", "az"),
    "cursor": ("a\x1b[2K\x1b[1G\x1b[?25l\x1b[>4;2mz", "az"),
    "with intermediates": ("a\x1b[1 q\x1b[!pz", "az"),
    "title": ("a\x1b]0;make test\x07z", "az"),
    "title, ended otherwise": ("a\x1b]0;make test\x1b\\z", "az"),
    "title, never ended": ("a\x1b]0;make test\nz", "a\nz"),
    "title, cut by a code": ("a\x1b]0;make\x1b[31mz", "az"),
    "link": ("\x1b]8;;https://example.com\x1b\\here\x1b]8;;\x1b\\", "here"),
    "image": ("a\x1b]1337;File=:" + "QUJD" * 500 + "\x07z", "az"),
    "device control": ("a\x1bPq#0;2;0\x1b\\z\x1b_app\x1b\\.\x1b^pm\x1b\\.\x1bXsos\x1b\\.", "az..."),
    "character set": ("a\x1b(B\x1b)0z", "az"),
    "two characters": ("a\x1b7\x1b8\x1b=\x1bc\x1bMz", "az"),
    "bell and others": ("a\x07\x00\x0e\x0f\x7f\x85\x0bz", "az"),
    "text in a wrong encoding": ("â\x80\x9dquoted\x9d and \x9b3 \x90so on", "âquoted and 3 so on"),
    "no code": ("a\x1b[3\nz\x1b", "a[3\nz"),
    "tab": ("a\tz", "a\tz"),
    "unfinished": ("a\x1b[31", "a"),
    "unfinished title": ("a\x1b]0;make", "a"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 10**9])
@pytest.mark.parametrize(("printed", "left"), CODES.values(), ids=CODES)
def test_codes_are_removed_even_if_split_between_pieces(printed: str, left: str, size: int) -> None:
    assert shown(printed, size) == left
    assert shown(f"{printed}\n", size, ansi=True) == f"{printed}\n"


def test_text_too_long_for_a_code_is_kept() -> None:
    assert shown("a\x1b[" + "1" * 300) == "a"
    assert shown("a\x1b[" + "1" * 300, 200) == "a" + "1" * 103


def test_an_endless_code_is_not_buffered() -> None:
    escapes = Escapes()
    assert escapes.strip("\x1b[") == ""
    stripped = [escapes.strip("1" * 100) for _ in range(1000)]
    assert stripped[2:] == ["1" * 100] * 998


OVERWRITTEN = {
    "progress": ("10 %\r20 %\r100 %\ndone\n", "100 %\ndone\n"),
    "progress that is shorter in the end": ("downloading 99 %\rdone\n", "done\n"),
    "progress with codes": ("\x1b[2K\r10 %\x1b[2K\r20 %\n", "20 %\n"),
    "line ends of a terminal": ("a\r\nb\r\n\r\nc\r\r\n", "a\nb\n\nc\n"),
    "return at the end": ("a\nb\r", "a\nb"),
    "return at the beginning": ("\ra\r\n", "a\n"),
    "blanked": ("10 %\r    \r\n", "    \n"),
    "spinner": ("wait |\b/\b-\b\\\n", "wait \\\n"),
    "wiped out": ("12345\b\b\b\b\b.\n", ".2345\n"),
    "struck over": ("N\bNA\bAM\bME\bE\n", "NAME\n"),
    "back too far": ("a\b\b\bb\n", "b\n"),
    "back and return": ("ab\b\rc\n", "c\n"),
    "back, and then an end": ("ab\b\n", "ab\n"),
    "no end": ("a\nb", "a\nb"),
    "only ends": ("\n\n", "\n\n"),
}


@pytest.mark.parametrize("size", [1, 2, 3, 10**9])
@pytest.mark.parametrize(("printed", "left"), OVERWRITTEN.values(), ids=OVERWRITTEN)
def test_the_last_state_of_overwritten_text_is_left(printed: str, left: str, size: int) -> None:
    assert shown(printed, size) == left


@pytest.mark.parametrize("size", [1, 2, 10**9])
def test_printed_lines_keep_everything_but_their_newlines(size: int) -> None:
    printed = "\x1b[31m10 %\r20 %\x1b[0m\r\nb\b\n\nc"
    assert [line.text for line in lines(printed, size, ansi=True)] == ["\x1b[31m10 %\r20 %\x1b[0m", "b\b", "", "c"]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(alphabet="ab\n\r\b\t\x1b[]0;m\x07\\", max_size=60), st.integers(1, 9))
def test_the_size_of_the_pieces_makes_no_difference(printed: str, size: int) -> None:
    assert lines(printed, size) == lines(printed)
    assert lines(printed, size, ansi=True) == lines(printed, ansi=True)


@pytest.mark.parametrize("ansi", [False, True])
@pytest.mark.parametrize("size", [1000, 10**9])
def test_an_endless_line_is_yielded_in_parts(ansi: bool, size: int) -> None:
    printed = "".join(f"{number:07d}," for number in range(20_000))
    parts = lines(f"{printed}\nnext", size, ansi=ansi)
    assert [len(part.text) for part in parts] == [MAX_LINE, MAX_LINE, len(printed) - 2 * MAX_LINE, 4]
    assert [part.ended for part in parts] == [False, False, True, False]
    assert "".join(part.with_newline for part in parts) == f"{printed}\nnext"


def test_an_endless_progress_bar_needs_little_memory() -> None:
    found = splitter(ansi=False)
    for percent in range(100_000):
        assert list(found.feed(f"\r{percent} of many")) == []
    assert list(found.end()) == [Line("99999 of many", ended=False)]


def seconds_to_overwrite(before: int) -> float:
    """Return the CPU time of many overwritten characters at the start of a line of `before` characters."""
    best = math.inf
    for _ in range(3):
        found = splitter(ansi=False)
        assert list(found.feed("x" * before + "\b" * (before // 2))) == []
        began = time.process_time()
        assert list(found.feed("y\b" * 5_000)) == []
        best = min(best, time.process_time() - began)
    return best


def test_overwriting_takes_no_longer_in_a_long_line() -> None:
    assert seconds_to_overwrite(60_000) < 4 * seconds_to_overwrite(60)


@pytest.mark.parametrize("ansi", [False, True])
def test_single_characters_make_a_line(ansi: bool) -> None:
    found = splitter(ansi=ansi)
    text = "0123456789" * 7_000 + "\nnext"
    parts = [line for character in text for line in found.feed(character)]
    assert [len(part.text) for part in parts] == [MAX_LINE, 70_000 - MAX_LINE]
    assert [*found.end()] == [Line("next", ended=False)]
