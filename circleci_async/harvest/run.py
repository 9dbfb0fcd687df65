"""Conducts a harvest: finding writes into the ledger, fetching takes from it, at the same time."""

import asyncio
import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, TypeAlias

from ..core.session import Session
from ..core.uninterrupted import uninterrupted
from ..endpoints.resource import ProjectRef
from ..errors import InvalidArgument, LedgerError
from ..slug import ProjectSlug
from .backlog import Backlog
from .bounds import MIN_FREE, Bounds
from .events import OnHarvestEvent
from .fetching import Fetcher
from .finding import Finder
from .layout import DEFAULT_LAYOUT, Layout
from .ledger import Ledger
from .lock import Lock
from .records import Settled
from .report import HarvestReport, failures_of, files_of, skipped_by
from .schema import DiskFull
from .selection import Selection
from .stop import Stop
from .tally import Tally
from .walking import Walker

ATTEMPTS = 5

Dedupe: TypeAlias = Literal["hardlink"]


async def harvest(
    session: Session,
    projects: ProjectRef | Iterable[ProjectRef],
    into: str | os.PathLike[str],
    *,
    select: Selection | None = None,
    layout: str = DEFAULT_LAYOUT,
    concurrency: int = 32,
    attempts: int = ATTEMPTS,
    max_files: int | None = None,
    max_bytes: int | None = None,
    min_free: int = MIN_FREE,
    dedupe: Dedupe | None = None,
    on_progress: OnHarvestEvent | None = None,
) -> HarvestReport:
    """Harvest; see `CircleCI.harvest`."""
    slugs = _slugs(projects)
    select = Selection() if select is None else select
    plan = Layout(layout)
    for name, value in (("concurrency", concurrency), ("attempts", attempts)):
        if type(value) is not int or value < 1:
            raise InvalidArgument(f"{name}={value!r}: give a whole number from 1")
    if dedupe not in (None, "hardlink"):
        raise InvalidArgument(f"dedupe={dedupe!r}: give 'hardlink', or None to keep every file by itself")
    root = Path(into)
    bounds = Bounds(root, max_files=max_files, max_bytes=max_bytes, min_free=min_free)
    lock = await _lock(root)
    try:
        run = _Run(session, root, bounds, attempts=attempts, dedupe=dedupe is not None, on_progress=on_progress)
        return await run.conduct(slugs, select, plan, concurrency)
    finally:
        lock.release()


class _Run:
    def __init__(
        self,
        session: Session,
        root: Path,
        bounds: Bounds,
        *,
        attempts: int,
        dedupe: bool,
        on_progress: OnHarvestEvent | None,
    ) -> None:
        policy = session.options.retry
        self._session = session
        self._root = root
        self._stop = Stop()
        self._tally = Tally(session.state.stats, on_progress)
        self._ledger = Ledger(root, self._settled, dedupe=dedupe)
        self._backlog = Backlog()
        self._fetcher = Fetcher(
            session, self._ledger, self._tally, self._backlog, bounds, self._stop, attempts=attempts
        )
        self._walker = Walker(policy, self._ledger, self._tally, self._stop, attempts=attempts)

    async def conduct(
        self, projects: tuple[str, ...], select: Selection, layout: Layout, concurrency: int
    ) -> HarvestReport:
        """Find and fetch until all is there, or something says stop."""
        try:
            try:
                run, first_turn = await self._ledger.open(layout, projects, select.key)
                with self._disk_is_watched():
                    await self._find_and_fetch(first_turn, projects, select, concurrency)
            except BaseException:
                with suppress(LedgerError):  # what ended it counts more
                    await self._ledger.close(ended=False)
                raise
            with self._disk_is_watched():
                await self._ledger.close(ended=self._stop.reason is None)
        finally:
            await self._tally.close()
        return self._report(run)

    @contextmanager
    def _disk_is_watched(self) -> Generator[None]:
        """Take a disk that is full for a reason to stop."""
        try:
            yield
        except DiskFull as error:
            self._stop.fail("the disk is full", error)

    async def _find_and_fetch(
        self, first_turn: int, projects: tuple[str, ...], select: Selection, concurrency: int
    ) -> None:
        finding = asyncio.create_task(self._find(projects, select))
        failed = asyncio.create_task(self._stop.failed())
        try:
            await self._fetcher.run(first_turn, finding, concurrency)
            if self._stop.error is None:  # lists that were begun are walked to their ends
                await asyncio.wait([finding, failed], return_when=asyncio.FIRST_COMPLETED)
            if finding.done():
                finding.result()
        finally:
            for task in (finding, failed):
                task.cancel()
            await asyncio.gather(finding, failed, return_exceptions=True)

    def _settled(self, outcomes: list[Settled]) -> None:
        self._fetcher.settled(outcomes)

    async def _find(self, projects: tuple[str, ...], select: Selection) -> None:
        try:
            finder = Finder(
                self._session,
                self._ledger,
                self._walker,
                self._tally,
                self._backlog,
                self._stop,
                select,
                projects,
                on_named=self._fetcher.named,
            )
            await finder.run()
        finally:
            self._tally.is_finding = False

    def _report(self, run: int) -> HarvestReport:
        return HarvestReport(
            files=files_of(self._root, run, self._tally.files),
            skipped=skipped_by(self._root, run),
            failed=failures_of(self._root, run),
            bytes=self._tally.bytes_of_files,
            seconds=self._tally.seconds,
            stopped=self._stop.reason,
            error=self._stop.error,
        )


def _slugs(projects: ProjectRef | Iterable[ProjectRef]) -> tuple[str, ...]:
    given = [projects] if isinstance(projects, str | ProjectSlug) else list(projects)
    slugs = tuple(dict.fromkeys(str(ProjectSlug.parse(each)) for each in given))
    if not slugs:
        raise InvalidArgument("projects: the list is empty; give at least one, such as 'gh/acme/api'")
    return slugs


async def _lock(root: Path) -> Lock:
    taking = asyncio.get_running_loop().run_in_executor(None, _take, root)
    try:
        return await uninterrupted(taking)
    except asyncio.CancelledError:
        if taking.exception() is None:
            taking.result().release()
        raise


def _take(root: Path) -> Lock:
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(f"{root} can't be made: {error.strerror or error}") from error
    return Lock(root)
