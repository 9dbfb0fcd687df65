"""Runs a harvest: composes its parts, and runs discovery and downloads at the same time.

Discovery records artifacts in the ledger. The fetcher claims them from its queue and hands them, downloaded, to the
committer, whose placement records them and gives them their names. The report reads the ledger.
"""

import asyncio
import os
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager, nullcontext, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, get_args

from attrs import evolve

from ..core.arguments import check_bool, check_positive_integer, check_word, is_async_function
from ..core.session import Session
from ..core.when import When, parse_when
from ..endpoints.resource import ProjectsRef
from ..errors import InvalidArgument, LedgerError
from ..projects.given import GivenProjects, given_projects
from .backpressure import Backpressure
from .bounds import MIN_FREE, Bounds
from .build_lists import RECHECK
from .committer import Committer
from .destination.bucket import Bucket
from .destination.files import FinishedFiles
from .destination.opening import finished_files
from .destination.place import HarvestDestination, Place, resolve
from .destination.store_threads import StoreThreads
from .discovery import Discovery
from .downloader import Downloader
from .events import OnHarvestEvent
from .fetcher import Fetcher
from .file_calls import FileCalls
from .file_lists import FileLists
from .kinds import HarvestKind, parse_kinds
from .layout import DEFAULT_LAYOUT, Layout
from .ledger.calls import CallQueue
from .ledger.catalog import Catalog
from .ledger.ended import EndedLists
from .ledger.listings import IncompleteListings
from .ledger.queue import LedgerQueue
from .ledger.runs import Run, begin_run, end_run
from .ledger.schema import DiskFull
from .ledger.writer import LedgerWriter
from .list_reader import ListReader
from .open_ledger import open_ledger
from .placement import Placement
from .progress import ProgressTracker
from .report import HarvestedFile, HarvestReport, OnFile, Rows, failures_of, files_of, skipped_by
from .selection import Selection
from .sources.patterns import Scrub, parse_scrub
from .sources.sources import SourceOptions, Sources
from .stop_signal import DISK_FULL, StopSignal
from .uploader import Uploader
from .url_renewal import UrlRenewal

if TYPE_CHECKING:
    from .workers.pool import WorkerPool
    from .workers.start import Workers

ATTEMPTS = 5

Dedupe: TypeAlias = Literal["hardlink"]


async def harvest(
    session: Session,
    projects: ProjectsRef,
    into: HarvestDestination,
    *,
    what: HarvestKind | Iterable[HarvestKind] = "artifacts",
    ledger: str | os.PathLike[str] | None = None,
    select: Selection | None = None,
    layout: str | None = None,
    scrub: Scrub = None,
    ansi: bool = False,
    concurrency: int = 32,
    attempts: int = ATTEMPTS,
    max_files: int | None = None,
    max_bytes: int | None = None,
    min_free: int | None = None,
    dedupe: Dedupe | None = None,
    recheck: When | None = None,
    on_progress: OnHarvestEvent | None = None,
    on_file: OnFile | None = None,
    workers: Any = None,
    send_token: bool = False,
) -> HarvestReport:
    """Harvest; see `CircleCI.harvest`."""
    if not (select is None or isinstance(cast(object, select), Selection)):
        raise InvalidArgument(f"select must be a Selection, got {select!r}")
    kinds = parse_kinds("what", what)
    sources = Sources(session, SourceOptions(check_bool("ansi", ansi), parse_scrub(scrub)))
    template = Layout(DEFAULT_LAYOUT if layout is None else layout)
    check_positive_integer("concurrency", concurrency)
    check_positive_integer("attempts", attempts)
    check_word("dedupe", dedupe, get_args(Dedupe))
    if on_progress is not None and not callable(cast(object, on_progress)):
        raise InvalidArgument(f"on_progress must be a function, got {on_progress!r}")
    if on_file is not None and not is_async_function(on_file):
        raise InvalidArgument(f"on_file must be an async function, got {on_file!r}")
    recheck_since = parse_when("recheck", recheck) or RECHECK
    place = resolve(into, ledger)
    if dedupe is not None and place.bucket is not None:
        raise InvalidArgument(f"dedupe={dedupe!r} needs a folder: {place} is a bucket, which has no hard links")
    check_bool("send_token", send_token)
    cluster = _workers(workers, into, place, send_token=send_token)
    bounds = Bounds(
        place.folder or place.ledger,
        max_files=max_files,
        max_bytes=max_bytes,
        min_free=MIN_FREE if min_free is None else min_free,
        disk="the disk" if place.bucket is None else f"the disk of {place.ledger}",
    )
    requests_before = session.state.stats.requests
    given = await given_projects(session, projects)
    run = _HarvestRun(
        session,
        place,
        template,
        given,
        select or Selection(),
        kinds,
        sources,
        recheck_since,
        bounds,
        on_progress,
        on_file,
        cluster,
    )
    report = await run.run(concurrency=concurrency, attempts=attempts, dedupe=dedupe is not None)
    return evolve(report, requests=session.state.stats.requests - requests_before)


class _HarvestRun:
    def __init__(
        self,
        session: Session,
        place: Place,
        layout: Layout,
        given: GivenProjects,
        select: Selection,
        kinds: tuple[HarvestKind, ...],
        sources: Sources,
        recheck: datetime | timedelta,
        bounds: Bounds,
        on_progress: OnHarvestEvent | None,
        on_file: OnFile | None,
        workers: "Workers | None",
    ) -> None:
        self._session = session
        self._place = place
        self._layout = layout
        self._projects, self._organizations = given
        self._select = select
        self._kinds = kinds
        self._sources = sources
        self._key = select.key if kinds == ("artifacts",) else f"{select.key} {' '.join(kinds)}"
        self._recheck = recheck
        self._bounds = bounds
        self._on_file = on_file
        self._workers = workers
        self._stop = StopSignal()
        self._progress = ProgressTracker(session.state.stats, on_progress)

    async def run(self, *, concurrency: int, attempts: int, dedupe: bool) -> HarvestReport:
        try:
            async with open_ledger(self._place, self._stop.fail) as writer:
                with closing(finished_files(self._place)) as finished, closing(StoreThreads(concurrency)) as threads:
                    id = await self._discover_and_fetch(writer, finished, threads, concurrency, attempts, dedupe)
        finally:
            await self._progress.close()
        files, size = files_of(self._place, id, self._progress.named_files), self._progress.named_bytes
        if self._stop.error is not None:  # such as a full disk: the counters can differ from what was committed
            with suppress(LedgerError):
                files, size = await asyncio.to_thread(_from_ledger, self._place, id)
        return HarvestReport(
            files=files,
            skipped=skipped_by(self._place, id),
            failed=failures_of(self._place, id),
            bytes=size,
            seconds=self._progress.seconds,
            requests_saved=self._progress.requests_saved,
            scrubbed=dict(self._progress.scrubbed),
            stopped=self._stop.reason,
            error=self._stop.error,
        )

    async def _discover_and_fetch(
        self,
        writer: LedgerWriter,
        files: FinishedFiles,
        threads: StoreThreads,
        concurrency: int,
        attempts: int,
        dedupe: bool,
    ) -> int:
        """Run until all is downloaded or the run is stopped, and return the id of the run."""
        session, stop, progress, bounds = self._session, self._stop, self._progress, self._bounds
        policy = session.options.retry
        run = await begin_run(writer, self._layout, self._projects, self._key, dedupe=dedupe)
        queue = LedgerQueue(writer, run)
        calls = self._calls(CallQueue(writer, files, run), concurrency)
        placement = Placement(queue, files, run, dedupe=dedupe, calls=None if calls is None else calls.queue)
        await writer.run(placement.recover)
        committer = Committer(writer, placement, bounds, progress, stop, calls)
        backpressure = Backpressure(max_files=bounds.max_files, max_bytes=bounds.max_bytes)
        reader = ListReader(policy, IncompleteListings(writer, run), backpressure, progress, stop, attempts=attempts)
        catalog = Catalog(writer, files, self._layout, run)
        lists = FileLists(
            reader,
            catalog,
            committer,
            backpressure,
            progress,
            self._sources,
            glob=self._select.path,
            queues_whole_jobs=self._place.bucket is not None or self._workers is not None,
        )
        discovery = Discovery(
            session,
            reader,
            catalog,
            EndedLists(writer),
            lists,
            backpressure,
            progress,
            stop,
            kinds=self._kinds,
            selection=self._select,
            recheck=self._recheck,
            projects=self._projects,
        )
        local = Downloader(session, self._sources, queue, files.parts, bounds, progress)
        downloader: Downloader | Uploader = local
        if self._place.bucket is not None:
            downloader = await self._uploader(self._place.bucket, local, files, run, threads)
        pool: WorkerPool | None = None
        if self._workers is not None:
            options = self._sources.options
            pool = await self._workers.pool(
                session, options, downloader, files.parts, bounds, progress, stop, concurrency
            )
        fetcher = Fetcher(
            queue,
            pool or downloader,
            committer,
            bounds,
            backpressure,
            progress,
            stop,
            UrlRenewal(session, queue),
            policy=policy,
            attempts=attempts,
        )
        with self._stop_if_disk_is_full():
            async with calls or nullcontext(), committer, pool or nullcontext():
                await reader.record_organizations(self._organizations)
                await self._run_both(discovery, fetcher, concurrency if pool is None else pool.max_files)
            if stop.error is None:
                await committer.check()
            if not stop.is_set:
                await end_run(writer, run)
        return run.id

    async def _uploader(
        self, bucket: Bucket, downloader: Downloader, files: FinishedFiles, run: Run, threads: StoreThreads
    ) -> Uploader:
        """Return what downloads into the bucket. It looks for each object first if there can be unrecorded ones."""
        checks_first = run.follows == "interrupted"
        if run.follows is None or self._place.is_local:  # a bucket that cannot be used is an error at once
            is_empty = await threads.run(bucket.is_empty)
            checks_first = checks_first or (run.follows is None and not is_empty)
        return Uploader(downloader, bucket, files.parts, threads, checks_first=checks_first)

    def _calls(self, queue: CallQueue, concurrency: int) -> FileCalls | None:
        if self._on_file is None:
            return None
        return FileCalls(queue, self._place, self._on_file, self._progress, concurrency=concurrency)

    async def _run_both(self, discovery: Discovery, fetcher: Fetcher, concurrency: int) -> None:
        discovering = asyncio.create_task(discovery.run())
        failing = asyncio.create_task(self._stop.failed())
        try:
            await fetcher.run(discovering, concurrency)
            if self._stop.error is None:  # lists that were begun are read to the end
                await asyncio.wait([discovering, failing], return_when=asyncio.FIRST_COMPLETED)
            if discovering.done():
                discovering.result()
        finally:
            for task in (discovering, failing):
                task.cancel()
            await asyncio.gather(discovering, failing, return_exceptions=True)

    @contextmanager
    def _stop_if_disk_is_full(self) -> Generator[None]:
        try:
            yield
        except DiskFull as error:
            self._stop.fail(error, DISK_FULL)


def _from_ledger(place: Place, id: int) -> tuple[Rows[HarvestedFile], int]:
    """Return the files of a run with their number and total size as the ledger has them. Raises `LedgerError`."""
    sizes = [file.size for file in files_of(place, id, 0)]
    return files_of(place, id, len(sizes)), sum(sizes)


def _workers(client: Any, into: HarvestDestination, place: Place, *, send_token: bool) -> "Workers | None":
    """Return the workers of a Dask client; None without one. Dask is imported only for one."""
    if client is None:
        if send_token:
            raise InvalidArgument(f"send_token={send_token!r} needs workers: it is sent to them only")
        return None
    from .workers.start import Workers

    return Workers(client, into, place, send_token=send_token)
