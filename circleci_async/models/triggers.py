"""Triggers: the events that set a pipeline definition going."""

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
    """Which events of a repository fire a trigger."""

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
    """For a trigger that events of a repository fire."""

    external_id: str
    """The provider's own id of the repository; a number on GitHub."""
    provider: str = "github_app"


@frozen(kw_only=True)
class WebhookSource:
    """For a trigger that a request to an address of its own fires; CircleCI makes the address."""

    sender: str | None = None
    """Who will send the requests: a name for people to read."""


@frozen(kw_only=True)
class ScheduleSource:
    """For a trigger that the clock fires."""

    cron_expression: str | None = None
    """Five fields, in UTC: `0 3 * * *`. Needed to create a trigger."""
    attribution_actor: AttributionActor | str | None = None


@frozen(kw_only=True)
class TriggerWebhook:
    """The address of a trigger that a request fires."""

    url: str | None = field(default=None, repr=False)
    """Holds a secret: whoever knows it can fire the trigger. Where the token may not see it, `**REDACTED**` stands."""
    sender: str | None = None


@frozen(kw_only=True)
class TriggerActor:
    """Whom the pipelines of a trigger that the clock fires are put down to."""

    id: str = ""
    """Empty if the answer lacks it; the specification does not promise it."""


@frozen(kw_only=True)
class TriggerSchedule:
    """When the clock fires a trigger."""

    cron_expression: str | None = None
    attribution_actor: TriggerActor | None = None


@frozen(kw_only=True)
class TriggerEventSource:
    """What fires a trigger: a repository, an address or the clock, as `provider` says."""

    provider: str | None = None
    """`github_app`, `github_oauth`, `webhook`, `schedule`, ..."""
    repo: Repository | None = None
    webhook: TriggerWebhook | None = None
    schedule: TriggerSchedule | None = None


@frozen(kw_only=True)
class Trigger:
    """A trigger: `GET /projects/{project_id}/triggers/{trigger_id}` and the list of a pipeline definition's."""

    id: str = ""
    """Empty if the answer lacks it; the specification does not promise it."""
    event_source: TriggerEventSource | None = None
    event_preset: EventPreset | None = None
    event_name: str | None = None
    checkout_ref: str | None = None
    """The branch or tag whose code is checked out, where the event does not tell."""
    config_ref: str | None = None
    """The branch or tag whose configuration is run, where the event does not tell."""
    disabled: bool | None = None
    """None means enabled too."""
    parameters: Mapping[str, Any] | None = field(default=None, hash=False)
    """Pipeline parameters."""
    created_at: datetime | None = None
    name: str | None = None
    """Deprecated by the API; the sender of the event source says the same."""
    description: str | None = None
    """Deprecated by the API; `event_name` says the same."""
