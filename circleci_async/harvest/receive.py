"""The bytes of one artifact, into memory if they are few, else into its partial file, which another run can take up."""

from collections.abc import Callable
from functools import partial

from ..core.resumable_body import ResumableBody
from ..core.session import Session
from ..downloads.download import BATCH, INLINE
from ..downloads.part_file import PartFile, Worker
from ..errors import CircleCIError
from .ledger import Ledger
from .records import Fetched, Wanted
from .register import Register

FIRST_BATCH = 1024 * 1024
"""Bytes after which the first ones go to disk: of what is larger, a killed harvest can go on."""

MEMORY = 20 * 1024 * 1024
"""Bytes that all large files together may hold in memory."""


class OutOfBounds(CircleCIError):
    """So many bytes are not wanted any more."""


class Receiver:
    """Receives artifacts. `admit` is asked whether so many bytes more are wanted, `report` told how far a file is."""

    def __init__(
        self,
        session: Session,
        ledger: Ledger,
        *,
        admit: Callable[[Wanted, int], bool],
        report: Callable[[Wanted, int, int | None], None],
    ) -> None:
        self._session = session
        self._ledger = ledger
        self._admit = admit
        self._report = report
        self._large = 0

    async def receive(self, wanted: Wanted) -> Fetched:
        """Receive one artifact; raises as a download does, `OSError` if it can't be written, and `OutOfBounds`."""
        file = _File(wanted, self._ledger)
        try:
            return await self._receive(file)
        finally:
            self._large -= file.is_large
            await file.close()

    async def _receive(self, file: "_File") -> Fetched:
        wanted = file.wanted
        if wanted.etag is not None and await file.take_up() == wanted.size:
            return file.fetched(wanted.etag)  # killed with the last byte
        etag = wanted.etag if file.received else None
        body = ResumableBody(self._session, wanted.url, offset=file.received, etag=etag)
        admitted = file.received
        try:
            async for part in body:
                if part.restarted:
                    await file.start_over()
                file.add(part.data)
                expected = max(body.size or 0, file.received)
                if expected > admitted:
                    if not self._admit(wanted, expected - admitted):
                        raise OutOfBounds(wanted.path)
                    admitted = expected
                self._report(wanted, file.received, body.size)
                if not file.is_large and expected > INLINE:
                    self._large += 1
                    file.is_large = True
                if file.is_large and file.waiting >= self._batch(file):
                    await file.write(body)
            if file.has_part or file.waiting > INLINE:
                await file.write(body)
                await file.finish()
            return file.fetched(body.etag)
        finally:
            body.close()

    def _batch(self, file: "_File") -> int:
        """Return how much is written at once: more of a file that is long, less while there are many such."""
        share = MEMORY // (3 * max(1, self._large))
        return max(INLINE, min(BATCH, share, max(FIRST_BATCH, file.received // 2)))


class _File:
    """What has come of one artifact: in memory, and in its partial file."""

    def __init__(self, wanted: Wanted, ledger: Ledger) -> None:
        self.wanted = wanted
        self.received = 0
        self.waiting = 0
        self.is_large = False
        self._ledger = ledger
        self._pending: list[bytes] = []
        self._part: PartFile | None = None
        self._worker = Worker()
        self._noted = wanted.etag
        self._is_whole = False

    @property
    def has_part(self) -> bool:
        """Whether there is a partial file."""
        return self._part is not None

    def _open(self) -> PartFile:
        if self._part is None:
            path = self._ledger.tree.part(self.wanted.id)
            self._part = PartFile(path, path=path)
        return self._part

    async def take_up(self) -> int:
        """Read what an earlier try has left, and return how much that is."""
        if self._ledger.tree.has_part(self.wanted.id):
            part = self._open()
            await self._worker.begin(part.resume)
            await self._worker.finish()
            self.received = part.size
        return self.received

    def add(self, data: bytes) -> None:
        """Take bytes that have come."""
        self._pending.append(data)
        self.waiting += len(data)
        self.received += len(data)

    async def start_over(self) -> None:
        """Forget what has come."""
        self._pending, self.waiting, self.received = [], 0, 0
        await self._worker.finish()
        if self._part is not None:
            self._part.start_over()

    async def write(self, body: ResumableBody) -> None:
        """Begin to write what waits. The ledger knows before which version it is, so that two are never mixed."""
        if body.etag != self._noted:
            await self._worker.finish()
            await self._ledger.do(Register.note_part, self.wanted.id, body.etag, body.size)
            self._noted = body.etag
        await self._worker.begin(partial(self._open().write, self._pending))
        self._pending, self.waiting = [], 0

    async def finish(self) -> None:
        """Wait until all is written."""
        await self._worker.finish()

    def fetched(self, etag: str | None) -> Fetched:
        """Return what is to be settled, now that all is here."""
        self._is_whole = True
        if self._part is None:
            return Fetched(self.wanted, b"".join(self._pending), self.received, "", etag)
        return Fetched(self.wanted, None, self._part.size, self._part.sha256, etag)

    async def close(self) -> None:
        """Close the file. One that is not whole stays only if another try can take it up."""
        try:
            await self._worker.aclose()
        finally:
            if self._part is not None:
                if self._is_whole or (self._noted is not None and self._part.size):
                    self._part.close()
                else:
                    self._part.discard()
