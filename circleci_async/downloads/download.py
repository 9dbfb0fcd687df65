"""One artifact, whole or not at all."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from attrs import frozen

from ..core.resumable_body import ResumableBody
from ..core.session import Session
from ..errors import DownloadError
from ..models.artifacts import Artifact
from .part_file import PartFile, Worker

log = logging.getLogger("circleci_async")

BATCH = 4 * 1024 * 1024
"""Bytes that are hashed and written at once, in a thread."""

INLINE = 256 * 1024
"""Bytes up to which the last batch is written on the spot, which takes less time than a hop to a thread."""


@frozen(kw_only=True)
class Download:
    """An artifact on disk."""

    artifact: Artifact
    path: Path
    """Where it is."""
    size: int
    """Bytes."""
    sha256: str
    """Of what was received and written, in hex."""
    verified: bool
    """Whether the size is what the server promised; False if it promised none."""
    etag: str | None = None
    """The server's version of the file, if it names one."""
    content_encoding: str | None = None
    """Set if the server sent the file encoded (such as `gzip`) against our wish: it is kept as it was sent."""
    resumed: int = 0
    """How often it was taken up again after a cut."""


@frozen(kw_only=True)
class Progress:
    """How far one artifact has come."""

    artifact: Artifact
    received: int
    """Bytes so far; it goes back to 0 when a download must start over."""
    size: int | None
    """Bytes in all, or None if the server did not say."""
    done: bool
    """Whether the file stands under its final name."""


OnProgress = Callable[[Progress], None]


async def download(session: Session, artifact: Artifact, target: Path, on_progress: OnProgress | None) -> Download:
    """Fetch `artifact` into `target`, over whatever stands there: partial file, bytes, check, rename.

    Raises `ApiError` (such as `NotFound`), `TransportError` when retries are used up, and `DownloadError` if it can't
    be had whole or written; then nothing new stands under the final name.
    """
    report = _reporter(artifact, on_progress)
    body = ResumableBody(session, artifact.url)
    try:
        part = PartFile(target)
        worker = Worker()
        try:
            await _receive(body, part, worker, report)
            sha256 = part.commit()
        finally:
            try:
                await worker.settle()
            finally:
                part.discard()
    except OSError as error:
        raise DownloadError(f"{artifact.path}: can't be written to {target}: {error.strerror or error}") from error
    finally:
        body.close()
    report(part.size, body.size, True)
    return Download(
        artifact=artifact,
        path=target,
        size=part.size,
        sha256=sha256,
        verified=body.size is not None,
        etag=body.etag,
        content_encoding=body.content_encoding,
        resumed=body.resumed,
    )


async def _receive(
    body: ResumableBody, part: PartFile, worker: Worker, report: Callable[[int, int | None, bool], None]
) -> None:
    """Receive one batch while a thread hashes and writes the one before."""
    pending: list[bytes] = []
    waiting = 0
    async for received in body:
        if received.restarted:
            pending, waiting = [], 0
            await worker.finish()
            part.start_over()
            report(0, body.size, False)
        pending.append(received.data)
        waiting += len(received.data)
        report(body.received, body.size, False)
        if waiting >= BATCH:
            await worker.begin(partial(part.write, pending))
            pending, waiting = [], 0
    await worker.finish()
    if waiting <= INLINE:
        part.write(pending)
    else:
        await worker.begin(partial(part.write, pending))
        await worker.finish()


def _reporter(artifact: Artifact, on_progress: OnProgress | None) -> Callable[[int, int | None, bool], None]:
    def report(received: int, size: int | None, done: bool) -> None:
        if on_progress is None:
            return
        try:
            on_progress(Progress(artifact=artifact, received=received, size=size, done=done))
        except Exception:  # the caller's display is no reason to lose the file
            log.exception("on_progress failed")

    return report
