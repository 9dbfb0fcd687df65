"""The result of downloading many artifacts."""

from attrs import frozen

from ..errors import DownloadError
from ..models.artifacts import Artifact
from ..untrusted_text import named, shown_list
from .download import Download

__all__ = ["DownloadReport", "Failure"]

MAX_SHOWN = 10
"""Failures that an error names."""


@frozen(kw_only=True)
class Failure:
    """An artifact that could not be downloaded, and the error. `artifact` is None if the list of artifacts failed."""

    artifact: Artifact | None
    error: Exception

    def __str__(self) -> str:
        name = "the list of artifacts" if self.artifact is None else named(self.artifact.path)
        message = str(self.error)
        return message if message.startswith(name) else f"{name}: {message}"


@frozen(kw_only=True)
class DownloadReport:
    """The result of downloading many artifacts."""

    files: tuple[Download, ...]
    failed: tuple[Failure, ...]
    seconds: float

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(file.size for file in self.files)

    def raise_for_failures(self) -> None:
        """Raise `DownloadError`, which names the failures, if there are any."""
        if not self.failed:
            return
        lines = [str(failure) for failure in self.failed]
        total = len(self.failed) + len(self.files)
        more = [f"and {len(lines) - MAX_SHOWN} more"] if len(lines) > MAX_SHOWN else []
        heading = f"{len(self.failed)} of {total} artifacts failed:"
        raise DownloadError(shown_list(heading, lines[:MAX_SHOWN] + more)) from self.failed[0].error
