"""What a report or a collection could not read."""

from attrs import frozen

from ..errors import CircleCIError

__all__ = ["InsightsFailure"]


@frozen(kw_only=True)
class InsightsFailure:
    """Something that could not be read. The rest of the report does not contain it."""

    project: str
    """The slug of the project, or of the organization."""
    kind: str
    """`project`, `projects` of an organization, `workflows`, `runs`, `jobs`, `flaky_tests`, `tests` or `usage`."""
    error: CircleCIError
    workflow: str | None = None
