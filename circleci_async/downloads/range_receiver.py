"""Receive the rest of a large file over several connections, each of which requests ranges of it."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from attrs import evolve

from ..config.log import log
from ..core.resumable_body import RangeRefused, ResumableBody
from ..core.session import Session
from ..core.uninterrupted import uninterrupted
from ..errors import ApiError, TransportError
from . import range_map
from .file_threads import FileThreads, FileWorker, batch_size
from .part_file import PartFile
from .range_map import Claim, RangeMap

MIN_SIZE = 64 * 1024 * 1024
"""Bytes of a file from which several connections receive it."""

MAX_CONNECTIONS: Final = 8
"""Connections for one file."""

MAX_SPEED = 200e6
"""Bytes per second of the large files of a client, from which more connections do not help: the processor is busy."""

MIN_WAITED = 0.05
"""Seconds of waiting for the first connection before its speed is compared with `MAX_SPEED`."""

MIN_MEASURED: Final = 1024 * 1024
"""Bytes that another connection receives before its speed is compared with `MAX_SPEED`."""


class RangeReceiver:
    """Receives one file over several connections, while the limiter has permits that no other call waits for.

    `advanced` is called with the bytes received so far and the number of added ones, `wrote` with the bytes written.
    The map of the ranges is kept in the partial file, so that a later run can resume it. `source`: see `RangeMap`.
    """

    def __init__(
        self,
        session: Session,
        body: ResumableBody,
        worker: FileWorker,
        *,
        advanced: Callable[[int, int], None],
        wrote: Callable[[int], None] | None = None,
        source: str = "",
    ) -> None:
        self._session = session
        self._body = body
        self._worker = worker
        self._advanced = advanced
        self._wrote = wrote
        self._source = source
        self._limiter = session.state.limiter
        self._threads = session.state.singleton(FileThreads)
        self._is_refused = False

    async def keep_version(self, file: PartFile) -> None:
        """Discard the ranges after the first gap of a file, if they belong to another version than the body."""
        if file.ranges is not None and (file.ranges.etag, file.ranges.size) != (self._body.etag, self._body.size):
            await self._end_ranges(file)

    def is_due(self, file: PartFile) -> bool:
        """Return whether to call `receive`: the file has gaps, or several connections are faster."""
        if file.ranges is not None:
            return True
        body = self._body
        if self._is_refused or body.size is None or body.etag is None or not body.accepts_ranges:
            return False
        return (
            body.size >= MIN_SIZE
            and len(body.etag) <= range_map.MAX_ETAG
            and body.size - body.received > range_map.PIECE
            and self._limiter.spare > 0
            and body.speed.waited >= MIN_WAITED
            and body.speed.bytes_per_second * max(1, self._threads.files) < MAX_SPEED
        )

    async def receive(self, file: PartFile) -> None:
        """Receive and write the rest; all bytes of the body so far have been written.

        If the server refuses ranges, or one connection is fast enough, return earlier. The body then continues where
        the file ends.
        """
        body, worker = self._body, self._worker
        if body.size is None or body.etag is None:
            return
        ranges = file.ranges or RangeMap(body.size, body.etag, source=self._source)
        await worker.begin(partial(file.begin_ranges, ranges))
        await worker.finish()
        transfer = _Transfer(self._session, body, file, ranges, worker, self._threads, self._advanced, self._wrote)
        body.is_pinned = True
        try:
            await transfer.run()
        finally:
            body.is_pinned = False
        self._is_refused = transfer.is_refused
        await self._end_ranges(file)
        if body.received != file.size:
            body.skip_to(file.size)

    async def _end_ranges(self, file: PartFile) -> None:
        await self._worker.begin(file.end_ranges)
        await self._worker.finish()


class _Transfer:
    """The connections of one file. The first has all retries; the others end with their first failure."""

    def __init__(
        self,
        session: Session,
        body: ResumableBody,
        file: PartFile,
        ranges: RangeMap,
        worker: FileWorker,
        threads: FileThreads,
        advanced: Callable[[int, int], None],
        wrote: Callable[[int], None] | None,
    ) -> None:
        self._session = session
        options = session.options
        self._once = session.with_options(retry=evolve(options.retry, attempts=1))
        self._limiter = session.state.limiter
        self._body = body
        self._is_body_used = False
        self._file = file
        self._map = ranges
        self._worker = worker
        self._writing = asyncio.Lock()
        self._threads = threads
        self._advanced = advanced
        self._wrote = wrote
        self._received = self._map.received
        self._tasks: set[asyncio.Task[None]] = set()
        self._max_connections = MAX_CONNECTIONS
        self._is_fast = False
        self.is_refused: bool = False
        """Whether the server did not send a range of the same version. The first connection may still be open then."""

    async def run(self) -> None:
        """Receive the gaps of the file, until one connection is enough. Raises the error of the first connection."""
        main: asyncio.Task[None] | None = None
        try:
            while self._tasks or self._has_work:
                if self._has_work and (main is None or main.done()):
                    main = asyncio.create_task(self._connection(is_main=True))
                    self._tasks.add(main)
                    self._add_connections()
                done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                self._tasks -= done
        finally:
            for task in self._tasks:
                task.cancel()
            await uninterrupted(asyncio.gather(*self._tasks, return_exceptions=True))

    @property
    def _has_work(self) -> bool:
        return not self._is_ending and self._map.gap is not None

    @property
    def _is_ending(self) -> bool:
        return self._is_fast or self.is_refused

    def _add_connections(self) -> None:
        if len(self._tasks) < self._max_connections and self._has_work:
            for _ in range(min(self._max_connections - len(self._tasks), self._limiter.spare)):
                self._tasks.add(asyncio.create_task(self._connection(is_main=False)))

    async def _connection(self, *, is_main: bool) -> None:
        """Receive one gap after another; more than the first connection only while permits are spare."""
        self._threads.add_file()  # for the memory that each connection may use
        try:
            while not self._is_ending and (is_main or self._limiter.spare) and (claim := self._map.claim()):
                try:
                    if not await self._receive(claim, is_main=is_main):
                        return
                finally:
                    self._map.release(claim)
        finally:
            self._threads.remove_file()

    async def _receive(self, claim: Claim, *, is_main: bool) -> bool:
        """Receive a claim; return False if the connection is not worth repeating."""
        start = claim.position
        is_first = is_main and not self._is_body_used
        if is_first:
            self._is_body_used, body = True, self._body
        else:
            body = self._body.range(start, claim.stop, self._session if is_main else self._once)
        try:
            await self._read(body, claim, is_first=is_first, is_main=is_main)
        except RangeRefused as refusal:
            self.is_refused = True
            log.info("%s: continued over one connection", refusal.message)
        except (ApiError, TransportError) as error:
            if is_main:
                raise
            log.info("%s: one of %d connections failed: %s", body.shown, len(self._tasks), error)
            self._body.resumed += claim.position > start
            if claim.position - start < range_map.PIECE // 4:
                self._max_connections -= 1
                return False
        finally:
            if not (is_first and self.is_refused):
                body.skip_to(body.received)  # releases the connection
            if not is_first:
                self._body.resumed += max(0, body.resumed - 1)  # not its first response
        if body.speed.bytes_per_second >= MAX_SPEED and claim.position - start >= MIN_MEASURED:
            self._is_fast = True
        return True

    async def _read(self, body: ResumableBody, claim: Claim, *, is_first: bool, is_main: bool) -> None:
        """Read a body up to the end of a claim, which grows if `is_first`: its body has no end."""
        parts: list[bytes] = []
        pending, position = 0, claim.position
        try:
            async for part in body:
                data = part.data
                while is_first and len(data) > claim.stop - position and self._map.extend(claim):
                    pass
                data = data[: claim.stop - position]
                parts.append(data)
                pending += len(data)
                position += len(data)
                self._received += len(data)
                self._advanced(self._received, len(data))
                self._add_connections()
                if position == claim.stop and not (is_first and self._map.extend(claim)):
                    break
                if pending >= batch_size(self._threads.files, self._received):
                    await self._write(claim, parts)
                    pending = 0
                if (is_first and self.is_refused) or (not is_main and self._limiter.is_contended):
                    break
        except (ApiError, TransportError):
            await self._write(claim, parts)
            raise
        if not is_first:
            body.skip_to(body.received)  # releases the connection
        await self._write(claim, parts)

    async def _write(self, claim: Claim, parts: list[bytes]) -> None:
        """Write the parts that follow what a claim has written, and empty the list."""
        if size := sum(map(len, parts)):
            async with self._writing:
                await self._worker.begin(partial(self._file.write_range, claim.position, parts))
                await self._worker.finish()
            claim.position += size
            if self._wrote is not None:
                self._wrote(size)
