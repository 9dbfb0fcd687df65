"""Small charts of one line of text."""

from collections.abc import Sequence
from statistics import fmean
from typing import Final

_BARS: Final = "▁▂▃▄▅▆▇█"
_MISSING: Final = " "


def sparkline(values: Sequence[float | None], width: int) -> str:
    """Return at most `width` bars from 0 to the largest value. A space stands for a missing value.

    Where there are more values than bars, a bar is the mean of some of them.
    """
    size = max(1, -(-len(values) // width))
    means = [_mean(values[at : at + size]) for at in range(0, len(values), size)]
    largest = max((mean for mean in means if mean is not None), default=0.0) or 1.0
    return "".join(_MISSING if mean is None else _bar(mean / largest) for mean in means)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _bar(share: float) -> str:
    return _BARS[min(int(share * len(_BARS)), len(_BARS) - 1)]
