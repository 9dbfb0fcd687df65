"""The function that runs on the workers."""

import pickle
from functools import cache

from ...core.user_agent import VERSION
from ...errors import WorkersError
from .messages import BatchResult
from .process import FetchProcess


def fetch_batch(version: str, batch: bytes) -> bytes:
    """Fetch a pickled `Batch` of a caller of this version; return a pickled `BatchResult`, also for errors."""
    return pickle.dumps(_fetch_batch(version, batch))


def _fetch_batch(version: str, batch: bytes) -> BatchResult:
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()
    if version != VERSION:
        return BatchResult(
            worker.address,
            error=WorkersError(
                f"the Dask worker {worker.address} has circleci-async {VERSION}, and this process has {version}:"
                f" install circleci-async=={version} there"
            ),
        )

    def is_wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state in {"executing", "long-running"}

    return _process().run(pickle.loads(batch), worker.address, worker.local_directory, is_wanted)  # noqa: S301


@cache
def _process() -> FetchProcess:
    """Return the only one of this process."""
    return FetchProcess()
