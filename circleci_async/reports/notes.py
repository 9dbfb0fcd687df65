"""The limits of the API that apply to a report, in words."""

from datetime import datetime, timedelta

from ..endpoints.usage import MAX_AGE
from .previous import DAYS_KEPT
from .window import KEPT, REPORTING_WINDOWS, Window
from .wording import length

_DAY = timedelta(days=1)


def notes_on(window: Window, now: datetime, *, exports_usage: bool) -> list[str]:
    """Return a sentence for each limit."""
    notes: list[str] = []
    if not window.is_kept(now):
        notes.append(f"CircleCI keeps insights for {DAYS_KEPT} days: runs before {now - KEPT:%Y-%m-%d} are missing")
    if now - window.end < _DAY:
        notes.append("CircleCI updates insights once a day: runs of the last day can be missing")
    if window.equal_reporting_window(now) is None:
        covered = REPORTING_WINDOWS[window.reporting_window(now)]
        notes.append(f"job metrics cover the last {length(covered)}, because CircleCI has them for fixed windows only")
    notes.append("test metrics cover the ten latest runs of each workflow")
    notes.append("flaky tests are counted by CircleCI until now, on all branches")
    if exports_usage and now - window.start > MAX_AGE:
        notes.append(f"usage exports reach back one year: usage before {now - MAX_AGE:%Y-%m-%d} is missing")
    return notes
