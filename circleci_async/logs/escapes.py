"""Removing terminal escape codes from text that arrives in pieces. No I/O."""

import re

MAX_CODE = 128
"""Characters of an incomplete code; longer ones are discarded."""

# ESC [ …: colors, cursor movements, erasing. The one-character forms of this and the next (U+009B, U+009D) are ignored:
# in logs they result from a wrong encoding, and would remove the text after them.
_CSI = r"\x1b\[[0-?]*[ -/]*[@-~]"
# ESC ] … BEL and similar: titles, links, images. The content can be long; a newline ends an unterminated one.
_STRING = re.compile(r"\x1b[\]PX^_]")
_STRING_END = re.compile(r"[\x07\x1b\n]")
_OTHER = r"\x1b[ -/]*[0-Z\\`-~]"
# Control characters except backspace, tab, newline and carriage return, which move the cursor.
_CONTROLS = r"[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]"

_CODE = re.compile(rf"{_CSI}|{_OTHER}|{_CONTROLS}|\x1b")  # the last: ESC without a code
ANY_CODE = re.compile(rf"{_CSI}|{_STRING.pattern}[^\x07\x1b\n]*\x07?|{_OTHER}|{_CONTROLS}|[\b\x1b]")
"""A code or a control character, but tabs, newlines and carriage returns, in a whole text."""

_BEGUN = re.compile(r"\x1b(?:\[[0-?]*)?[ -/]*\Z")
_ANY = re.compile(r"[\x00-\x07\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Escapes:
    """Removes escape codes and control characters from text; a code can be split between pieces.

    Backspaces, tabs, newlines and carriage returns are kept.
    """

    def __init__(self) -> None:
        self._begun = ""
        """An incomplete code."""
        self._in_string = False

    def strip(self, text: str) -> str:
        """Return the next piece without codes; an incomplete code at its end is buffered."""
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
                self._begun = begun[0] if len(begun[0]) <= MAX_CODE else ""
            kept.append(_CODE.sub("", plain))
            at = string.end() if string else len(text)
            self._in_string = string is not None
        return "".join(kept)

    def _skip_string(self, text: str, at: int) -> int:
        """Return the index after a string that began before `at`, or the end of the text if its end is missing."""
        end = _STRING_END.search(text, at)
        if end is None:
            return len(text)
        self._in_string = False
        return end.end() if end[0] == "\x07" else end.start()  # ESC \ is a code of two characters
