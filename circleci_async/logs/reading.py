"""The output of a step on one node, from wherever it can be had, as messages.

Its address on the storage is signed for a short time, so it is asked without the token; once it has expired, the list
of steps gives a fresh one. What the storage does not give, the API's own host may, as plain text.
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from typing import Protocol

from attrs import define, evolve, frozen

from ..core.resumable_body import ResumableBody
from ..core.session import Session
from ..errors import (
    ApiError,
    AuthenticationError,
    BadRequest,
    CircleCIError,
    DecodeError,
    DownloadError,
    Gone,
    NotFound,
    PermissionDenied,
    TransportError,
)
from ..models.steps import OutputMessage, StepAction
from .build import Build, build_path, get_build
from .messages import JsonMessages, TextMessages, Unreadable

REFUSALS = (BadRequest, AuthenticationError, PermissionDenied, NotFound, Gone)
"""What a storage answers when an address is not good any more."""

PIECE = 64 * 1024
"""Bytes that are read in one go; other tasks get their turn in between."""

_GZIP = 31  # what zlib calls it
_MAGIC = b"\x1f\x8b"  # what gzip begins with, and neither JSON nor text does


class Reader(Protocol):
    """Makes messages of bytes that come in pieces; raises `Unreadable`."""

    def feed(self, data: bytes) -> Iterator[OutputMessage]:
        """Yield what these bytes bring."""
        ...

    def end(self) -> Iterator[OutputMessage]:
        """Yield what is left when all bytes have come."""
        ...


@frozen
class Job:
    """A job, and the session that it is asked through."""

    session: Session
    project: str
    """Its project's slug, quoted already."""
    number: int

    async def look(self) -> Build:
        """Ask how it stands; raises `NotFound` where it has no steps."""
        return await get_build(self.session, self.project, self.number)

    def address_of(self, action: StepAction) -> str:
        """Return where the API's own host gives the output of a step that has a number."""
        path = build_path(self.project, self.number)
        return f"{self.session.api_url(path)}/output/{action.number}/{action.node}?file=true"


@define
class _Place:
    """How much of the output has been given: characters."""

    given: int


async def output_of(job: Job, action: StepAction, *, skip: int = 0) -> AsyncGenerator[OutputMessage, None]:
    """Iterate what a step printed on one node, without the first `skip` characters.

    Whatever happens on the way, nothing is given twice. Raises `DecodeError` if the storage gives something else, and
    as every call does if the output can be had nowhere (`DownloadError` if it broke off each time, or has no address).
    """
    place = _Place(skip)
    trouble: CircleCIError | None = None
    fresh = False
    while action.output_url and (trouble is None or fresh):
        try:
            async with aclosing(_read(job, action.output_url, place, JsonMessages, anonymous=True)) as messages:
                async for message in messages:
                    yield message
            return
        except (ApiError, TransportError, DownloadError) as error:
            trouble = error
            fresh = not fresh and isinstance(error, REFUSALS)
        if fresh:
            action = same(action, await job.look())
    if action.number is None:
        raise trouble or DownloadError(
            f"the output of the step {action.name!r} of job {job.number} can't be had: CircleCI gives it neither an "
            "address nor a number"
        )
    try:
        async with aclosing(_read(job, job.address_of(action), place, TextMessages)) as messages:
            async for message in messages:
                yield message
    except CircleCIError as error:
        if trouble:
            error.add_note(f"The storage of the output failed before: {trouble}")
        raise


async def _read(
    job: Job, url: str, place: _Place, new_reader: Callable[[], Reader], *, anonymous: bool = False
) -> AsyncGenerator[OutputMessage, None]:
    """Iterate the messages at an address, from the place on; it moves with them."""
    body = ResumableBody(job.session, url, anonymous=anonymous)
    reader: Reader = new_reader()
    to_skip = place.given
    try:
        async for part in body:
            if part.restarted:
                reader, to_skip = new_reader(), place.given
            is_first = body.received == len(part.data)
            if is_first and (body.content_encoding == "gzip" or part.data.startswith(_MAGIC)):
                reader = Unzipped(reader)
            for at in range(0, len(part.data), PIECE):
                for message in reader.feed(part.data[at : at + PIECE]):
                    skipped = min(to_skip, len(message.text))
                    to_skip -= skipped
                    text = message.text[skipped:]
                    if text:
                        place.given += len(text)
                        yield evolve(message, text=text) if skipped else message
                await asyncio.sleep(0)
        for message in reader.end():
            skipped = min(to_skip, len(message.text))
            to_skip -= skipped
            text = message.text[skipped:]
            if text:
                place.given += len(text)
                yield evolve(message, text=text) if skipped else message
        return
    except Unreadable as fault:
        shown = job.session.public_url(url.partition("?")[0])
        error = DecodeError((job.session.redact(str(fault)),), method="GET", url=shown)
    finally:
        body.close()
    error.what = "the output of a step"
    raise error


def same(action: StepAction, build: Build) -> StepAction:
    """Find an action in a newer list; as it was, but without its address, if it is not there any more."""
    for step in build.job_steps():
        for other in step.actions:
            if (other.name, other.number, other.node) == (action.name, action.number, action.node) and (
                action.number is not None or other.started_at == action.started_at
            ):
                return other
    return evolve(action, output_url=None)


class Unzipped:
    """Unpacks gzip, which some storages send whatever they are asked for, before it is read."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._gzip = zlib.decompressobj(_GZIP)

    def feed(self, data: bytes) -> Iterator[OutputMessage]:
        """Yield what these bytes bring."""
        while data:  # what zlib holds back comes with the next bytes: the last ones are a checksum
            try:
                unpacked = self._gzip.decompress(data, PIECE)
            except zlib.error as error:
                raise Unreadable(f"not whole gzip ({error})") from None
            yield from self._reader.feed(unpacked)
            data = self._gzip.unconsumed_tail

    def end(self) -> Iterator[OutputMessage]:
        """Yield what is left when all bytes have come."""
        if not self._gzip.eof:
            raise Unreadable("gzip that ends in the middle")
        yield from self._reader.end()
