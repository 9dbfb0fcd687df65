"""Checks the arguments `workers` and `send_token`, and creates the pool of a run."""

import os
import uuid
from typing import Any

from ...core.session import Session
from ...errors import InvalidArgument
from ..bounds import Bounds
from ..destination.parts import PartialFiles
from ..destination.place import HarvestDestination, Place
from ..downloader import Downloader
from ..progress import ProgressTracker
from ..sources.sources import SourceOptions
from ..stop_signal import StopSignal
from ..uploader import Uploader
from .cluster import checked_client
from .messages import ClientSpec, Target
from .pool import WorkerPool


class Workers:
    """The workers of a Dask client, for a harvest into a place that they reach.

    Raises `InvalidArgument` that names the argument, and `ConfigurationError` if the extra `dask` is missing.
    """

    def __init__(self, client: Any, into: HarvestDestination, place: Place, *, send_token: bool) -> None:
        self._cluster = checked_client(client)
        self._sends_token = send_token
        self._folder = "" if place.folder is None else os.path.realpath(place.folder)
        self._url = None if place.bucket is None else _checked_url(into, place)

    async def pool(
        self,
        session: Session,
        sources: SourceOptions,
        local: Downloader | Uploader,
        parts: PartialFiles,
        bounds: Bounds,
        progress: ProgressTracker,
        stop: StopSignal,
        concurrency: int,
    ) -> WorkerPool:
        """Return the pool of a run. `local` downloads what an earlier run has begun in this process."""
        token = await session.state.credentials.current_token()
        spec = ClientSpec(
            session.state.settings,
            session.options.timeout,
            session.options.min_speed,
            session.options.retry,
            concurrency,
            is_anonymous=token.reveal() is None,
        )
        target = Target(
            self._url,
            self._folder,
            marker=f".{uuid.uuid4().hex}.workers",
            checks_first=isinstance(local, Uploader) and local.checks_first,
            min_free=bounds.min_free,
        )
        return WorkerPool(
            self._cluster,
            session,
            spec,
            sources,
            target,
            local,
            parts,
            bounds,
            progress,
            stop,
            sends_token=self._sends_token,
        )


def _checked_url(into: HarvestDestination, place: Place) -> str:
    if place.location.startswith("memory:"):
        raise InvalidArgument(f"into must be a bucket or folder that the workers reach, got {place.location!r}")
    if not isinstance(into, str):
        raise InvalidArgument(
            f"into must be the URL of the bucket, such as {place.location!r}, if there are workers: a store cannot be"
            " sent to them, since it contains credentials"
        )
    return into
