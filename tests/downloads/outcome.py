"""One download with all its observable effects."""

import hashlib
from pathlib import Path

from attrs import field, frozen

import circleci_async as ca
from circleci_async.downloads.download import Progress
from tests.downloads.file_server import all_files, artifact_at, client
from tests.leftovers import check_nothing_in_use
from tests.raw_server import Behaviour, Request, raw_server


@frozen(kw_only=True)
class Outcome:
    download: ca.Download | None = None
    error: ca.CircleCIError | None = None
    requests: list[Request]
    progress: list[Progress]
    files: dict[str, bytes] = field(repr=False)

    @property
    def ranges(self) -> list[str | None]:
        """The `Range` header of each request."""
        return [request.headers.get("range") for request in self.requests]

    @property
    def got(self) -> ca.Download:
        assert self.download is not None, self.error
        return self.download

    @property
    def failure(self) -> ca.CircleCIError:
        assert self.error is not None, self.download
        return self.error


async def outcome(folder: Path, *behaviours: Behaviour, attempts: int = 5) -> Outcome:
    """Download one file from a server with these behaviours, and check what holds for every download.

    Nothing stays in use, no partial file is left, and the file on disk matches the `Download`.
    """
    progress: list[Progress] = []
    download: ca.Download | None = None
    error: ca.CircleCIError | None = None
    async with raw_server(*behaviours) as server, client(server, attempts=attempts) as circle:
        try:
            download = await circle.artifacts.download(artifact_at(server), folder, on_progress=progress.append)
        except ca.CircleCIError as caught:
            error = caught
        check_nothing_in_use(circle)
    files = all_files(folder)
    if download is None:
        assert files == {}
    else:
        content = files[download.path.relative_to(folder).as_posix()]
        assert len(files) == 1
        assert (download.size, download.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert progress[-1] == Progress(
            artifact=download.artifact, received=len(content), size=progress[-1].size, done=True
        )
    return Outcome(download=download, error=error, requests=server.requests, progress=progress, files=files)
