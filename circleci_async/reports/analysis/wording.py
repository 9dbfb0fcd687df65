"""Numbers with units, and names, in the sentences of a report."""

from collections.abc import Sequence
from typing import Final

from ...untrusted_text import shown

UNKNOWN: Final = "unknown"
"""The name of a resource class that is not known."""

MAX_NAME: Final = 60
"""Characters of a project, workflow, job or test in a sentence."""


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number and its noun: `1 file`, `2 files`."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def credit_count(credits: float) -> str:
    """Return a number of credits: `1,234 credits`."""
    return counted(round(credits), "credit")


def percent(share: float) -> str:
    """Return a share as `21 %`, below 10 % as `2.1 %`: rounder than in tables."""
    value = share * 100
    if 0 < abs(value) < 0.05:
        return "under 0.1 %"
    number = f"{value:.1f}".removesuffix(".0") if abs(value) < 9.95 else f"{value:,.0f}"
    return f"{number} %"


def name(*parts: str) -> str:
    """Return the names of a thing, such as project, workflow and job: one line, each of limited length."""
    return " ".join(shown(part, MAX_NAME) for part in parts if part)


def listed(items: Sequence[str]) -> str:
    """Return `a, b and c`."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)
