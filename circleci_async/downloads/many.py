"""Downloading many artifacts concurrently."""

import os
import time
from collections.abc import AsyncIterable, Iterable
from contextlib import aclosing

from ..core.fan_out import fan_out
from ..core.session import Session
from ..errors import CircleCIError
from ..models.artifacts import Artifact
from .destination import Destination
from .download import Download, OnProgress, download
from .report import DownloadReport, Failure


async def download_all(
    session: Session,
    artifacts: Iterable[Artifact] | AsyncIterable[Artifact],
    folder: str | os.PathLike[str],
    *,
    concurrency: int,
    on_progress: OnProgress | None,
) -> DownloadReport:
    """Download artifacts to a folder, `concurrency` at a time, while their list is still being read."""
    started = time.monotonic()
    files: list[Download] = []
    failed: list[Failure] = []
    destination = Destination(folder)

    async def fetch(artifact: Artifact) -> Download:
        target = destination.place(artifact)
        return await download(session, artifact, target, on_progress, left=destination.left(target))

    downloads = fan_out(artifacts, fetch, concurrency=concurrency)
    try:
        async with aclosing(downloads) as outcomes:
            async for artifact, outcome in outcomes:
                if isinstance(outcome, Exception):
                    failed.append(Failure(artifact=artifact, error=outcome))
                else:
                    files.append(outcome)
    except CircleCIError as error:
        failed.append(Failure(artifact=None, error=error))
    return DownloadReport(files=tuple(files), failed=tuple(failed), seconds=time.monotonic() - started)
