"""Walks lists patiently. One that can't be walked to its end is noted, so that the next run walks it again."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

from ..core.paging import Page, Paged
from ..core.retry import RetryPolicy, is_transient
from ..errors import ApiError, CircleCIError, LedgerError, NotFound
from .ledger import Ledger
from .outage import Outage, ends_all
from .records import Unlisted
from .register import Register
from .stop import Stop
from .tally import Tally

T = TypeVar("T")


class Walk:
    """One walk of a list."""

    is_to_be_repeated = False
    """Set it where there will be more later, such as in a workflow that still runs: the next run looks again."""


class Walker:
    """Asks the API, and again after failures that may pass: `attempts` times, and longer while nothing answers."""

    def __init__(self, policy: RetryPolicy, ledger: Ledger, tally: Tally, stop: Stop, *, attempts: int) -> None:
        self._policy = policy
        self._ledger = ledger
        self._tally = tally
        self._stop = stop
        self._attempts = attempts
        self._outage = Outage(policy)
        self._unlisted: dict[tuple[str, str, str], Unlisted] = {}

    async def look_back(self, projects: Iterable[str]) -> None:
        """Read which lists earlier runs with the same selection did not walk to their ends."""
        for project in projects:
            for each in await self._ledger.do(Register.unlisted, project):
                self._unlisted[each[:3]] = each

    def unlisted(self, kind: str, project: str, key: str) -> Unlisted | None:
        """Return what earlier runs left of this list; None if nothing is to be made up for."""
        return self._unlisted.get((kind, project, key))

    def next_unlisted(self) -> Unlisted | None:
        """Return a list that an earlier run did not walk to its end, and this run has not come to."""
        return next(iter(self._unlisted.values()), None)

    @asynccontextmanager
    async def listing(self, listing: Unlisted, *, is_long: bool = False) -> AsyncGenerator["Walk"]:
        """Note if what is done with this list fails; of a long one, note it until it is through."""
        walk = Walk()
        earlier = self._unlisted.pop(listing[:3], None)
        if is_long:
            await self._ledger.do(Register.note_unlisted, listing)
        try:
            yield walk
        except LedgerError:
            raise
        except CircleCIError as error:
            await self._ledger.do(Register.note_unlisted, listing._replace(error=str(error)))
            self._tally.unlisted(listing, error)
            if ends_all(error, self._policy):
                self._stop.fail(str(error), error)
        else:
            if self._stop.reason is not None:
                return
            if walk.is_to_be_repeated:
                await self._ledger.do(Register.note_unlisted, listing)
            elif is_long or earlier is not None:
                await self._ledger.do(Register.note_listed, *listing[:3])

    async def items(self, paged: Paged[T], *, may_be_missing: bool = False) -> AsyncGenerator[T]:
        """Iterate a list; with `may_be_missing`, one that answers 404 is empty."""
        async with aclosing(self.pages(paged, may_be_missing=may_be_missing)) as pages:
            async for page in pages:
                for item in page.items:
                    yield item

    async def pages(
        self, paged: Paged[T], *, may_be_missing: bool = False, to_the_end: bool = False
    ) -> AsyncGenerator[Page[T]]:
        """Iterate a list by pages. It ends early when the run is to stop, unless `to_the_end`."""
        token: str | None = None
        tries = 0
        while to_the_end or self._stop.reason is None:
            try:
                async with aclosing(paged.pages(start=token)) as pages:
                    async for page in pages:
                        self._outage.answered()
                        tries = 0
                        token = page.next_page_token
                        yield page
                        if self._stop.reason is not None and not to_the_end:
                            break
                return
            except CircleCIError as error:
                if isinstance(error, NotFound) and may_be_missing and token is None:
                    return
                tries = await self._again(paged, error, tries)

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make one call."""
        tries = 0
        while True:
            try:
                answer = await call()
            except CircleCIError as error:
                tries = await self._again(call, error, tries)
            else:
                self._outage.answered()
                return answer

    async def _again(self, what: object, error: CircleCIError, tries: int) -> int:
        """Wait for the next try, and return how many there were; raises the error if there is to be none."""
        if not is_transient(error) or ends_all(error, self._policy):
            if isinstance(error, ApiError):
                self._outage.answered()
            raise error
        is_outage = self._outage.failed(id(what))
        if self._outage.is_hopeless:
            self._stop.fail(f"the API has not answered for minutes: {error}", error)
        if not is_outage:
            tries += 1
            if tries >= self._attempts:
                raise error
        await asyncio.sleep(self._outage.wait(tries + 1))
        await self._outage.pause()
        return tries
