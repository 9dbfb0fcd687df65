"""The lease of a remote ledger: an object that names the process that may write, and expires unless it is renewed."""

import os
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Final

from attrs import asdict, frozen

from ....errors import LedgerBusy, LedgerError, StoreError
from ...destination.bucket import Bucket, StoredObject
from .documents import FOLDER, Document, damaged, encoded, read_small

LEASE: Final = f"{FOLDER}/lease.json"
LEASE_SECONDS: Final = 60.0
RENEWAL_INTERVAL: Final = 20.0
_FOLDER_ID: Final = ".harvest.id"
_ATTEMPTS: Final = 10
_ADVICE: Final = "delete it if no harvest is running, and harvest again"


@frozen(kw_only=True)
class Holder:
    """A run of a harvest, as others see it. `folder`: the id of its working folder."""

    id: str
    host: str
    process: int
    folder: str
    began: str

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}"


def this_holder(folder: Path) -> Holder:
    """Return a new holder for a run of this process with this working folder."""
    began = datetime.now(UTC).isoformat(timespec="seconds")
    return Holder(
        id=secrets.token_hex(16),
        host=socket.gethostname()[:255],
        process=os.getpid(),
        folder=_folder_id(folder),
        began=began,
    )


def parse_holder(fields: Document) -> Holder:
    """Raises `ValueError`."""
    return Holder(
        id=fields.text("id"),
        host=fields.text("host"),
        process=fields.integer("process"),
        folder=fields.text("folder"),
        began=fields.text("began"),
    )


class Lease:
    """The lease of one holder. Blocking work, allowed in any thread."""

    def __init__(self, bucket: Bucket, holder: Holder) -> None:
        self._bucket = bucket
        self._holder = holder
        self._etag = ""
        self._lock = Lock()
        self.follows_own_run: bool = False
        """Whether the last holder had the same working folder."""

    def acquire(self) -> None:
        """Create the lease, or take it over if its holder is gone. Raises `LedgerBusy`.

        The caller has locked the working folder: a lease with the id of that folder, on this host, belongs to a
        process that has ended. Another one can be taken over once it was not renewed for `LEASE_SECONDS`, by the clock
        of the store.
        """
        for _ in range(_ATTEMPTS):
            found = _read(self._bucket)
            if found is not None and not self._is_free(*found):
                continue
            etag = self._write(partial(self._take, found))
            if etag is not None:
                self._etag = etag
                self.follows_own_run = found is not None and self._is_own(found[0])
                return
        raise LedgerBusy(f"other harvests are starting in {self._bucket.location}: run the same command again later")

    def renew(self) -> None:
        """Extend the lease. Raises `LedgerBusy` if it was taken over."""
        self._replace(is_released=False)

    def release(self) -> None:
        """Mark the lease as released. Raises `LedgerBusy` if it was taken over.

        The object stays: a store cannot delete on condition, and an unconditional request could delete the lease of
        the next holder.
        """
        self._replace(is_released=True)

    def _replace(self, *, is_released: bool) -> None:
        with self._lock:
            etag = self._write(partial(self._bucket.replace, LEASE, etag=self._etag), is_released=is_released)
            if etag is None:
                raise taken_over(self._bucket, self.current_holder())
            self._etag = etag

    def current_holder(self) -> Holder | None:
        """Return the holder that the lease names now; None if that cannot be read."""
        with suppress(LedgerError, StoreError):
            found = _read(self._bucket)
            return None if found is None else found[0]
        return None

    def _take(self, found: "tuple[Holder, bool, StoredObject] | None", content: bytes) -> str | None:
        if found is None:
            return self._bucket.create(LEASE, content)
        return self._bucket.replace(LEASE, content, found[2].etag or "")

    def _write(self, write: Callable[[bytes], str | None], *, is_released: bool = False) -> str | None:
        now = datetime.now(UTC).isoformat()
        content = encoded({**asdict(self._holder), "renewed": now, "released": is_released})
        return write(content)

    def _is_free(self, holder: Holder, is_released: bool, status: StoredObject) -> bool:
        """Return whether the lease can be taken over now, or False if that must be asked again."""
        if is_released or self._is_own(holder):
            return True
        now = _store_time(self._bucket)
        if now is None:
            return False
        seconds_left = LEASE_SECONDS - (now - status.modified_at).total_seconds()
        if seconds_left <= 0:
            return True
        raise LedgerBusy(
            f"another harvest ({holder}) is running in {self._bucket.location} since {holder.began}: if that process"
            f" is gone, run the same command again in {min(LEASE_SECONDS, seconds_left):.0f} s"
        )

    def _is_own(self, holder: Holder) -> bool:
        return (holder.folder, holder.host) == (self._holder.folder, self._holder.host)


def is_running(bucket: Bucket) -> bool:
    """Return whether a harvest holds the lease, by the clock of this host. Blocking, writes nothing."""
    found = _read(bucket)
    if found is None:
        return False
    _, is_released, status = found
    return not is_released and (datetime.now(UTC) - status.modified_at).total_seconds() < LEASE_SECONDS


def taken_over(bucket: Bucket, holder: Holder | None) -> LedgerBusy:
    """Return the error of a holder whose lease expired and was taken over."""
    other = "another harvest" if holder is None else f"another harvest ({holder})"
    return LedgerBusy(
        f"{other} has taken over {bucket.location}, since this one did not renew its lease for {LEASE_SECONDS:.0f} s:"
        " wait for it to end, then run the same command again"
    )


def _read(bucket: Bucket) -> tuple[Holder, bool, StoredObject] | None:
    found = read_small(bucket, LEASE, _ADVICE)
    if found is None:
        return None
    content, status = found
    try:
        fields = Document(content)
        fields.check_format()
        return parse_holder(fields), fields.flag("released"), status
    except ValueError as error:
        reason = error
    raise damaged(bucket, LEASE, reason, _ADVICE)


def _store_time(bucket: Bucket) -> datetime | None:
    """Return the time by the clock of the store; None if another process has deleted the object written for it."""
    key = f"{FOLDER}/clock-{secrets.token_hex(8)}"
    bucket.put(key, b"")
    status = bucket.head(key)
    bucket.delete([key])
    return None if status is None else status.modified_at


def _folder_id(folder: Path) -> str:
    """Return the id of a working folder, which is created at first."""
    path = folder / _FOLDER_ID
    with suppress(OSError, ValueError):
        known = path.read_text("ascii").strip()
        if len(known) == 32 and known.isalnum():
            return known
    id = secrets.token_hex(16)
    try:
        path.write_text(id, "ascii")
    except OSError as error:
        raise LedgerError(f"cannot write {path}: {error.strerror or error}") from error
    return id
