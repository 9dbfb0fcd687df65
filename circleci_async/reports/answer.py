"""One question that a report answers."""

from typing import Any

from attrs import frozen

__all__ = ["InsightsAnswer"]


@frozen(kw_only=True)
class InsightsAnswer:
    """A question, its answer in one or two sentences, and the table behind its chart."""

    key: str
    """`failures`, `waits`, `jobs`, `flaky_tests`, `credits`, `queue`, `sizing` or `changes`."""
    question: str
    text: str
    """Without data, what is missing."""
    rows: tuple[dict[str, Any], ...] = ()
    """The data of the chart; all rows have the same keys. Empty without data."""
