"""Environment variables, whose values the API masks."""

import re
from datetime import datetime

from attrs import define, field

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""The syntax of a variable's name."""


@define(eq=False)
class EnvironmentVariable:
    """A variable of a project."""

    name: str
    value: str = field(repr=False)
    created_at: datetime


def ending(value: str) -> str:
    """Return the part of a value that the API shows: at most the last four characters, and never the whole value."""
    return value[max(1, len(value) - 4) :]
