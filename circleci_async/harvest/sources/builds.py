"""Builds: pipeline, workflow and job of each job, as JSON."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

from ...core.paging import Page, Paged
from ...core.session import Session
from ...errors import NotFound
from ...models.artifacts import Artifact
from ...slug import project_path, segment
from ..layout import JobRef
from ..ledger.records import QueuedArtifact
from .body import FileList, TextBody, json_text
from .patterns import Pattern
from .request_cache import RequestCache
from .scrub import Scrubber

BUILD: Final = "build.json"

MAX_KEPT: Final = 2_000
"""Pipelines, workflows and jobs that are kept in memory."""

_Json = dict[str, Any]


class BuildSource:
    """The details of a job, its workflow and its pipeline. Each of those is requested once for all of its jobs."""

    def __init__(self, session: Session, patterns: Iterable[Pattern]) -> None:
        self._session = session
        self._patterns = tuple(patterns)
        self._cache = RequestCache[str, _Json](MAX_KEPT, lambda _: 1)

    def files(self, job: JobRef) -> FileList:
        """Return the file of a job."""
        path = _job_path(job.project, job.number)

        async def fetch(_: str | None) -> Page[Artifact]:
            self._cache.put(path, await self._request(path))
            return Page((Artifact(path=BUILD, node_index=0, url=self._session.api_url(path)),), None)

        return FileList(Paged(fetch).empty_if_missing())

    @asynccontextmanager
    async def open(self, file: QueuedArtifact, *, offset: int = 0, etag: str | None = None) -> AsyncGenerator[TextBody]:
        """Return the file, from its start."""
        scrubber = Scrubber(self._patterns)
        async with aclosing(self._text(_job_path(file.project, file.job), scrubber)) as pieces:
            yield TextBody(pieces, scrubber)

    async def _text(self, path: str, scrubber: Scrubber) -> AsyncGenerator[str]:
        job = await self._cache.get(path, lambda: self._request(path))
        described = {
            "pipeline": await self._part_of("pipeline", job.get("pipeline")),
            "workflow": await self._part_of("workflow", job.get("latest_workflow")),
            "job": job,
        }
        yield json_text(scrubber.value(described), indent=2, sort_keys=True) + "\n"

    async def _part_of(self, kind: str, reference: Any) -> _Json | None:
        """Return the pipeline or workflow of a job; None if it was deleted."""
        match reference:
            case {"id": str(id)} if id:
                pass
            case _:
                return None
        path = f"/{kind}/{segment(id)}"
        return await self._cache.get(path, lambda: self._request(path, is_optional=True)) or None

    async def _request(self, path: str, *, is_optional: bool = False) -> _Json:
        try:
            return await self._session.request(dict[str, Any], "GET", path)
        except NotFound:
            if not is_optional:
                raise
            return {}


def _job_path(project: str, number: int) -> str:
    return f"/project/{project_path(project)}/job/{segment(number)}"
