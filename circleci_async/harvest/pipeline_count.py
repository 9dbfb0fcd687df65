"""Counts the pipelines that discovery has read, and estimates how many it will read."""

from datetime import datetime

from attrs import define

from ..models.pipelines import Pipeline


@define
class _Listed:
    """How far the list of a project's pipelines is read."""

    newest: Pipeline
    selected: int = 0
    expected: int | None = None


class PipelineCount:
    """Pipelines that are read, and how many are expected in all projects.

    The list of a project is newest first, so its remaining length is estimated from the numbers, or from the dates
    up to `since`, that were read.
    """

    def __init__(self) -> None:
        self.read: int = 0
        self.projects: int = 0
        """Projects whose pipelines are all listed; 0 if the run ends at the first that has what it needs."""
        self._given: int | None = None
        self._listed: dict[str, _Listed] = {}

    def given(self, count: int) -> None:
        """Set the number of pipelines that are given by id."""
        self._given = count

    def listed(self, project: str, pipeline: Pipeline, since: datetime | None, *, is_selected: bool) -> None:
        """Count the next pipeline of a project's list, and estimate the number of selected ones in the list."""
        listed = self._listed.setdefault(project, _Listed(pipeline))
        listed.selected += is_selected
        newest = listed.newest
        parts: list[float] = []
        if newest.number > 0:
            parts.append((newest.number - pipeline.number + 1) / newest.number)
        if since is not None and newest.created_at > since:
            parts.append((newest.created_at - pipeline.created_at) / (newest.created_at - since))
        is_measured = since is None or pipeline.created_at < newest.created_at
        if is_measured and parts and max(parts) > 0:
            listed.expected = round(listed.selected / max(parts))

    def ended(self, project: str) -> None:
        """Record that the list of a project has ended: the listed pipelines are all."""
        if listed := self._listed.get(project):
            listed.expected = listed.selected
        else:
            self.projects -= 1

    @property
    def expected(self) -> int | None:
        """The estimated number of pipelines; None while it is unknown."""
        if self._given is not None:
            return self._given
        if not self.projects:
            return None
        known = [each.expected for each in self._listed.values() if each.expected is not None]
        if not known:
            return None
        return max(self.read, round(sum(known) / len(known) * self.projects))
