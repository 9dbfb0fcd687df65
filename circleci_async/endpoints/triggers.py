"""Triggers: the events that start a pipeline of a pipeline definition."""

import builtins
from collections.abc import Mapping
from typing import Any, TypeAlias

from ..core.arguments import check_word
from ..core.encoding import omit_none
from ..errors import InvalidArgument
from ..models.attribution import AttributionActor, attribution_actor
from ..models.messages import Message
from ..models.triggers import (
    EventPreset,
    RepositorySource,
    ScheduleSource,
    Trigger,
    TriggerEventSource,
    TriggerSchedule,
    WebhookSource,
)
from ..slug import segment
from .resource import Id, Resource, require

_Argument: TypeAlias = RepositorySource | WebhookSource | ScheduleSource | Mapping[str, Any]

EventSource: TypeAlias = _Argument | TriggerEventSource
"""The event source of a trigger, also as another trigger has it. A mapping is sent unchanged."""


class Triggers(Resource):
    """Triggers: the events that start a pipeline of a pipeline definition.

    An event source is a repository, a webhook URL or a schedule. Not available on CircleCI Server.
    """

    async def list(self, project_id: Id, definition_id: Id) -> builtins.list[Trigger]:
        """Return the triggers of a pipeline definition.

        `GET /projects/{project_id}/pipeline-definitions/{pipeline_definition_id}/triggers`
        """
        return await self._session.listed(Trigger, _triggers_path(project_id, definition_id), items_optional=True)

    async def create(
        self,
        project_id: Id,
        definition_id: Id,
        *,
        event_source: EventSource | None,
        event_preset: EventPreset | str | None = None,
        event_name: str | None = None,
        checkout_ref: str | None = None,
        config_ref: str | None = None,
        disabled: bool | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Trigger:
        """Create a trigger.

        `POST /projects/{project_id}/pipeline-definitions/{pipeline_definition_id}/triggers`

        A `RepositorySource` requires an `event_preset`. A `WebhookSource` or a `ScheduleSource` requires an
        `event_name`, and `checkout_ref` and `config_ref`: the branch or tag of the code and of the configuration. Other
        calls may redact the secret in the URL of a webhook trigger.

        To copy a trigger, pass its fields: `event_source=trigger.event_source`, `event_preset=trigger.event_preset` and
        so on. CircleCI creates another URL for a webhook.
        """
        require("event_source", event_source)
        source = _to_argument(event_source)
        _check_words(source, event_preset)
        if isinstance(source, ScheduleSource) and not source.cron_expression:
            raise InvalidArgument(
                "event_source.cron_expression must be an expression such as '0 3 * * *', got "
                f"{source.cron_expression!r}"
            )
        if isinstance(source, RepositorySource) and isinstance(event_source, TriggerEventSource):
            event_name = None  # the API sets it
        if isinstance(source, RepositorySource) and event_name is not None:
            raise InvalidArgument(f"event_name must be None for a RepositorySource, got {event_name!r}")
        return await self._session.request(
            Trigger,
            "POST",
            _triggers_path(project_id, definition_id),
            json={
                "event_source": _serialize(source),
                **omit_none(
                    event_preset=event_preset,
                    event_name=event_name,
                    checkout_ref=checkout_ref,
                    config_ref=config_ref,
                    disabled=disabled,
                    parameters=parameters,
                ),
            },
        )

    async def get(self, project_id: Id, trigger_id: Id) -> Trigger:
        """Return a trigger.

        `GET /projects/{project_id}/triggers/{trigger_id}`
        """
        return await self._session.request(Trigger, "GET", _path(project_id, trigger_id))

    async def update(
        self,
        project_id: Id,
        trigger_id: Id,
        *,
        event_source: EventSource | None = None,
        event_preset: EventPreset | str | None = None,
        event_name: str | None = None,
        checkout_ref: str | None = None,
        config_ref: str | None = None,
        disabled: bool | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Trigger:
        """Update a trigger. Omitted fields stay unchanged.

        `PATCH /projects/{project_id}/triggers/{trigger_id}`

        The sender and the schedule of the event source can be changed, its kind and its repository cannot.
        """
        source = _to_argument(event_source)
        _check_words(source, event_preset)
        if isinstance(source, RepositorySource):
            raise InvalidArgument(
                "event_source must not be a RepositorySource: create another trigger to change the repository"
            )
        return await self._session.request(
            Trigger,
            "PATCH",
            _path(project_id, trigger_id),
            json=omit_none(
                event_source=_serialize(source),
                event_preset=event_preset,
                event_name=event_name,
                checkout_ref=checkout_ref,
                config_ref=config_ref,
                disabled=disabled,
                parameters=parameters,
            ),
        )

    async def delete(self, project_id: Id, trigger_id: Id) -> Message:
        """Delete a trigger.

        `DELETE /projects/{project_id}/triggers/{trigger_id}`
        """
        return await self._session.request(Message, "DELETE", _path(project_id, trigger_id))


def _triggers_path(project_id: Id, definition_id: Id) -> str:
    return f"/projects/{segment(project_id)}/pipeline-definitions/{segment(definition_id)}/triggers"


def _path(project_id: Id, trigger_id: Id) -> str:
    return f"/projects/{segment(project_id)}/triggers/{segment(trigger_id)}"


def _to_argument(source: EventSource | None) -> _Argument | None:
    """Return the event source that creates a trigger like the one which has this source."""
    if not isinstance(source, TriggerEventSource):
        return source
    if source.repo is not None:
        return RepositorySource(
            external_id=require("event_source.repo.external_id", source.repo.external_id),
            provider=require("event_source.provider", source.provider),
        )
    if source.provider == "schedule" or source.schedule is not None:
        schedule = source.schedule or TriggerSchedule()
        actor = None if schedule.attribution_actor is None else attribution_actor(schedule.attribution_actor.id)
        return ScheduleSource(cron_expression=schedule.cron_expression, attribution_actor=actor)
    if source.provider == "webhook":
        return WebhookSource(sender=source.webhook.sender if source.webhook else None)
    raise InvalidArgument(
        "event_source must be of a repository, a webhook or a schedule, got provider "
        f"{source.provider!r}: pass a mapping"
    )


def _check_words(source: _Argument | None, preset: EventPreset | str | None) -> None:
    check_word("event_preset", preset, EventPreset)
    if isinstance(source, ScheduleSource):
        check_word("event_source.attribution_actor", source.attribution_actor, AttributionActor)


def _serialize(source: _Argument | None) -> Mapping[str, Any] | None:
    """Return a source as the API accepts it: the provider, and its fields under a name of their own."""
    match source:
        case RepositorySource():
            return {"provider": source.provider, "repo": {"external_id": source.external_id}}
        case WebhookSource():
            return {"provider": "webhook", "webhook": omit_none(sender=source.sender)}
        case ScheduleSource():
            schedule = omit_none(cron_expression=source.cron_expression, attribution_actor=source.attribution_actor)
            return {"provider": "schedule", "schedule": schedule}
        case _:
            return source
