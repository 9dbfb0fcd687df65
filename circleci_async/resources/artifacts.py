"""The artifacts API, with downloads, streams, small contents and the latest artifacts."""

import asyncio
import os
from collections.abc import AsyncIterable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from ..downloads import content
from ..downloads.destination import Destination
from ..downloads.download import Download, OnProgress, download
from ..downloads.many import download_all
from ..downloads.report import DownloadReport
from ..downloads.stream import ArtifactStream, open_artifact
from ..endpoints.artifacts import Artifacts as Endpoints
from ..endpoints.resource import ProjectRef
from ..models.artifacts import Artifact

if TYPE_CHECKING:
    from ..downloads.latest import LatestArtifacts


class Artifacts(Endpoints):
    """Artifacts: the files that jobs store."""

    async def download(
        self, artifact: Artifact, folder: str | os.PathLike[str], *, on_progress: OnProgress | None = None
    ) -> Download:
        """Download one artifact to `folder/PATH` (of a parallel node N above 0: `folder/node-N/PATH`).

        The folder is created if necessary, and an existing file replaced. The file appears complete, in one step, or
        not at all. `on_progress` is called on the event loop with each part received.

        Raises `UnsafePath` before anything is sent, `NotFound` if the artifact has expired, `DownloadError` if the body
        is incomplete or the file cannot be written, `TransportError` when the retries are used up.  (API developer's
        guide, "Download artifacts")
        """
        destination = Destination(folder)
        target = await asyncio.to_thread(destination.place, artifact)  # it lists the whole folder
        return await download(self._session, artifact, target, on_progress, left=destination.left(target))

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

        `artifacts` is a list, or the result of `artifacts.list`, which is then read while files are downloaded. The
        report names the failures; `report.raise_for_failures()` raises them. A cancellation leaves complete files only.
        """
        return await download_all(self._session, artifacts, folder, concurrency=concurrency, on_progress=on_progress)

    def open(self, artifact: Artifact) -> AbstractAsyncContextManager[ArtifactStream]:
        """Stream one artifact without a file.

        `async with circle.artifacts.open(artifact) as stream:`, then `async for part in stream:` yields its bytes. The
        stream counts towards the client's `concurrency` until its last part has been read, or the block ends.

        Raises the errors of `download`, and `DownloadError` if the server cannot resume after an interruption.
        """
        return open_artifact(self._session, artifact)

    async def read(self, artifact: Artifact | str, *, max_bytes: int = 10_000_000) -> bytes:
        """Return the content of a small artifact, or of the URL of one.

        It is requested, resumed and checked as by `download`, and decompressed if the server sends it compressed
        (`Content-Encoding`).

        Raises the errors of `download`; `DownloadError` for more than `max_bytes`, before it is read if the server
        states its length.
        """
        return await content.read(self._session, artifact, max_bytes)

    async def read_text(self, artifact: Artifact | str, *, encoding: str = "utf-8", max_bytes: int = 10_000_000) -> str:
        """Return the text of a small artifact. Line endings are unchanged.

        Raises the errors of `read`, and `DecodeError` for bytes that are not in this encoding.
        """
        return await content.read_text(self._session, artifact, encoding, max_bytes)

    async def read_json(self, artifact: Artifact | str, *, max_bytes: int = 10_000_000) -> Any:
        """Return the parsed JSON (UTF-8) of a small artifact.

        Raises the errors of `read`, and `DecodeError`, which names the artifact, for anything else.
        """
        return await content.read_json(self._session, artifact, max_bytes)

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
        """Find the artifacts of the newest successful pipeline that has matching ones; None if there is none.

        All arguments but `look_back` are globs, as in a `Selection`: the pipeline's branch or tag (None: any), the
        names of workflow and job, and the artifact's path. A pipeline succeeded if all its workflows did; with
        `workflow`, if all matching workflows did. The newest workflow of each name counts: a rerun replaces the earlier
        run.

        Checks pipelines one by one, newest first, at most `look_back` of them: those of the branch if `branch` is a
        plain name, otherwise those of the whole project, since the API has no other filter. Raises the errors of the
        calls that it makes: `GET /project/{project-slug}/pipeline`, `GET /pipeline/{pipeline-id}/workflow`,
        `GET /workflow/{id}/job`, `GET /project/{project-slug}/{job-number}/artifacts`; `InvalidArgument` before
        anything is sent.
        """
        from ..downloads.latest import Search, find_latest  # only now: it loads the models of other groups

        return await find_latest(self._session, project, Search(branch, tag, workflow, job, path, look_back))
