"""Artifacts."""

from attrs import frozen

__all__ = ["Artifact"]


@frozen(kw_only=True)
class Artifact:
    """A file that a job stored: `GET /project/{project-slug}/{job-number}/artifacts`.

    The path comes from the build and is kept as it is, however odd; a download refuses one that is unsafe.
    """

    path: str
    node_index: int
    """Which of the job's parallel runs stored it."""
    url: str
    """Where to download it: another host than the API's, which wants the token too."""
