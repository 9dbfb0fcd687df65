"""Lists jobs again if the storage refuses their artifacts: listed URLs expire."""

from contextlib import aclosing

from ..config.log import log
from ..core.fan_out import fan_out
from ..core.session import Session
from ..endpoints.artifacts import Artifacts
from ..errors import ApiError, CircleCIError, LedgerError
from .ledger.queue import LedgerQueue
from .ledger.records import QueuedArtifact

MAX_CONCURRENCY = 6
"""Jobs that are listed concurrently."""

EXPIRED = frozenset({400, 403})
"""Statuses with which a storage refuses an expired signature."""


class UrlRenewal:
    """Collects the jobs of refused artifacts, and updates the URLs of their pending artifacts before the next round."""

    def __init__(self, session: Session, queue: LedgerQueue) -> None:
        self._artifacts = Artifacts(session)
        self._credentials = session.state.credentials
        self._queue = queue
        self._jobs: set[tuple[str, int]] = set()

    def note(self, artifact: QueuedArtifact, error: CircleCIError) -> bool:
        """Note that a download failed; return whether a new URL can help, since the storage refused it."""
        if artifact.kind != "artifacts" or not isinstance(error, ApiError) or error.status not in EXPIRED:
            return False
        if not error.redirected and self._credentials.trusts(artifact.url):  # CircleCI itself refused it
            return False
        self._jobs.add((artifact.project, artifact.job))
        return True

    async def renew(self) -> None:
        """List the noted jobs again, once each. If a list fails, its artifacts keep their URLs.

        Raises `LedgerError`.
        """
        jobs, self._jobs = self._jobs, set()
        async with aclosing(fan_out(jobs, self._renew, concurrency=MAX_CONCURRENCY)) as outcomes:
            async for (project, number), error in outcomes:
                if isinstance(error, LedgerError):
                    raise error
                if isinstance(error, CircleCIError):
                    log.info("harvest: job %d of %s was not listed again: %s", number, project, error)
                elif error is not None:
                    raise error

    async def _renew(self, job: tuple[str, int]) -> None:
        project, number = job
        async with aclosing(self._artifacts.list(project, number).pages()) as pages:
            async for page in pages:
                await self._queue.renew_urls(project, number, page.items)
