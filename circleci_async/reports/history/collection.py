"""The result of a collection."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from attrs import frozen

from ..failure import InsightsFailure

__all__ = ["InsightsChanges", "InsightsCollection"]

T = TypeVar("T")


@frozen
class InsightsChanges:
    """How many rows of a table are new or different."""

    added: int = 0
    changed: int = 0

    def __add__(self, other: "InsightsChanges") -> "InsightsChanges":
        return InsightsChanges(self.added + other.added, self.changed + other.changed)


@frozen(kw_only=True)
class InsightsCollection:
    """What a collection added to a history."""

    location: str
    """The folder or bucket of the history."""
    projects: tuple[str, ...]
    """The slugs of the projects."""
    runs: InsightsChanges = InsightsChanges()
    jobs: InsightsChanges = InsightsChanges()
    """Rows of a job, branch and day."""
    tests: InsightsChanges = InsightsChanges()
    flaky_tests: InsightsChanges = InsightsChanges()
    failures: tuple[InsightsFailure, ...] = ()
    """What could not be read. The next collection reads it again."""
    requests: int = 0
    """The requests that were sent."""

    @property
    def is_complete(self) -> bool:
        """Whether everything could be read."""
        return not self.failures


def count_changes(added: Sequence[T], removed: Sequence[T], identity: Callable[[T], Hashable]) -> InsightsChanges:
    """Count rows that were added; as changed if one with the same identity was removed, in any partition."""
    after, before = Counter(map(identity, added)), Counter(map(identity, removed))
    changed = (after & before).total()
    return InsightsChanges(after.total() - changed, changed)
