"""Fetches what the ledger wants, as many at a time as are allowed, and again what failed."""

import asyncio
from typing import Final

from ..core.retry import is_transient
from ..core.session import Session
from ..errors import ApiError, CircleCIError, LedgerError
from .backlog import Backlog
from .bounds import Bounds
from .ledger import Ledger
from .outage import Outage, ends_all
from .receive import OutOfBounds, Receiver
from .records import Settled, Wanted
from .register import Register
from .schema import DISK_IS_FULL, MAKE_ROOM, DiskFull
from .stop import Stop
from .tally import Tally

TAKEN_AT_ONCE: Final = 256
"""Artifacts that are read from the ledger in one go."""


class Fetcher:
    """Works off the ledger's queue while finding adds to it.

    What fails is passed by, and comes again when all else has had its turn, `attempts` times in all.
    """

    def __init__(
        self,
        session: Session,
        ledger: Ledger,
        tally: Tally,
        backlog: Backlog,
        bounds: Bounds,
        stop: Stop,
        *,
        attempts: int,
    ) -> None:
        self._policy = session.options.retry
        self._ledger = ledger
        self._tally = tally
        self._backlog = backlog
        self._bounds = bounds
        self._stop = stop
        self._attempts = attempts
        self._outage = Outage(self._policy)
        self._admitted: dict[int, int] = {}
        self._receiver = Receiver(session, ledger, admit=self._admit, report=tally.advanced)
        self._again = 0
        self._most_tries = 0

    async def run(self, first_turn: int, finding: "asyncio.Task[None]", concurrency: int) -> None:
        """Fetch until finding has ended and nothing is left, or something says stop. Raises `LedgerError`."""
        queue: asyncio.Queue[Wanted | None] = asyncio.Queue(maxsize=concurrency)
        finding.add_done_callback(lambda _: self._backlog.news.set())
        feeder = asyncio.create_task(self._feed(queue, first_turn, finding))
        asked = asyncio.create_task(self._stop.asked())
        failed = asyncio.create_task(self._stop.failed())
        workers = [asyncio.create_task(self._work(queue)) for _ in range(concurrency)]
        try:
            await _first([feeder, asked, failed, *workers])
            if not failed.done():
                self._backlog.lift()
                feeder.cancel()
                await asyncio.wait([feeder])
                while not queue.empty():
                    queue.get_nowait()
                for _ in workers:
                    queue.put_nowait(None)
                for worker in workers:
                    await _first([failed, worker])
        finally:
            self._backlog.lift()
            tasks = [feeder, asked, failed, *workers]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _feed(
        self, queue: "asyncio.Queue[Wanted | None]", first_turn: int, finding: "asyncio.Task[None]"
    ) -> None:
        turn = first_turn
        while True:
            self._backlog.news.clear()
            has_found_all = finding.done()
            batch = await self._ledger.do(Register.take, turn, TAKEN_AT_ONCE)
            for wanted in batch:
                turn = wanted.turn
                await queue.put(wanted)
            self._backlog.take(len(batch))
            if batch:
                continue
            if not has_found_all:
                await self._backlog.news.wait()
                continue
            await queue.join()
            await self._ledger.settle()
            if not self._again:
                return
            await asyncio.sleep(self._outage.wait(self._most_tries + 1))
            turn, self._again, self._most_tries = first_turn, 0, 0

    async def _work(self, queue: "asyncio.Queue[Wanted | None]") -> None:
        while (wanted := await queue.get()) is not None:
            if self._outage.is_on:
                await self._outage.pause()
            if self._stop.reason is not None:
                return
            if not self._bounds.admit():
                self._stop.ask(self._bounds.reached)
                return
            await self._fetch(wanted)
            queue.task_done()

    async def _fetch(self, wanted: Wanted) -> None:
        try:
            fetched = await self._receiver.receive(wanted)
        except OutOfBounds:
            self._dismiss(wanted)
            self._stop.ask(self._bounds.reached)
        except OSError as error:
            self._dismiss(wanted)
            await self._refused(wanted, error)
        except LedgerError:
            raise
        except CircleCIError as error:
            self._dismiss(wanted)
            await self._failed(wanted, error)
        else:
            self._outage.answered()
            await self._ledger.finish(fetched)

    def _admit(self, wanted: Wanted, size: int) -> bool:
        admitted = self._bounds.admit_bytes(size)
        if admitted:
            self._admitted[wanted.id] = self._admitted.get(wanted.id, 0) + size
        return admitted

    def _dismiss(self, wanted: Wanted) -> None:
        self._bounds.dismiss(self._admitted.pop(wanted.id, 0))

    async def _failed(self, wanted: Wanted, error: CircleCIError) -> None:
        if ends_all(error, self._policy):
            await self._ledger.do(Register.postpone, wanted, error, charge=False)
            self._stop.fail(str(error), error)
            return
        if not is_transient(error):
            if isinstance(error, ApiError):
                self._outage.answered()
            await self._give_up(wanted, error)
            return
        is_outage = self._outage.failed(wanted.id)
        if self._outage.is_hopeless:
            self._stop.fail(f"nothing can be had for minutes: {error}", error)
        if not is_outage and wanted.tries + 1 >= self._attempts:
            await self._give_up(wanted, error)
            return
        self._again += 1
        self._most_tries = max(self._most_tries, wanted.tries)
        await self._ledger.do(Register.postpone, wanted, error, charge=not is_outage)
        self._tally.unfetched(wanted, error, is_final=False)

    async def _give_up(self, wanted: Wanted, error: Exception) -> None:
        await self._ledger.do(Register.fail, wanted, error)
        self._tally.unfetched(wanted, error, is_final=True)

    async def _refused(self, wanted: Wanted, error: OSError) -> None:
        """Stop where the disk is full; else it is the one file that can't be written."""
        if error.errno in DISK_IS_FULL:
            self._stop.fail("the disk is full", DiskFull(f"the disk is full: {error}; {MAKE_ROOM}"))
        else:
            await self._give_up(wanted, error)

    def settled(self, outcomes: list[Settled]) -> None:
        """Count what the ledger has settled of what was handed over."""
        for settled in outcomes:
            self._bounds.written(self._admitted.pop(settled.wanted.id, 0))
            if settled.error is None:
                self._tally.fetched(settled)
            else:
                self._unsettled(settled, settled.error)

    def named(self, outcomes: list[Settled]) -> None:
        """Count files that had come and got their names only now."""
        for settled in outcomes:
            if settled.error is None:
                self._tally.named(settled)
            else:
                self._tally.done -= 1
                self._tally.bytes -= settled.size
                self._unsettled(settled, settled.error)

    def _unsettled(self, settled: Settled, error: Exception) -> None:
        if isinstance(error, OSError) and error.errno in DISK_IS_FULL:
            self._stop.fail("the disk is full", DiskFull(f"the disk is full: {error}; {MAKE_ROOM}"))
        else:
            self._tally.unfetched(settled.wanted, error, is_final=True)


async def _first(tasks: "list[asyncio.Task[None]]") -> None:
    """Wait for the first of some tasks, and raise what it raised."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
