"""Describe a value of a response that does not match its model."""

import json

from ..untrusted_text import MAX_QUOTED, quoted


class Fault(ValueError):
    """A value does not match the model. Its message is shown to the user."""

    def __init__(self, expected: str, value: object) -> None:
        super().__init__(f"expected {expected}, got {_describe(value)}")


def reason_of(error: BaseException) -> str:
    """Return why a value is faulty, from the error of its structure hook."""
    if isinstance(error, Fault):
        return str(error)
    if isinstance(error, KeyError):
        return "required, but absent"
    return f"invalid ({type(error).__name__})"


def _describe(value: object) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    number = json.dumps(value)
    return number if len(number) <= MAX_QUOTED else f"{number[:MAX_QUOTED]}…"
