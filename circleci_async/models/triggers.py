"""Triggers: the events that start a pipeline of a pipeline definition."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from .attribution import AttributionActor
from .open_enum import OpenEnum
from .repositories import Repository

__all__ = [
    "EventPreset",
    "RepositorySource",
    "ScheduleSource",
    "Trigger",
    "TriggerActor",
    "TriggerEventSource",
    "TriggerSchedule",
    "TriggerWebhook",
    "WebhookSource",
]


class EventPreset(OpenEnum):
    """The repository events that fire a trigger."""

    ALL_PUSHES = "all-pushes"
    DEFAULT_BRANCH_PUSHES = "default-branch-pushes"
    NON_DRAFT_PR_OPENED = "non-draft-pr-opened"
    ONLY_BRANCH_DELETE = "only-branch-delete"
    ONLY_BUILD_PRS = "only-build-prs"
    ONLY_BUILD_PUSHES_TO_NON_DRAFT_PRS = "only-build-pushes-to-non-draft-prs"
    ONLY_LABELED_PRS = "only-labeled-prs"
    ONLY_MERGED_OR_CLOSED_PRS = "only-merged-or-closed-prs"
    ONLY_MERGED_PRS = "only-merged-prs"
    ONLY_OPEN_PRS = "only-open-prs"
    ONLY_READY_FOR_REVIEW_PRS = "only-ready-for-review-prs"
    ONLY_TAGS = "only-tags"
    PR_COMMENT_EQUALS_RUN_CI = "pr-comment-equals-run-ci"
    PUSHES_TO_MERGE_QUEUES = "pushes-to-merge-queues"


@frozen(kw_only=True)
class RepositorySource:
    """The event source of a trigger that repository events fire."""

    external_id: str
    """The provider's id of the repository: a number on GitHub."""
    provider: str = "github_app"


@frozen(kw_only=True)
class WebhookSource:
    """The event source of a trigger that requests to a URL fire. CircleCI creates the URL."""

    sender: str | None = None
    """A display name of the sender of the requests."""


@frozen(kw_only=True)
class ScheduleSource:
    """The event source of a trigger that a schedule fires."""

    cron_expression: str | None = None
    """Five fields, in UTC, such as `0 3 * * *`. Required to create a trigger."""
    attribution_actor: AttributionActor | str | None = None


@frozen(kw_only=True)
class TriggerWebhook:
    """The URL of a trigger that requests fire."""

    url: str | None = field(default=None, repr=False)
    """Contains a secret that grants access to the trigger: `**REDACTED**` for a token without permission."""
    sender: str | None = None


@frozen(kw_only=True)
class TriggerActor:
    """The actor of scheduled pipelines."""

    id: str = ""
    """Empty if the response lacks it."""


@frozen(kw_only=True)
class TriggerSchedule:
    """The schedule of a trigger."""

    cron_expression: str | None = None
    attribution_actor: TriggerActor | None = None


@frozen(kw_only=True)
class TriggerEventSource:
    """The event source of a trigger: a repository, a webhook or a schedule, depending on `provider`."""

    provider: str | None = None
    """`github_app`, `github_oauth`, `webhook`, `schedule`, ..."""
    repo: Repository | None = None
    webhook: TriggerWebhook | None = None
    schedule: TriggerSchedule | None = None


@frozen(kw_only=True)
class Trigger:
    """A trigger: `GET /projects/{project_id}/triggers/{trigger_id}` and the list of a pipeline definition's."""

    id: str = ""
    """Empty if the response lacks it."""
    event_source: TriggerEventSource | None = None
    event_preset: EventPreset | None = None
    event_name: str | None = None
    checkout_ref: str | None = None
    """The branch or tag of the code, for events without one."""
    config_ref: str | None = None
    """The branch or tag of the configuration, for events without one."""
    disabled: bool | None = None
    """None means enabled."""
    parameters: Mapping[str, Any] | None = field(default=None, hash=False)
    """Pipeline parameters."""
    created_at: datetime | None = None
    name: str | None = None
    """Deprecated by the API in favor of the sender of the event source."""
    description: str | None = None
    """Deprecated by the API in favor of `event_name`."""
