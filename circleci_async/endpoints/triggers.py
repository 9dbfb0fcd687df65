"""Triggers: which events set a pipeline definition going."""

import builtins
from collections.abc import Mapping
from typing import Any, TypeAlias

from ..core.encoding import omit_none
from ..errors import InvalidArgument
from ..models.messages import Message
from ..models.triggers import EventPreset, RepositorySource, ScheduleSource, Trigger, WebhookSource
from ..slug import segment
from .resource import Id, Resource

__all__ = ["EventSource"]

EventSource: TypeAlias = RepositorySource | WebhookSource | ScheduleSource | Mapping[str, Any]
"""What fires a trigger; a mapping is sent as it is."""


class Triggers(Resource):
    """Triggers: which events set a pipeline definition going.

    Events of a repository, requests to an address that CircleCI makes, or the clock. Not on CircleCI Server.
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
        event_source: EventSource,
        event_preset: EventPreset | str | None = None,
        event_name: str | None = None,
        checkout_ref: str | None = None,
        config_ref: str | None = None,
        disabled: bool | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Trigger:
        """Create a trigger.

        `POST /projects/{project_id}/pipeline-definitions/{pipeline_definition_id}/triggers`

        A `RepositorySource` goes with an `event_preset`; a `WebhookSource` or a `ScheduleSource` with an `event_name`,
        and with `checkout_ref` and `config_ref`, the branch or tag to run for. The answer may be the only one that
        shows the whole address of a webhook's trigger, which holds a secret.
        """
        if isinstance(event_source, ScheduleSource) and not event_source.cron_expression:
            raise InvalidArgument("event_source.cron_expression: give when to run, such as '0 3 * * *'")
        if isinstance(event_source, RepositorySource) and event_name is not None:
            raise InvalidArgument(f"event_name={event_name!r}: leave it out, events of a repository have their own")
        return await self._session.request(
            Trigger,
            "POST",
            _triggers_path(project_id, definition_id),
            json={
                "event_source": _written(event_source),
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
        """Change what is given of a trigger.

        `PATCH /projects/{project_id}/triggers/{trigger_id}`

        The kind of source and its repository can't be changed; the sender and the schedule can.
        """
        if isinstance(event_source, RepositorySource):
            raise InvalidArgument("event_source: the repository of a trigger can't be changed; create another trigger")
        return await self._session.request(
            Trigger,
            "PATCH",
            _path(project_id, trigger_id),
            json=omit_none(
                event_source=_written(event_source),
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


def _written(source: EventSource | None) -> Mapping[str, Any] | None:
    """Write a source as the API takes it: by its provider, with what belongs to that below a name of its own."""
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
