"""Reads parts of the insights of a project, and keeps what cannot be read apart."""

import asyncio
from collections.abc import Awaitable, Callable

from attrs import define, field

from ..errors import CircleCIError
from ..projects.given import GivenProjects
from .failure import InsightsFailure
from .reading import FATAL


@define
class Attempts:
    """The attempts to read the parts of a project."""

    project: str
    permits: asyncio.Semaphore
    """How many parts are read at a time, over all projects."""
    failures: list[InsightsFailure] = field(factory=list[InsightsFailure])

    async def read(
        self, kind: str, workflow: str | None, read: Callable[[], Awaitable[object]]
    ) -> CircleCIError | None:
        """Read a part, and return the error that it failed with. Raises the errors in `FATAL`."""
        try:
            async with self.permits:
                await read()
        except FATAL:
            raise
        except CircleCIError as error:
            self.failures.append(InsightsFailure(project=self.project, kind=kind, workflow=workflow, error=error))
            return error
        return None


def organization_failures(given: GivenProjects) -> list[InsightsFailure]:
    """Return the organizations whose projects could not be listed."""
    return [
        InsightsFailure(project=organization, kind="projects", error=error)
        for organization, error in given.organizations.items()
        if error is not None
    ]
