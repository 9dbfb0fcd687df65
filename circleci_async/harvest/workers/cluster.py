"""A Dask cluster: what a harvest asks of its client."""

import asyncio
import pickle
import uuid
from collections.abc import Awaitable, Callable, Iterable
from importlib.resources import files
from typing import Any, Final, TypeVar

from ...config.extras import is_installed
from ...core.user_agent import VERSION
from ...errors import ConfigurationError, InvalidArgument, WorkersError
from .messages import BatchResult

T = TypeVar("T")

CONNECT_TIMEOUT: Final = 15.0
"""Seconds to wait for the scheduler."""

ANSWER_TIMEOUT: float = 10.0
"""Seconds to wait for a new worker. The scheduler tries for 30 s to connect to one that has died."""

_RUN_AGAIN: Final = "Run the same command again: it continues."


class WorkerDied(Exception):
    """The workers that ran a batch died."""


class Cluster:
    """Runs batches on the workers of a cluster, through a client that is synchronous or of this event loop."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def threads(self) -> dict[str, int]:
        """Return the workers' addresses and numbers of threads. Raises `WorkersError`."""
        threads: dict[str, int] = await self._ask(self._client.nthreads)
        return threads

    async def check_installed(self, workers: Iterable[str]) -> set[str]:
        """Raise `WorkersError` if the scheduler or one of these workers does not have this package.

        A task for it would end such a worker. What is sent is a function of the standard library, which imports it.
        Return the workers that answered: none if one of them has died.
        """
        client, package, addresses = self._client, "circleci_async", list(workers)

        async def on_scheduler() -> Any:
            try:
                return await client.run_on_scheduler(files, package)
            except ImportError as error:
                return error

        async def on_workers() -> dict[str, Any]:
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT):
                    results: dict[str, Any] = await client.run(files, package, workers=addresses, on_error="return")
                    return results
            except TimeoutError:
                return {}

        found = {"the Dask scheduler": await self._ask(on_scheduler)}
        results: dict[str, Any] = await self._ask(on_workers)
        found |= {f"the Dask worker {address}": result for address, result in results.items()}
        for where, result in found.items():
            if isinstance(result, ImportError):
                raise WorkersError(f"{where} does not have circleci-async: install circleci-async=={VERSION} there")
        return {address for address, result in results.items() if not isinstance(result, OSError)}

    async def fetch(self, batch: bytes) -> BatchResult:
        """Run a pickled batch on a worker. Cancelling it cancels the task.

        Raises `WorkerDied`, which costs this batch only, and `WorkersError`.
        """
        return await self._in_loop_of_client(lambda: self._fetch(batch))

    async def _fetch(self, batch: bytes) -> BatchResult:
        from distributed import CancelledError, KilledWorker

        from .task import fetch_batch

        client = self._client
        future = None
        try:
            name = f"circleci-async-harvest-{uuid.uuid4().hex}"
            future = client.submit(fetch_batch, VERSION, batch, key=name, pure=False, retries=0)
            result: BatchResult = pickle.loads(await _result_of(future))  # noqa: S301  # of a worker
            return result
        except WorkersError:
            raise
        except KilledWorker as error:
            raise WorkerDied(f"the last one was {getattr(error.last_worker, 'address', 'unknown')}") from None
        except CancelledError as error:
            if client.status == "running" and getattr(error, "reason", "") != "scheduler-connection-lost":
                raise WorkerDied(str(error)) from None
            raise self._lost(error) from None
        except Exception as error:  # noqa: BLE001  # the scheduler's and the workers' errors are of any class
            raise self._lost(error) from None
        finally:
            if future is not None:
                future.release()  # the scheduler forgets the task, and cancels it if it has not ended

    def _lost(self, error: Exception) -> WorkersError:
        scheduler = getattr(self._client.scheduler, "address", "")
        if self._client.status != "running" or isinstance(error, OSError):
            lost = WorkersError(f"the Dask scheduler {scheduler} was lost: {_text(error)}")
            lost.hint = _RUN_AGAIN
            return lost
        return WorkersError(f"the Dask scheduler {scheduler} failed: {_text(error)}")

    async def _ask(self, ask: Callable[[], Any]) -> Any:
        """Ask the scheduler. Raises `WorkersError` if it does not answer."""

        async def asked() -> Any:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                return await ask()

        try:
            return await self._in_loop_of_client(asked)
        except Exception as error:  # noqa: BLE001  # as above
            raise self._lost(error) from None

    async def _in_loop_of_client(self, start: Callable[[], Awaitable[T]]) -> T:
        async def run() -> T:
            return await start()

        loop = self._client.loop.asyncio_loop
        if loop is asyncio.get_running_loop():
            return await run()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), loop))


async def _result_of(future: Any) -> bytes:
    """Return the result of a task. Raises what it raised, and `WorkersError` if the client is unusable.

    Cancelling this does not cancel the wait of the client, which ends when the future is released: results of several
    tasks are received together, and once that is cancelled, a client cancels every wait for a result.
    """
    waiting: asyncio.Future[bytes] = asyncio.ensure_future(future.result())
    waiting.add_done_callback(lambda done: done.cancelled() or done.exception())  # it counts as retrieved
    await asyncio.wait([waiting])
    if waiting.cancelled():
        raise WorkersError("the Dask client cancels every wait for a result: create a new client")
    return waiting.result()


def checked_client(workers: Any) -> Cluster:
    """Return the cluster of the argument `workers`. Raises `InvalidArgument`, or `ConfigurationError` without Dask."""
    if not is_installed("distributed"):
        name = f"workers={type(workers).__name__}"
        raise ConfigurationError(f"{name} needs the extra 'dask': install it with `pip install 'circleci-async[dask]'`")
    from distributed import Client

    if not isinstance(workers, Client):
        raise InvalidArgument(f"workers must be a distributed.Client, or None for this process, got {workers!r}")
    if workers.status not in {"running", "connecting"}:
        why = "await it first" if workers.status == "newly-created" else "create a new one"
        raise InvalidArgument(f"workers is a client whose status is {workers.status!r}: {why}")
    client: Any = workers
    if not client.loop.asyncio_loop.is_running():
        raise InvalidArgument("workers is a client of another event loop, which is not running: create it in this one")
    return Cluster(client)


def _text(error: Exception) -> str:
    return str(error).partition("\n")[0].strip() or type(error).__name__
