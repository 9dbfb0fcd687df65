"""What all calls of a client share."""

from typing import Any, TypeVar

from attrs import define, field

from .lifetime import Lifetime
from .limiter import Limiter
from .retry import RetryBudget
from .stats import Stats
from .transport import Transport

T = TypeVar("T")


@define(eq=False)
class ClientState:
    """The parts that a client shares with every client derived from it by `with_options`."""

    api: str
    """Root address of the installation, such as `https://circleci.com`; every path is appended to it."""
    transport: Transport
    limiter: Limiter
    stats: Stats
    retry_budget: RetryBudget = field(factory=RetryBudget, init=False)
    lifetime: Lifetime = field(factory=Lifetime, init=False)
    _singletons: dict[type[Any], Any] = field(factory=dict[type[Any], Any], init=False, repr=False)

    async def aclose(self, *, drain: float) -> None:
        """Close the lifetime and the connections; see `Lifetime.close`."""
        await self.lifetime.close(self.transport, drain=drain)

    def singleton(self, kind: type[T]) -> T:
        """Return the client's only instance of `kind`, such as its registry of pollers; create it on first use."""
        found = self.existing(kind)
        if found is None:
            found = self._singletons[kind] = kind()
        return found

    def existing(self, kind: type[T]) -> T | None:
        """Return the client's only instance of `kind`, or None if it has not been created."""
        return self._singletons.get(kind)
