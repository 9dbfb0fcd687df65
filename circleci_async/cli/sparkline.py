"""Small charts of one line of text."""

from collections.abc import Sequence
from statistics import fmean
from typing import Final

_LEVELS: Final = "▁▂▃▄▅▆▇█"
_FULL: Final = "█"
_MISSING: Final = " "


def sparkline(values: Sequence[float | None], width: int, largest: float) -> str:
    """Return at most `width` columns on a scale from 0 to `largest`. A space stands for a missing value.

    Where there are more values than columns, a column is the mean of some of them.
    """
    size = max(1, -(-len(values) // width))
    means = [_mean(values[at : at + size]) for at in range(0, len(values), size)]
    return "".join(_MISSING if mean is None else _level(mean / (largest or 1)) for mean in means)


def bar(share: float, width: int) -> str:
    """Return a bar of at most `width` columns, and at least one, followed by spaces up to `width`."""
    return f"{_FULL * min(width, max(1, round(share * width))):{width}}"


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _level(share: float) -> str:
    return _LEVELS[max(0, min(int(share * len(_LEVELS)), len(_LEVELS) - 1))]
