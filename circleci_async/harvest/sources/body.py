"""What each kind of source provides: the list of the files of a job, and the bytes of each."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from attrs import define

from ...core.paging import Paged
from ...core.resumable_body import Part
from ...models.artifacts import Artifact
from ..layout import JobRef
from ..ledger.records import QueuedArtifact
from .scrub import Scrubber


class Body(Protocol):
    """Bytes in parts. A `restarted` part replaces all parts before."""

    @property
    def received(self) -> int:
        """Bytes of the parts so far."""
        ...

    @property
    def size(self) -> int | None:
        """Bytes in total; None if that is unknown."""
        ...

    @property
    def etag(self) -> str | None:
        """The strong ETag of the version; None if the file cannot be resumed."""
        ...

    def __aiter__(self) -> AsyncIterator[Part]: ...


class TextBody:
    """Text that is generated piece by piece, with its secrets replaced. It starts at the first byte."""

    size: None = None
    etag: None = None

    def __init__(self, pieces: AsyncGenerator[str], scrubber: Scrubber) -> None:
        self._pieces = pieces
        self._scrubber = scrubber
        self.received: int = 0

    @property
    def scrubbed(self) -> tuple[tuple[str, int], ...]:
        """How many secrets were replaced, by the name of their pattern."""
        return tuple(self._scrubber.counts.items())

    def __aiter__(self) -> "TextBody":
        return self

    async def __anext__(self) -> Part:
        while not (piece := await anext(self._pieces)):
            pass
        data = piece.encode("utf-8", "replace")
        self.received += len(data)
        return Part(data, restarted=False)


@define
class FileList:
    """The files of a job: path, node and address of each. None if the API does not know the job."""

    paged: Paged[Artifact]
    is_growing: bool = False
    """Whether CircleCI has not recorded all of the job yet, known after the iteration."""


class Source(Protocol):
    """One kind of files."""

    def files(self, job: JobRef) -> FileList:
        """Return the files of a job."""
        ...

    def open(
        self, file: QueuedArtifact, *, offset: int = 0, etag: str | None = None
    ) -> AbstractAsyncContextManager[Body]:
        """Return the bytes of a file, from `offset` on if the version `etag` can be resumed.

        Everything needed is in the row of the queue, so that another process can read the file.
        """
        ...


def json_text(value: Any, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """Return a value as JSON on one line, or indented. Unpaired surrogates stay escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, sort_keys=sort_keys)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent, sort_keys=sort_keys)
    return text
