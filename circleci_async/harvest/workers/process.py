"""The event loop and the clients of a worker's process, which its batches share."""

import asyncio
import atexit
import threading
from collections.abc import Callable
from concurrent.futures import wait
from typing import Final

from ...config.log import log
from .batch_fetcher import BatchFetcher, picklable
from .messages import Batch, BatchResult, ClientSpec

IDLE_TIMEOUT: float = 30.0
"""Seconds after the last batch after which a client is closed."""

CHECK_INTERVAL: Final = 0.25
"""Seconds between two checks whether a running batch is still wanted."""

CLOSE_TIMEOUT: Final = 5.0


class FetchProcess:
    """Runs batches of several threads in one event loop, which has its own thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._fetchers: dict[ClientSpec, asyncio.Task[BatchFetcher]] = {}
        self._running: dict[ClientSpec, int] = {}
        self._closing: dict[ClientSpec, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="circleci-async-harvest", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def run(self, batch: Batch, worker: str, folder: str | None, is_wanted: Callable[[], bool]) -> BatchResult:
        """Fetch a batch, and wait for its result. It is cancelled once `is_wanted` returns False."""
        running = asyncio.run_coroutine_threadsafe(self._fetch(batch, worker, folder), self._loop)
        while not wait([running], timeout=CHECK_INTERVAL).done:
            if not is_wanted():
                running.cancel()
                return BatchResult(worker)
        return running.result()

    def close(self) -> None:
        """Close the clients, and end the thread."""
        if not self._loop.is_closed() and self._thread.is_alive():
            closing = asyncio.run_coroutine_threadsafe(self._close_all(), self._loop)
            wait([closing], timeout=CLOSE_TIMEOUT)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CLOSE_TIMEOUT)
            if not self._loop.is_running():
                self._loop.close()

    async def _fetch(self, batch: Batch, worker: str, folder: str | None) -> BatchResult:
        spec = batch.client
        if (closing := self._closing.pop(spec, None)) is not None:
            closing.cancel()
        self._running[spec] = self._running.get(spec, 0) + 1
        try:
            if spec not in self._fetchers:
                self._fetchers[spec] = asyncio.create_task(BatchFetcher.create(spec, worker))
            fetcher = await asyncio.shield(self._fetchers[spec])
            return await fetcher.fetch(batch, worker, folder)
        except Exception as error:  # noqa: BLE001  # the caller raises it
            return BatchResult(worker, error=picklable(error, worker))
        finally:
            self._running[spec] -= 1
            if not self._running[spec]:
                del self._running[spec]
                self._closing[spec] = self._loop.call_later(IDLE_TIMEOUT, self._close_idle, spec)

    def _close_idle(self, spec: ClientSpec) -> None:
        del self._closing[spec]
        closing = asyncio.create_task(_close(self._fetchers.pop(spec)))
        self._tasks.add(closing)
        closing.add_done_callback(self._tasks.discard)

    async def _close_all(self) -> None:
        fetchers, self._fetchers = self._fetchers, {}
        await asyncio.gather(*map(_close, fetchers.values()))


async def _close(creating: "asyncio.Task[BatchFetcher]") -> None:
    try:
        fetcher = await creating
    except Exception:  # noqa: BLE001  # each batch has reported it
        return
    try:
        await fetcher.aclose()
    except Exception:
        log.exception("harvest: a client of a Dask worker could not be closed")
