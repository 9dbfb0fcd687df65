"""All that a client observes: one observation for all who wait for the same thing."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal

from ..core.state import ClientState
from ..errors import ConfigurationError, InvalidArgument
from ..models.events import WebhookEvent
from .poller import Observation
from .subscription import Subscription

LOOKS_AT_ONCE = 8
"""So that those who wait for hundreds of pipelines leave room for the client's other calls."""

Key = tuple[Literal["pipeline", "workflow"], str]


class Watches:
    """The observations of a client, and of all that were made from it by `with_options`."""

    @classmethod
    def of(cls, core: ClientState) -> "Watches":
        """Return the one that all share whose requests go through the same gate. It ends with the client.

        Raises `ConfigurationError` as a call does: in another event loop than the client's, or after its end.
        """
        core.lifetime.check()
        watches = core.existing(cls)
        if watches is None:
            watches = core.singleton(cls)
            core.lifetime.on_close(watches.close)
        return watches

    def __init__(self) -> None:
        self._observations: dict[Key, Observation] = {}
        self._turns = asyncio.Semaphore(LOOKS_AT_ONCE)

    @asynccontextmanager
    async def subscribed(self, key: Key, subscription: Subscription) -> AsyncGenerator[Subscription, None]:
        """Subscribe to what is seen of one thing."""
        observation = self._observations.get(key)
        if observation is None:
            observation = self._observations[key] = Observation(self._turns, self._forget)
        observation.join(subscription)
        try:
            yield subscription
        finally:
            await observation.leave(subscription)

    def notify(self, event: WebhookEvent) -> bool:
        """Give an event to those who wait for its pipeline or its workflow; say whether there are any."""
        keys: list[Key] = []
        if event.pipeline is not None:
            keys.append(("pipeline", event.pipeline.id))
        if event.workflow is not None:
            keys.append(("workflow", event.workflow.id))
        found = [self._observations[key] for key in keys if key in self._observations]
        for observation in found:
            observation.notify(event)
        return bool(found)

    async def close(self) -> None:
        """End all waiting, with an error: the client is closed."""
        for (kind, id), observation in list(self._observations.items()):
            await observation.fail(ConfigurationError(f"the client was closed while {kind} {id} was waited for"))

    def _forget(self, observation: Observation) -> None:
        for key, each in list(self._observations.items()):
            if each is observation:
                del self._observations[key]


def notify(core: ClientState, event: object) -> bool:
    """Give an event to those who wait, if any do; after the client was closed, nobody does."""
    if not isinstance(event, WebhookEvent):
        raise InvalidArgument(f"event: give the WebhookEvent that webhooks.unwrap returned, not {type(event).__name__}")
    watches = core.existing(Watches)
    if watches is None:
        return False
    core.lifetime.check_place()  # it wakes tasks, which only their own event loop may do
    return watches.notify(event)
