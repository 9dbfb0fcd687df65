"""Records the files of jobs in the ledger, and queues the selected ones."""

from contextlib import aclosing

from ..errors import CircleCIError
from .backpressure import Backpressure
from .committer import Committer
from .layout import JobRef
from .ledger.catalog import Catalog
from .ledger.records import Recorded
from .ledger.values import check_number, check_text
from .list_reader import ListReader
from .progress import ProgressTracker
from .sources.sources import Sources


class FileLists:
    """Reads the list of the files of each job once, and queues those whose paths match `glob`.

    `queues_whole_jobs`: queue those of a job when its list is complete, so that each has its path.
    """

    def __init__(
        self,
        reader: ListReader,
        catalog: Catalog,
        committer: Committer,
        backpressure: Backpressure,
        progress: ProgressTracker,
        sources: Sources,
        *,
        glob: str | None,
        queues_whole_jobs: bool,
    ) -> None:
        self._reader = reader
        self._catalog = catalog
        self._committer = committer
        self._backpressure = backpressure
        self._progress = progress
        self._sources = sources
        self._glob = glob
        self._queues_whole_jobs = queues_whole_jobs

    async def queue_leftovers(self, project: str) -> None:
        """Queue what an earlier run with the same selection discovered and did not finish."""
        self._count(await self._catalog.queue_leftovers(project))

    async def queue(self, job: JobRef) -> bool:
        """Queue the selected files of a job whose list is recorded; return whether there are any."""
        if not await self._catalog.has_matching(job, self._glob):
            return False
        self._count_job(job, await self._catalog.queue_matching(job, self._glob))
        return True

    async def read(self, job: JobRef, *, is_finished: bool, is_queued: bool) -> bool:
        """Record all files of a job, unless the ledger has them, and queue those selected (`is_queued`).

        Return whether CircleCI will add some, although the job has finished. Once begun, the list is read to the end
        even if the run is stopped: downloaded files wait for their paths.
        """
        check_job(job)
        if not await self._reader.may_list():
            return False
        glob = self._glob
        visit = await self._catalog.visit(job, glob, is_queued=is_queued)
        if visit.is_complete or not visit.is_first_visit:  # the workflow of a rerun contains jobs of the first run too
            if visit.is_first_visit:
                self._progress.request_saved()
            if is_queued:
                self._count_job(job, visit)
            return False
        discovered = skipped = 0
        faults: list[CircleCIError] = []
        files = self._sources.files(job)
        async with aclosing(self._reader.pages(files.paged, faults, ignores_stop=True)) as pages:
            async for page in pages:
                is_queued_now = is_queued and not self._queues_whole_jobs
                recorded = await self._catalog.add(job, page.items, glob, is_queued=is_queued_now)
                self._count(recorded)
                discovered += recorded.discovered
                skipped += recorded.skipped
                await self._backpressure.wait()
        await self._catalog.complete(job, is_final=is_finished and not (faults or files.is_growing))
        if is_queued and self._queues_whole_jobs:
            recorded = await self._catalog.queue_matching(job, glob)
            self._count(recorded)
            discovered, skipped = recorded.discovered, recorded.skipped
        await self._committer.rename_waiting(job)
        if is_queued:
            self._progress.job_listed(job, discovered, skipped)
        if faults:
            raise faults[0]
        return files.is_growing

    def _count_job(self, job: JobRef, recorded: Recorded) -> None:
        self._count(recorded)
        if recorded.is_first_visit:
            self._progress.job_listed(job, recorded.discovered, recorded.skipped)

    def _count(self, recorded: Recorded) -> None:
        self._progress.recorded(recorded)
        self._backpressure.queued(recorded.discovered)


def check_job(job: JobRef) -> None:
    """Raise `Unusable` if the ledger cannot record the number or the name of a job."""
    check_number("job number", job.number)
    check_text("job name", job.job)
