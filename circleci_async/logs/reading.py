"""The output of a step on one node, as messages, from the storage or from the API.

The URL on the storage is signed for a short time, so the token is not sent there; after it has expired, the list of
steps has a new one. If the storage fails, the API's own host can return the output as plain text.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from typing import Protocol

from attrs import define, evolve, frozen

from ..config.redacted import Redacted
from ..core.gzip_decoder import MAGIC, GzipDecoder, GzipError
from ..core.resumable_body import ResumableBody
from ..core.session import Session
from ..core.signed_urls import REFUSALS
from ..errors import ApiError, CircleCIError, DecodeError, DownloadError, TransportError
from ..models.steps import OutputMessage, StepAction
from ..untrusted_text import quoted
from .build import Build, build_path, get_build
from .messages import JsonMessages, MalformedOutput, TextMessages

PIECE = 64 * 1024
"""Bytes that are parsed at once; other tasks run in between."""


class Reader(Protocol):
    """Parses messages from bytes that arrive in pieces; raises `MalformedOutput`."""

    def feed(self, data: bytes) -> Iterator[OutputMessage]:
        """Yield the messages in these bytes."""
        ...

    def end(self) -> Iterator[OutputMessage]:
        """Yield the remaining messages, after all bytes."""
        ...


@frozen
class JobSource:
    """A job, and the session that requests it."""

    session: Session
    project: str
    """Slug of its project, already quoted."""
    number: int

    async def build(self) -> Build:
        """Request the job with its steps; raises `NotFound` if it has none."""
        return await get_build(self.session, self.project, self.number)

    async def renewed(self, action: StepAction) -> StepAction:
        """Return an action with a new URL, since that of its output has expired."""
        return same_action(action, await self.build())

    def output_url(self, action: StepAction) -> str:
        """Return the URL of an action's output on the API's own host; the action must have a number."""
        path = build_path(self.project, self.number)
        return f"{self.session.api_url(path)}/output/{action.number}/{action.node}?file=true"


@define
class _Position:
    """How much of the output has been yielded, and how much of it is still to be skipped after a restart."""

    characters: int
    to_skip: int = 0

    def restart(self) -> None:
        self.to_skip = self.characters

    def unread(self, messages: Iterable[OutputMessage]) -> Iterator[OutputMessage]:
        """Yield the messages that follow the position, and advance it."""
        for message in messages:
            skipped = min(self.to_skip, len(message.text))
            self.to_skip -= skipped
            text = message.text[skipped:]
            if text:
                self.characters += len(text)
                yield evolve(message, text=text) if skipped else message


async def output_of(job: JobSource, action: StepAction, *, skip: int = 0) -> AsyncGenerator[OutputMessage, None]:
    """Iterate the output of an action, without the first `skip` characters. No text is yielded twice.

    Raises `DecodeError` for malformed output, `DownloadError` if it has no URL or is incomplete, and the errors of
    every call.
    """
    position = _Position(skip)
    storage_error: CircleCIError | None = None
    has_new_url = False
    while action.output_url and (storage_error is None or has_new_url):
        try:
            signed = Redacted(action.output_url)
            async with aclosing(_read(job, signed, position, JsonMessages, anonymous=True)) as messages:
                async for message in messages:
                    yield message
            return
        except (ApiError, TransportError, DownloadError) as error:
            storage_error = error
            has_new_url = not has_new_url and isinstance(error, REFUSALS)
        if has_new_url:
            action = await job.renewed(action)
    if action.number is None:
        raise storage_error or DownloadError(
            f"the output of step {quoted(action.name)} of job {job.number} is unavailable: CircleCI sent neither its"
            " URL nor the number of the step"
        )
    try:
        async with aclosing(_read(job, Redacted(job.output_url(action)), position, TextMessages)) as messages:
            async for message in messages:
                yield message
    except CircleCIError as error:
        if storage_error:
            error.add_note(f"the storage failed before: {storage_error}")
        raise


async def _read(
    job: JobSource,
    url: Redacted[str],
    position: _Position,
    new_reader: Callable[[], Reader],
    *,
    anonymous: bool = False,
) -> AsyncGenerator[OutputMessage, None]:
    """Iterate the messages at a URL from the position on, and advance it."""
    body = ResumableBody(job.session, url, anonymous=anonymous)
    reader, gzip = new_reader(), None
    position.restart()
    try:
        async for part in body:
            if part.restarted:
                reader, gzip = new_reader(), None
                position.restart()
            is_first = body.received == len(part.data)
            if is_first and (body.content_encoding == "gzip" or part.data.startswith(MAGIC)):
                gzip = GzipDecoder(max_piece=PIECE)  # some storages send it although it was not requested
            for piece in gzip.feed(part.data) if gzip else _pieces(part.data):
                for message in position.unread(reader.feed(piece)):
                    yield message
                await asyncio.sleep(0)
        if gzip:
            gzip.end()
        for message in position.unread(reader.end()):
            yield message
        return
    except (MalformedOutput, GzipError) as fault:
        shown = job.session.public_url(url.reveal().partition("?")[0])
        error = DecodeError((job.session.redact(str(fault)),), method="GET", url=shown)
    finally:
        body.close()
    error.what = "the output of a step"
    raise error


def same_action(action: StepAction, build: Build) -> StepAction:
    """Return the same action from a newer list; without its URL if the list lacks it."""
    for step in build.job_steps():
        for other in step.actions:
            if (other.name, other.number, other.node) == (action.name, action.number, action.node) and (
                action.number is not None or other.started_at == action.started_at
            ):
                return other
    return evolve(action, output_url=None)


def _pieces(data: bytes) -> Iterator[bytes]:
    return (data[begin : begin + PIECE] for begin in range(0, len(data), PIECE))
