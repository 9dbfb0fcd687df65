"""Artifacts."""

from attrs import frozen

__all__ = ["Artifact"]


@frozen(kw_only=True)
class Artifact:
    """A file that a job stored: `GET /project/{project-slug}/{job-number}/artifacts`.

    The path is unchanged from the build. A download rejects an unsafe path.
    """

    path: str
    node_index: int
    """The index of the parallel run that stored it."""
    url: str
    """The URL to download from, on a host that requires the token, too."""
