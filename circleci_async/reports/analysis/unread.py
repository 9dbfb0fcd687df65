"""Answers without data because it could not be read."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from attrs import evolve

from ...errors import NotFound
from ..answer import InsightsAnswer
from ..wording import listed, name

if TYPE_CHECKING:
    from ..failure import InsightsFailure

MAX_NAMED: Final = 3

_NEEDED: Final[dict[str, frozenset[str]]] = {
    "runs": frozenset({"projects", "workflows", "runs"}),
    "jobs": frozenset({"projects", "workflows", "jobs"}),
    "flaky tests": frozenset({"projects", "flaky_tests"}),
    "usage": frozenset({"usage"}),
}
"""The kinds of failures after which rows are missing. Nothing is read of a project that is not found, but usage."""

_SOURCES: Final = {
    **dict.fromkeys(("failures", "waits", "credits"), "runs"),
    "jobs": "jobs",
    "flaky_tests": "flaky tests",
    **dict.fromkeys(("queue", "sizing"), "usage"),
}
"""By the key of an answer: the rows that it is made of."""


def unread(answer: InsightsAnswer, failures: "Iterable[InsightsFailure]") -> InsightsAnswer:
    """Return the answer; one without data names what of it could not be read, if anything."""
    if answer.rows or answer.key not in _SOURCES:
        return answer
    source = _SOURCES[answer.key]
    is_of_project = source != "usage"
    projects = list(
        dict.fromkeys(
            name(each.project)
            for each in failures
            if each.kind in _NEEDED[source]
            or (is_of_project and each.kind == "project" and isinstance(each.error, NotFound))
        )
    )
    if not projects:
        return answer
    return evolve(answer, text=f"The {source} of {listed(projects, MAX_NAMED)} could not be read.")
