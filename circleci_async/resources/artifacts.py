"""The calls about artifacts, with what one call is not enough for: download, download many, stream, find the latest."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from attrs import frozen

from ..core.fan_out import fan_out
from ..core.resumable_body import ResumableBody
from ..core.session import Session
from ..downloads.destination import Destination
from ..downloads.download import Download, OnProgress, download
from ..endpoints.artifacts import Artifacts as Endpoints
from ..endpoints.resource import ProjectRef
from ..errors import CircleCIError, DownloadError
from ..models.artifacts import Artifact

if TYPE_CHECKING:
    from ..downloads.latest import LatestArtifacts


@frozen(kw_only=True)
class Failure:
    """An artifact that could not be had, and why. `artifact` is None if the list of artifacts itself broke off."""

    artifact: Artifact | None
    error: Exception

    def __str__(self) -> str:
        name = "the list of artifacts" if self.artifact is None else self.artifact.path
        name = name if name.isprintable() else repr(name)  # it comes from the build, and may drive a terminal
        said = str(self.error)
        return said if said.startswith(name) else f"{name}: {said}"


@frozen(kw_only=True)
class DownloadReport:
    """What became of many artifacts."""

    files: tuple[Download, ...]
    failed: tuple[Failure, ...]
    seconds: float

    @property
    def bytes(self) -> int:
        """The size of all files together."""
        return sum(file.size for file in self.files)

    def raise_for_failures(self) -> None:
        """Raise `DownloadError`, which names the failures, if there are any."""
        if not self.failed:
            return
        lines = [str(failure) for failure in self.failed]
        total = len(self.failed) + len(self.files)
        shown = "\n  ".join(lines[:10] + ([f"and {len(lines) - 10} more"] if len(lines) > 10 else []))
        raise DownloadError(f"{len(self.failed)} of {total} artifacts failed:\n  {shown}") from self.failed[0].error


class ArtifactStream:
    """The bytes of an artifact: `async for part in stream`, once. What is cut is taken up again, unnoticed."""

    def __init__(self, artifact: Artifact, body: ResumableBody) -> None:
        self.artifact = artifact
        self._body = body

    @property
    def size(self) -> int | None:
        """Bytes in all, or None if the server did not say."""
        return self._body.size

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        given = 0
        async for part in self._body:
            if part.restarted:
                raise DownloadError(
                    f"{self.artifact.path}: cut after {given} bytes, and the server can't go on from there; "
                    "`download` can start over"
                )
            given = self._body.received
            yield part.data


class Artifacts(Endpoints):
    """Artifacts: the files that jobs keep."""

    async def download(
        self, artifact: Artifact, folder: str | os.PathLike[str], *, on_progress: OnProgress | None = None
    ) -> Download:
        """Download one artifact to `folder/PATH` (of node N above 0: `folder/node-N/PATH`) and say where it is.

        The folder is made if need be; a file that stands there is replaced. The file appears whole, in one step, or not
        at all. `on_progress` is called on the event loop with each part received.

        Raises `UnsafePath` before anything is sent, `NotFound` if it has expired, `DownloadError` if it can't be had
        whole or written, `TransportError` when retries are used up.  (API developer's guide, "Download artifacts")
        """
        target = await asyncio.to_thread(Destination(folder).place, artifact)  # it looks through the whole folder
        return await download(self._session, artifact, target, on_progress)

    async def download_all(
        self,
        artifacts: Iterable[Artifact] | AsyncIterable[Artifact],
        folder: str | os.PathLike[str],
        *,
        concurrency: int = 16,
        on_progress: OnProgress | None = None,
    ) -> DownloadReport:
        """Download many artifacts, `concurrency` at a time, each as `download` does.

        One failure never loses the others.
        `artifacts` may be a list or what `artifacts.list` returns: then files are fetched while the list still is. The
        report says which failed and why; `report.raise_for_failures()` raises. Cancelling leaves only whole files.
        """
        began = time.monotonic()
        files: list[Download] = []
        failed: list[Failure] = []
        destination = Destination(folder)

        async def fetch(artifact: Artifact) -> Download:
            return await download(self._session, artifact, destination.place(artifact), on_progress)

        every_outcome = fan_out(artifacts, fetch, concurrency=concurrency)
        try:
            async with aclosing(every_outcome) as outcomes:
                async for artifact, outcome in outcomes:
                    if isinstance(outcome, Exception):
                        failed.append(Failure(artifact=artifact, error=outcome))
                    else:
                        files.append(outcome)
        except CircleCIError as error:
            failed.append(Failure(artifact=None, error=error))
        return DownloadReport(files=tuple(files), failed=tuple(failed), seconds=time.monotonic() - began)

    def open(self, artifact: Artifact) -> AbstractAsyncContextManager[ArtifactStream]:
        """Stream one artifact without a file.

        `async with circle.artifacts.open(artifact) as stream:` and then `async for part in stream:` gives its bytes. It
        holds one of the client's `concurrency` until the last part has been read, or the block ends.

        Raises as `download` does, and `DownloadError` if the server can't go on where a body was cut.
        """
        return _opened(self._session, artifact)

    async def latest(
        self,
        project: ProjectRef,
        *,
        branch: str | None = None,
        tag: str | None = None,
        workflow: str | None = None,
        job: str | None = None,
        path: str | None = None,
        look_back: int = 100,
    ) -> "LatestArtifacts | None":
        """Find the artifacts of the newest pipeline that succeeded and has what is asked for; None if there is none.

        All but `look_back` are globs, as in a `Selection`: of the pipeline's branch or tag (None: of any), the names of
        workflow and job, and the artifact's path. A pipeline succeeded if all its workflows did; with `workflow`, if
        all of those did. Of a workflow that was run again the newest run counts, and nothing else of that name.

        Pipelines are looked at one after another, newest first, `look_back` of them at most: of the branch if that is a
        name, else of the whole project, since the API filters by nothing else. Raises what the calls do that it makes:
        `GET /project/{project-slug}/pipeline`, `GET /pipeline/{pipeline-id}/workflow`, `GET /workflow/{id}/job`,
        `GET /project/{project-slug}/{job-number}/artifacts`. `InvalidArgument` before anything is sent.
        """
        from ..downloads.latest import Search, find_latest

        return await find_latest(self._session, project, Search(branch, tag, workflow, job, path, look_back))


@asynccontextmanager
async def _opened(session: Session, artifact: Artifact) -> AsyncGenerator[ArtifactStream, None]:
    body = ResumableBody(session, artifact.url)
    try:
        await body.connect()
        yield ArtifactStream(artifact, body)
    finally:
        body.close()
