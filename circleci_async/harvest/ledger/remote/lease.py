"""The lease of a remote ledger: an object that names the process that may write, and expires unless it is renewed."""

import os
import secrets
import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Final

from attrs import field, frozen
from attrs.validators import ge

from ....errors import LedgerBusy
from ....untrusted_text import shown
from ...destination.bucket import Bucket, StoredObject
from ..schema import local_errors
from .json_objects import FOLDER, encode_json, read_json

LEASE: Final = f"{FOLDER}/lease.json"
LEASE_SECONDS: Final = 60.0
RENEWAL_INTERVAL: Final = 20.0
HOLDER_NAME: Final = ".harvest.holder"
"""The file of a working folder with the id of the last holder that used it."""

CLOCK: Final = f"{FOLDER}/clock-"
_ATTEMPTS: Final = 10
_ADVICE: Final = "delete it if no harvest is running, and harvest again"


@frozen(kw_only=True)
class Holder:
    """A run of a harvest, as others see it."""

    id: str
    host: str
    process: int = field(validator=ge(0))
    began: str

    def __str__(self) -> str:
        return f"process {self.process} on {shown(self.host)}"


@frozen(kw_only=True)
class _Content:
    """The content of the object. `renewed` makes each write unique: `Bucket.replace` compares contents."""

    holder: Holder
    renewed: str
    is_released: bool


def new_holder() -> Holder:
    """Return a holder for a run of this process."""
    began = datetime.now(UTC).isoformat(timespec="seconds")
    return Holder(id=secrets.token_hex(16), host=socket.gethostname()[:255], process=os.getpid(), began=began)


MAX_HOLDERS: Final = 16
"""Holders of a folder that are remembered until one of them has acquired the lease."""


class Lease:
    """The lease of one holder, whose working folder is locked. Blocking work, allowed in any thread."""

    def __init__(self, bucket: Bucket, folder: Path, holder: Holder) -> None:
        self._bucket = bucket
        self._folder = folder
        self._holder = holder
        self._etag = ""
        self._is_released = False
        self._lock = Lock()

    def acquire(self) -> bool:
        """Create the lease, or take it over if its holder is gone. Raises `LedgerBusy`.

        The last holder of this working folder, on this host, has ended, because the folder is locked. The lease of
        another one can be taken over once it was not renewed for `LEASE_SECONDS`, by the clock of the store.

        Return whether no other folder was used since that holder.
        """
        known = self._known_holders()
        # Before the request: if the process is killed, the lease has the last holder of this folder or this one.
        self._note_holders(*known, self._holder.id)
        for _ in range(_ATTEMPTS):
            found = _read(self._bucket)
            is_same = found is not None and found[0].holder.id in known and found[0].holder.host == self._holder.host
            if found is not None and not is_same and not self._is_free(*found):
                continue
            content = self._content()
            if found is None:
                etag = self._bucket.create(LEASE, content)
            else:
                etag = self._bucket.replace(LEASE, content, found[1].etag or "")
            if etag is not None:
                self._etag = etag
                self._note_holders(self._holder.id)
                return is_same
        raise LedgerBusy(f"other harvests are starting in {self._bucket.location}: run the same command again later")

    def renew(self) -> None:
        """Extend the lease, unless it was released meanwhile. Raises `LedgerBusy` if it was taken over."""
        with self._lock:
            if not self._is_released:
                self._replace(self._content())

    def release(self) -> None:
        """Mark the lease as released. Raises `LedgerBusy` if it was taken over.

        The object stays: a store cannot delete on condition, and an unconditional request could delete the lease of
        the next holder.
        """
        with self._lock:
            self._is_released = True
            self._replace(self._content(is_released=True))

    def _replace(self, content: bytes) -> None:
        etag = self._bucket.replace(LEASE, content, self._etag)
        if etag is None:
            found = _read(self._bucket)
            if found is None or found[0].holder.id != self._holder.id:
                raise taken_over(self._bucket, None if found is None else found[0].holder)
            # An earlier request of this holder failed, but the store had written it.
            etag = self._bucket.replace(LEASE, content, found[1].etag or "")
            if etag is None:
                raise taken_over(self._bucket, None)
        self._etag = etag

    def _content(self, *, is_released: bool = False) -> bytes:
        now = datetime.now(UTC).isoformat()
        return encode_json(_Content(holder=self._holder, renewed=now, is_released=is_released))

    def _known_holders(self) -> list[str]:
        """Return which holders of this folder the lease can name: the last one, and those killed since."""
        with suppress(OSError, ValueError):
            return (self._folder / HOLDER_NAME).read_text("ascii").split()[-MAX_HOLDERS:]
        return []

    def _note_holders(self, *ids: str) -> None:
        with local_errors(self._folder):
            (self._folder / HOLDER_NAME).write_text("\n".join(ids), "ascii")

    def _is_free(self, content: _Content, status: StoredObject) -> bool:
        """Return whether the lease can be taken over now, or False if that must be asked again."""
        if content.is_released:
            return True
        now = _store_time(self._bucket)
        if now is None:
            return False
        seconds_left = LEASE_SECONDS - (now - status.modified_at).total_seconds()
        if seconds_left <= 0:
            return True
        raise LedgerBusy(
            f"another harvest ({content.holder}) is running in {self._bucket.location} since"
            f" {shown(content.holder.began)}: if that process is gone, run the same command again in"
            f" {min(LEASE_SECONDS, seconds_left):.0f} s"
        )


def is_running(bucket: Bucket) -> bool:
    """Return whether a harvest holds the lease, by the clock of this host. Blocking, writes nothing."""
    found = _read(bucket)
    if found is None or found[0].is_released:
        return False
    return (datetime.now(UTC) - found[1].modified_at).total_seconds() < LEASE_SECONDS


def taken_over(bucket: Bucket, holder: Holder | None) -> LedgerBusy:
    """Return the error of a holder whose lease expired and was taken over."""
    other = "another harvest" if holder is None else f"another harvest ({holder})"
    return LedgerBusy(
        f"{other} has taken over {bucket.location}, since this one did not renew its lease for {LEASE_SECONDS:.0f} s:"
        " wait for it to end, then run the same command again"
    )


def _read(bucket: Bucket) -> tuple[_Content, StoredObject] | None:
    return read_json(bucket, LEASE, _Content, _ADVICE)


def _store_time(bucket: Bucket) -> datetime | None:
    """Return the time by the clock of the store; None if another process has deleted the object written for it."""
    key = f"{CLOCK}{secrets.token_hex(8)}"
    bucket.put(key, b"")
    status = bucket.head(key)
    bucket.delete([key])
    return None if status is None else status.modified_at
