"""Reads lists of the API with retries, and records which ones a later run must read again."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

from ..config.log import log
from ..core.paging import Page, Paged
from ..core.retry import RetryPolicy
from ..errors import CircleCIError, DecodeError, LedgerError
from .backpressure import Backpressure
from .ledger.listings import IncompleteListings
from .ledger.records import Listing
from .ledger.values import error_text, valid_text
from .outage import OutageDetector, RetryDecision, is_fatal
from .progress import ProgressTracker
from .stop_signal import StopSignal

T = TypeVar("T")

MAX_FAULTY_PAGES = 100
"""Pages with faulty items of one list. The next one ends the list."""


class Reading:
    """One reading of a list."""

    is_growing = False
    """Set it if items will be added later, such as in a running workflow: the next run reads the list again."""
    has_failed = False
    """Whether the block raised an error, which is recorded."""


class ListReader:
    """Reads lists page by page, and retries failed pages: `attempts` times, and longer during an outage."""

    def __init__(
        self,
        policy: RetryPolicy,
        incomplete: IncompleteListings,
        backpressure: Backpressure,
        progress: ProgressTracker,
        stop: StopSignal,
        *,
        attempts: int,
    ) -> None:
        self._policy = policy
        self._incomplete = incomplete
        self._backpressure = backpressure
        self._progress = progress
        self._stop = stop
        self._outage = OutageDetector(policy, stop, attempts=attempts, requests="API request", is_required=True)
        self._earlier: dict[tuple[str, str, str], Listing] = {}

    async def load_incomplete(self, projects: Iterable[str]) -> None:
        """Load which lists earlier runs with the same selection left incomplete."""
        for project in projects:
            for listing in await self._incomplete.of_earlier_runs(project):
                self._earlier[listing.id] = listing

    async def record_organizations(self, organizations: Mapping[str, CircleCIError | None]) -> None:
        """Record which organizations' lists of projects could be read before the run, and the errors of the others."""
        await self.load_incomplete(organizations)
        for organization, error in organizations.items():
            async with self.reading(Listing("projects", organization, "", organization, ())):
                if error is not None:
                    raise error

    def incomplete(self, kind: str, project: str, key: str) -> Listing | None:
        """Return a list if an earlier run left it incomplete and this run has not read it."""
        return self._earlier.get((kind, project, key))

    def next_incomplete(self) -> Listing | None:
        """Return any list that an earlier run left incomplete and this run has not read."""
        return next(iter(self._earlier.values()), None)

    @asynccontextmanager
    async def reading(self, listing: Listing, *, is_long: bool = False) -> AsyncGenerator[Reading]:
        """Record the list as incomplete if the block fails; a long one from the start, until the block ends.

        Any error but a `LedgerError` is a failure of this list only.
        """
        reading = Reading()
        earlier = self._earlier.pop(listing.id, None)
        if is_long:
            await self._incomplete.add(listing)
        try:
            yield reading
        except LedgerError:
            raise
        except Exception as error:  # an error of one list must not stop the others
            reading.has_failed = True
            await self._incomplete.add(listing._replace(error=error_text(error)))
            self._progress.listing_failed(listing, error)
            if not isinstance(error, CircleCIError):
                log.exception("harvest: unexpected error in the %s of %s", listing.kind, valid_text(listing.name))
            elif is_fatal(error, self._policy):
                self._stop.fail(error)
        else:
            if self._stop.is_set:
                return
            if reading.is_growing:
                await self._incomplete.add(listing)
            elif is_long or earlier is not None:
                await self._incomplete.remove(listing)

    async def items(self, paged: Paged[T]) -> AsyncGenerator[T]:
        """Iterate the items of a list. Ends early when the run is stopped.

        If some items are faulty, yields the others, then raises their `DecodeError`.
        """
        faults: list[CircleCIError] = []
        async with aclosing(self.pages(paged, faults)) as pages:
            async for page in pages:
                for item in page.items:
                    yield item
        if faults:
            raise faults[0]

    async def pages(
        self, paged: Paged[T], faults: list[CircleCIError], *, ignores_stop: bool = False
    ) -> AsyncGenerator[Page[T]]:
        """Iterate the pages of a list. Ends early when the run is stopped, unless `ignores_stop`.

        Pages with faulty items are yielded without them, and their errors appended to `faults`.
        """
        token: str | None = None
        attempts = 0
        while ignores_stop or await self.may_list():
            try:
                async with aclosing(paged.pages(start=token)) as pages:
                    async for page in pages:
                        self._outage.succeeded()
                        attempts = 0
                        token = page.next_page_token
                        yield page
                        if token is not None and not ignores_stop and not await self.may_list():
                            break
                return
            except CircleCIError as error:
                rest = error.page if isinstance(error, DecodeError) else None
                if rest is None or len(faults) == MAX_FAULTY_PAGES:
                    attempts = await self._wait_to_retry(paged, error, attempts)
                    continue
                faults.append(error)
            self._outage.succeeded()
            items, token = rest
            yield Page(items, token)
            if token is None:
                return

    async def may_list(self) -> bool:
        """Wait until another list can be needed; return False if the run is stopped."""
        await self._backpressure.wait_to_list()
        return not self._stop.is_set

    async def call(self, request: Callable[[], Awaitable[T]]) -> T:
        """Make one call, with the same retries."""
        attempts = 0
        while True:
            try:
                answer = await request()
            except CircleCIError as error:
                attempts = await self._wait_to_retry(request, error, attempts)
            else:
                self._outage.succeeded()
                return answer

    async def _wait_to_retry(self, request: object, error: CircleCIError, attempts: int) -> int:
        """Wait before the next attempt and return the number of failed ones; raise the error if there is none."""
        decision = self._outage.failed(id(request), error, attempts)
        if decision in {RetryDecision.STOP, RetryDecision.GIVE_UP}:
            raise error
        if decision is RetryDecision.RETRY:
            attempts += 1
        await asyncio.sleep(self._policy.delay(attempts + 1))
        await self._outage.pause()
        return attempts
