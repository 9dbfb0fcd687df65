"""What SQLite can store: builds and servers send text and numbers that it refuses."""

import sqlite3
from typing import Final

from ...errors import CircleCIError, LedgerError
from ...untrusted_text import is_valid_unicode

MAX_INTEGER: Final = 2**63 - 1


class Unusable(CircleCIError):
    """An item has a number or a name that the ledger cannot store."""


def valid_text(value: str) -> str:
    """Escape unpaired surrogates, which SQLite refuses."""
    return value.encode("utf-8", "backslashreplace").decode()


def error_text(error: Exception) -> str:
    """Return the message of an error as text that SQLite accepts."""
    return valid_text(str(error) or type(error).__name__)


def bounded_integer(number: int) -> int:
    """Return an integer, or the nearest one that fits into a column."""
    return max(-MAX_INTEGER, min(number, MAX_INTEGER))


def is_storable(number: int) -> bool:
    """Return whether a number is not negative and fits into a column."""
    return 0 <= number <= MAX_INTEGER


def check_number(name: str, number: int) -> None:
    """Raise `Unusable` for a number that is not storable."""
    if not is_storable(number):
        raise Unusable(f"{name} {number} is invalid: expected 0 to {MAX_INTEGER}")


def check_text(name: str, text: str) -> None:
    """Raise `Unusable` for text that is not valid Unicode."""
    if not is_valid_unicode(text):
        raise Unusable(f"{name} {text!r} is invalid: it is not valid Unicode text")


def is_value_error(error: Exception) -> bool:
    """Return whether an error of a statement is caused by its values, and not by the ledger file."""
    if isinstance(error, sqlite3.Error):
        return isinstance(error, sqlite3.DataError | sqlite3.InterfaceError | sqlite3.ProgrammingError)
    return not isinstance(error, OSError | LedgerError)
