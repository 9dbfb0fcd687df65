"""All pollers of a client: one for all callers that wait for the same pipeline, workflow or job."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal, TypeAlias

from ..core.state import ClientState
from ..endpoints.resource import ProjectRef
from ..errors import ConfigurationError, InvalidArgument
from ..models.events import WebhookEvent
from ..slug import project_path
from .poller import Poller
from .subscription import Subscription

POLLS_AT_ONCE = 8
"""Concurrent polls of a client, so that waits for hundreds of pipelines leave room for other calls."""

Key: TypeAlias = tuple[Literal["pipeline", "workflow", "job"], str]
"""What is polled: its kind, and its id or, for a job, the project's slug and the job's number."""


def job_key(project: ProjectRef, number: int) -> Key:
    """Return the key of a job, the same for all forms of its project's slug. Raises `InvalidArgument`."""
    return "job", f"{project_path(project)}/{number}"


class PollerRegistry:
    """The pollers of a client, and of all clients derived from it by `with_options`."""

    def __init__(self) -> None:
        self._pollers: dict[Key, Poller] = {}
        self._permits = asyncio.Semaphore(POLLS_AT_ONCE)

    @asynccontextmanager
    async def subscribed(self, key: Key, subscription: Subscription) -> AsyncGenerator[Subscription, None]:
        """Subscribe to the polls of one pipeline, workflow or job."""
        poller = self._pollers.get(key)
        if poller is None:
            poller = self._pollers[key] = Poller(self._permits, self._remove)
        poller.subscribe(subscription)
        try:
            yield subscription
        finally:
            await poller.unsubscribe(subscription)

    def notify(self, event: WebhookEvent) -> bool:
        """Pass an event to the pollers of its pipeline, workflow and job; return whether there are any."""
        keys: list[Key] = []
        if event.pipeline is not None:
            keys.append(("pipeline", event.pipeline.id))
        if event.workflow is not None:
            keys.append(("workflow", event.workflow.id))
        if event.job is not None and event.job.number is not None and event.project and event.project.slug:
            with suppress(InvalidArgument):  # a slug of a later form
                keys.append(job_key(event.project.slug, event.job.number))
        pollers = [self._pollers[key] for key in keys if key in self._pollers]
        for poller in pollers:
            poller.notify(event)
        return bool(pollers)

    async def close(self) -> None:
        """End all waits with an error."""
        for (kind, id), poller in list(self._pollers.items()):
            await poller.fail(ConfigurationError(f"the client was closed while waiting for {kind} {id}"))

    def _remove(self, poller: Poller) -> None:
        for key, each in list(self._pollers.items()):
            if each is poller:
                del self._pollers[key]


def registry_of(state: ClientState) -> PollerRegistry:
    """Return the client's registry, which closes with the client.

    Raises `ConfigurationError` in another event loop than the client's, or after its end.
    """
    state.lifetime.check()
    registry = state.existing(PollerRegistry)
    if registry is None:
        registry = state.singleton(PollerRegistry)
        state.lifetime.on_close(registry.close)
    return registry


def notify(state: ClientState, event: Any) -> bool:
    """Pass an event to the client's pollers; return whether one of them waits for it."""
    if not isinstance(event, WebhookEvent):
        raise InvalidArgument(
            f"event must be the WebhookEvent that webhooks.unwrap returned, got {type(event).__name__}"
        )
    registry = state.existing(PollerRegistry)
    if registry is None:
        return False
    state.lifetime.check_place()  # it wakes tasks, which must happen in their own event loop
    return registry.notify(event)
