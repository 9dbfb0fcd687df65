"""The bytes of one artifact, without a file."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from ..core.resumable_body import ResumableBody
from ..core.session import Session
from ..errors import DownloadError
from ..models.artifacts import Artifact
from ..untrusted_text import shown

__all__ = ["ArtifactStream"]


class ArtifactStream:
    """The bytes of an artifact: `async for part in stream`, once. Interruptions are resumed transparently."""

    def __init__(self, artifact: Artifact, body: ResumableBody) -> None:
        self.artifact = artifact
        self._body = body

    @property
    def size(self) -> int | None:
        """Size of the artifact in bytes, or None if the server did not send it."""
        return self._body.size

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        received = 0
        async for part in self._body:
            if part.restarted:
                raise DownloadError(
                    f"{shown(self.artifact.path)}: interrupted after {received} bytes, and the server cannot resume"
                    " it: use `artifacts.download`, which can start over"
                )
            received = self._body.received
            yield part.data


@asynccontextmanager
async def open_artifact(session: Session, artifact: Artifact) -> AsyncGenerator[ArtifactStream, None]:
    """Request an artifact, and close its body at the end of the block."""
    body = ResumableBody(session, artifact.url)
    try:
        await body.connect()
        yield ArtifactStream(artifact, body)
    finally:
        body.close()
