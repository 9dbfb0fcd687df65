"""Variables with values that the API never gives back."""

import re
from datetime import datetime

from attrs import define, field

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""What the name of a variable is made of."""


@define(eq=False)
class EnvironmentVariable:
    """A variable of a project."""

    name: str
    value: str = field(repr=False)
    created_at: datetime


def ending(value: str) -> str:
    """Give the part of a value that the API shows: the last four characters, but never all of them."""
    return value[max(1, len(value) - 4) :]
