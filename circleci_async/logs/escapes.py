"""Text without the codes that drive a terminal. Pure; codes may be split over any pieces of it."""

import re

LONGEST_CODE = 128
"""Characters that a code which is not whole yet may have; beyond, it is none."""

# ESC [ …: colours, cursor movements, erasing. The one-character forms of this and the next (U+009B, U+009D) are not
# heeded: in logs they come from text in a wrong encoding, and would swallow what follows.
_CSI = r"\x1b\[[0-?]*[ -/]*[@-~]"
# ESC ] … BEL and the like: titles, links, images. What stands between may be long; a newline ends one that nobody ends.
_STRING = re.compile(r"\x1b[\]PX^_]")
_STRING_END = re.compile(r"[\x07\x1b\n]")
_OTHER = r"\x1b[ -/]*[0-Z\\`-~]"
# Controls but for backspace, tab, newline and carriage return, which say where text goes.
_CONTROLS = r"[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]"

_CODE = re.compile(rf"{_CSI}|{_OTHER}|{_CONTROLS}|\x1b")  # the last: one that begins no code
_BEGUN = re.compile(r"\x1b(?:\[[0-?]*)?[ -/]*\Z")
_ANY = re.compile(r"[\x00-\x07\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Escapes:
    """Takes escape sequences and control characters out of text that comes in pieces.

    Backspaces, tabs, newlines and carriage returns stay.
    """

    def __init__(self) -> None:
        self._begun = ""
        """A code that is not whole yet."""
        self._in_string = False

    def strip(self, text: str) -> str:
        """Return what is left of the next piece; a code at its end that is not whole is kept for the next one."""
        if not self._begun and not self._in_string and not _ANY.search(text):
            return text
        text, self._begun = self._begun + text, ""
        kept: list[str] = []
        at = 0
        while at < len(text):
            if self._in_string:
                at = self._skip_string(text, at)
                continue
            string = _STRING.search(text, at)
            plain = text[at : string.start() if string else None]
            if not string and (begun := _BEGUN.search(plain)):
                plain = plain[: begun.start()]
                self._begun = begun[0] if len(begun[0]) <= LONGEST_CODE else ""
            kept.append(_CODE.sub("", plain))
            at = string.end() if string else len(text)
            self._in_string = string is not None
        return "".join(kept)

    def _skip_string(self, text: str, at: int) -> int:
        """Return where the text goes on after a string that began before `at`; its end may still be to come."""
        end = _STRING_END.search(text, at)
        if end is None:
            return len(text)
        self._in_string = False
        return end.end() if end[0] == "\x07" else end.start()  # ESC \ is a code like others, of two characters
