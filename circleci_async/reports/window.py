"""The window of time that a report covers, and the limits of the API that apply to it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias, cast

from attrs import frozen

from ..core.when import When, parse_datetime, parse_length
from ..endpoints.insights import MAX_SPAN, ROUNDING
from ..errors import InvalidArgument
from ..models.insights import ReportingWindow

InsightsWindow: TypeAlias = str | timedelta | tuple[When, When | None]
"""The window of a report: a length until now, as text such as `90d`, `2w` or `12h` or as a timedelta, or a pair of its
start (inclusive) and its end (exclusive; None, or a time in the future, for now). See `When` for both."""

KEPT: Final = MAX_SPAN
"""How long CircleCI keeps insights."""

MAX_WINDOW: Final = timedelta(days=3_653)

REPORTING_WINDOWS: Final = {
    ReportingWindow.LAST_24_HOURS: timedelta(days=1),
    ReportingWindow.LAST_7_DAYS: timedelta(days=7),
    ReportingWindow.LAST_30_DAYS: timedelta(days=30),
    ReportingWindow.LAST_60_DAYS: timedelta(days=60),
    ReportingWindow.LAST_90_DAYS: timedelta(days=90),
}
"""The windows of the API's metrics, which end now, and their lengths."""


@frozen
class Window:
    """A span of time in UTC, from `start` (inclusive) to `end` (exclusive)."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """Return the length."""
        return self.end - self.start

    @property
    def last(self) -> datetime:
        """Return the last moment."""
        return self.end - timedelta.resolution

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end

    def before(self) -> "Window":
        """Return the window of the same length that ends where this one starts."""
        return Window(self.start - self.length, self.start)

    def pieces(self, max_length: timedelta = MAX_SPAN) -> "list[Window]":
        """Return adjacent windows, oldest first, of at most `max_length`, by default what the API allows."""
        starts: list[datetime] = []
        start = self.start
        while start < self.end:
            starts.append(start)
            start += max_length
        return [Window(*each) for each in zip(starts, [*starts[1:], self.end], strict=True)]

    def is_kept(self, now: datetime) -> bool:
        """Return whether CircleCI still has all runs of this window."""
        return now - self.start <= KEPT + ROUNDING

    def reporting_window(self, now: datetime) -> ReportingWindow:
        """Return the shortest window of the API that contains this one; the longest if none does."""
        age = now - self.start - ROUNDING
        fitting = (name for name, length in REPORTING_WINDOWS.items() if age <= length)
        return next(fitting, ReportingWindow.LAST_90_DAYS)

    def is_reporting_window(self, now: datetime) -> bool:
        """Return whether the API has metrics of just this window."""
        return abs(now - self.end) <= ROUNDING and self.length in REPORTING_WINDOWS.values()


def parse_window(value: InsightsWindow, now: datetime) -> Window:
    """Return the window that the argument `window` names. Raises `InvalidArgument`."""
    given: object = value  # of any type, for callers without a type checker
    pair = cast("Sequence[Any]", given) if isinstance(given, tuple | list) else ()
    if len(pair) == 2:
        start = parse_datetime("window[0]", pair[0], now)
        end = min(parse_datetime("window[1]", pair[1], now) or now, now)
        if start is None:
            raise InvalidArgument(f"window[0] is required: the start of the window, got {value!r}")
        if start >= now:
            raise InvalidArgument(f"window must start in the past, got the start {start}")
        if not start < end:
            raise InvalidArgument(f"window must end after its start {start}, got the end {end}")
    else:
        length = _length(value)
        if length > MAX_WINDOW:
            raise _too_long(value)
        start, end = now - length, now
    if end - start > MAX_WINDOW:
        raise _too_long(value)
    return Window(start.astimezone(UTC), end.astimezone(UTC))


def _length(given: object) -> timedelta:
    try:
        return parse_length("window", cast("str | timedelta", given))
    except InvalidArgument:
        raise InvalidArgument(
            "window must be a length such as '90d', '2w' or '12h', a positive timedelta, or a pair of start and end"
            f" such as ('2026-09-01', '2026-10-01'), got {given!r}"
        ) from None


def _too_long(given: object) -> InvalidArgument:
    return InvalidArgument(f"window must be at most 10 years long, got {given!r}")
