"""Logs: the output of the steps of a job, one file for each step and node."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

from attrs import evolve, frozen

from ...core.paging import Page, Paged
from ...core.session import Session
from ...downloads.destination import MAX_NAME, numbered
from ...errors import NotFound
from ...logs.build import Build, build_path
from ...logs.lines import Line, splitter
from ...logs.reading import JobSource, output_of
from ...models.artifacts import Artifact
from ...models.steps import StepAction
from ...slug import project_path
from ..layout import JobRef, safe_name
from ..ledger.records import QueuedArtifact
from .body import FileList, TextBody
from .patterns import Pattern
from .request_cache import RequestCache
from .scrub import ScrubbedStream, Scrubber

MAX_ACTIONS: Final = 10_000
"""Actions of steps that are kept in memory, so that a job is requested once for the logs of all its steps."""

_SUFFIX: Final = ".txt"


@frozen
class JobLogs:
    """The actions of a job that have output, by node and path of the file."""

    actions: dict[tuple[int, str], StepAction]
    has_ended: bool


@frozen
class _Job(JobSource):
    """A job whose actions are kept, and requested once if the addresses of several outputs have expired."""

    cache: RequestCache[tuple[str, int], JobLogs]

    async def logs(self, *, unless: JobLogs | None = None) -> JobLogs:
        return await self.cache.get((self.project, self.number), self.request_logs, unless=unless)

    async def request_logs(self) -> JobLogs:
        build = await self.build()
        return JobLogs(dict(_files(build)), build.has_ended)


@frozen
class _LogFile(_Job):
    """The job as one of its files uses it."""

    known: JobLogs
    key: tuple[int, str]

    async def renewed(self, action: StepAction) -> StepAction:
        logs = await self.logs(unless=self.known)
        return logs.actions.get(self.key) or evolve(action, output_url=None)


class LogSource:
    """The output of the steps of a job, from API v1.1 and its storage."""

    def __init__(self, session: Session, patterns: Iterable[Pattern], *, ansi: bool) -> None:
        self._session = session
        self._patterns = tuple(patterns)
        self._ansi = ansi
        self._cache = RequestCache[tuple[str, int], JobLogs](MAX_ACTIONS, lambda logs: 1 + len(logs.actions))

    def files(self, job: JobRef) -> FileList:
        """Return a file for each step and node with output, once the job has ended in API v1.1 too."""
        source = self._job(job.project, job.number)

        async def fetch(_: str | None) -> Page[Artifact]:
            logs = await source.request_logs()
            files.is_growing = not logs.has_ended
            if files.is_growing:
                return Page((), None)
            source.cache.put((source.project, source.number), logs)
            address = self._session.api_url(build_path(source.project, source.number))
            listed = (
                Artifact(
                    path=path, node_index=node, url=address if action.number is None else source.output_url(action)
                )
                for (node, path), action in logs.actions.items()
            )
            return Page(tuple(listed), None)

        files = FileList(Paged(fetch).empty_if_missing())
        return files

    @asynccontextmanager
    async def open(self, file: QueuedArtifact, *, offset: int = 0, etag: str | None = None) -> AsyncGenerator[TextBody]:
        """Return the output of a step, from its start: lines that end with a newline."""
        job = self._job(file.project, file.job)
        logs = await job.logs()
        key = (file.node, file.path)
        action = logs.actions.get(key)
        if action is None:
            raise NotFound(404, f"job {file.job} has no step with output for {file.path}", method="GET", url=file.url)
        source = _LogFile(job.session, job.project, job.number, job.cache, logs, key)
        scrubber = Scrubber(self._patterns)
        async with aclosing(self._text(source, action, scrubber.stream(ansi=self._ansi))) as pieces:
            yield TextBody(pieces, scrubber)

    async def _text(self, job: JobSource, action: StepAction, scrubbed: ScrubbedStream) -> AsyncGenerator[str]:
        lines = splitter(ansi=self._ansi)
        is_ended = True
        async with aclosing(output_of(job, action)) as messages:
            async for message in messages:
                text, is_ended = _joined(lines.feed(message.text), is_ended)
                if scrubbed_text := scrubbed.feed(text):
                    yield scrubbed_text
                    await asyncio.sleep(0)
        text, is_ended = _joined(lines.end(), is_ended)
        yield scrubbed.feed(text if is_ended else f"{text}\n") + scrubbed.end()

    def _job(self, project: str, number: int) -> _Job:
        return _Job(self._session, project_path(project), number, self._cache)


def _joined(lines: Iterable[Line], is_ended: bool) -> tuple[str, bool]:
    """Return the text of lines, and whether its last line is complete; `is_ended` if there are none."""
    pieces: list[str] = []
    for line in lines:
        pieces.append(line.with_newline)
        is_ended = line.ended
    return "".join(pieces), is_ended


def _files(build: Build) -> Iterator[tuple[tuple[int, str], StepAction]]:
    """Yield the actions with output, with node and path; equal paths are numbered in the order of the job."""
    used: set[tuple[int, str]] = set()
    for step in build.job_steps():
        for action in step.actions:
            if action.has_output:
                key = next(key for path in numbered(_path(action)) if (key := (action.node, path)) not in used)
                used.add(key)
                yield key, evolve(action, command=None)


def _path(action: StepAction) -> str:
    name = action.name.encode("utf-8", "replace").decode()
    number = "" if action.number is None else f"{action.number}-"
    return f"logs/{action.node}/{safe_name(f'{number}{name}', max_bytes=MAX_NAME - len(_SUFFIX))}{_SUFFIX}"
