"""Downloading one artifact to a file, which appears complete or not at all."""

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

from attrs import frozen

from ..core.progress import report_progress
from ..core.resumable_body import ResumableBody
from ..core.session import Session
from ..errors import DownloadError
from ..models.artifacts import Artifact
from ..untrusted_text import shown
from .file_threads import INLINE, FileThreads, FileWorker
from .part_file import PartFile
from .range_receiver import RangeReceiver

__all__ = ["Download", "OnProgress", "Progress"]


@frozen(kw_only=True)
class Download:
    """An artifact on disk."""

    artifact: Artifact
    path: Path
    size: int
    """Bytes."""
    sha256: str
    """Checksum of the received bytes, in hex."""
    verified: bool
    """Whether the size equals the length that the server sent; False if it sent none."""
    etag: str | None = None
    """The server's version of the file, if it sent one."""
    content_encoding: str | None = None
    """Set if the server encoded the file (such as `gzip`) although it was asked not to. It is stored as received."""
    resumed: int = 0
    """How often the download was resumed after an interruption."""


@frozen(kw_only=True)
class Progress:
    """The progress of one download."""

    artifact: Artifact
    received: int
    """Bytes so far; 0 again when a download starts over."""
    size: int | None
    """Bytes in all, or None if the server did not send the length."""
    done: bool
    """Whether the file has its final name."""


OnProgress: TypeAlias = Callable[[Progress], None]

_Report: TypeAlias = Callable[[int, int | None, bool], None]


async def download(
    session: Session, artifact: Artifact, target: Path, on_progress: OnProgress | None, *, left: str | None = None
) -> Download:
    """Download `artifact` to `target`, replacing an existing file: partial file, bytes, checksum, rename.

    `left`: a partial file that a killed process left, to continue. Raises `ApiError` (such as `NotFound`),
    `TransportError` when the retries are used up, and `DownloadError` if the body is incomplete or the file cannot be
    written. The target is unchanged then.
    """
    report = None if on_progress is None else _reporter(artifact, on_progress)
    source = sha256(artifact.url.encode(errors="replace")).hexdigest()
    try:
        part = PartFile(target, left=left, source=source)
        try:
            body = await _fetch(session, artifact, part, source, report)
            digest = part.commit()
        finally:
            part.discard()
    except OSError as error:
        raise DownloadError(
            f"{shown(artifact.path)}: cannot be written to {shown(str(target))}: {error.strerror or error}"
        ) from error
    if report is not None:
        report(part.size, body.size, True)
    return Download(
        artifact=artifact,
        path=target,
        size=part.size,
        sha256=digest,
        verified=body.size is not None,
        etag=body.etag,
        content_encoding=body.content_encoding,
        resumed=body.resumed,
    )


async def _fetch(
    session: Session, artifact: Artifact, part: PartFile, source: str, report: _Report | None
) -> ResumableBody:
    """Write the artifact to a partial file, after what that holds already; return the body, which is closed."""
    etag = None
    worker: FileWorker | None = None
    try:
        if part.ranges is not None:
            etag = part.ranges.etag
            worker = FileWorker(session.state.singleton(FileThreads))
            await worker.begin(part.resume)
            await worker.finish()
        body = ResumableBody(session, artifact.url, offset=part.size, etag=etag if part.size else None)
    finally:
        if worker is not None:
            await worker.aclose()
    try:
        await _receive(session, body, part, source, report)
    finally:
        body.close()
    return body


async def _receive(session: Session, body: ResumableBody, part: PartFile, source: str, report: _Report | None) -> None:
    """Receive each batch while a thread hashes and writes the previous one. A small file is written at once."""
    pending: list[bytes] = []
    waiting = 0
    worker: FileWorker | None = None
    ranges: RangeReceiver | None = None

    def advanced(received: int, added: int) -> None:
        if report is not None:
            report(received, body.size, False)

    try:
        async for received in body:
            if received.restarted:
                pending, waiting = [], 0
                if worker is not None:
                    await worker.finish()
                part.start_over()
                advanced(0, 0)
            pending.append(received.data)
            waiting += len(received.data)
            if report is not None:
                report(body.received, body.size, False)
            if waiting > INLINE or part.ranges is not None:
                if worker is None or ranges is None:
                    worker = FileWorker(session.state.singleton(FileThreads))
                    ranges = RangeReceiver(session, body, worker, advanced=advanced, source=source)
                await ranges.keep_version(part)
                if part.ranges is not None or worker.is_due(waiting, body.received):
                    await worker.begin(partial(part.write, pending))
                    pending, waiting = [], 0
                    if ranges.is_due(part):
                        await ranges.receive(part)
        if worker is None:
            part.write(pending)
            return
        await worker.finish()
        if waiting <= INLINE:
            part.write(pending)
        else:
            await worker.begin(partial(part.write, pending))
            await worker.finish()
    finally:
        if worker is not None:
            await worker.aclose()


def _reporter(artifact: Artifact, on_progress: OnProgress) -> _Report:
    def report(received: int, size: int | None, done: bool) -> None:
        report_progress(on_progress, Progress(artifact=artifact, received=received, size=size, done=done))

    return report
