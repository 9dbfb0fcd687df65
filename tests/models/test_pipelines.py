"""The branch, tag and commit of a pipeline and of an event's pipeline."""

from datetime import UTC, datetime
from typing import Any

import pytest

from circleci_async.models import (
    EventPipeline,
    EventVcs,
    Pipeline,
    PipelineState,
    PipelineTrigger,
    PipelineVcs,
    TriggerType,
)

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
VCS: dict[str, Any] = {
    "provider_name": "GitHub",
    "origin_repository_url": "u",
    "target_repository_url": "u",
    "revision": "f00",
}


def revision(**fields: Any) -> tuple[str | None, str | None, str | None]:
    """Return branch, tag and commit of a pipeline with these fields; an event's pipeline has the same."""
    trigger = PipelineTrigger(type=TriggerType.API, received_at=START)
    listed = Pipeline(
        id="p",
        number=7,
        project_slug="gh/acme/api",
        state=PipelineState.CREATED,
        created_at=START,
        trigger=trigger,
        vcs=PipelineVcs(**fields["vcs"]) if "vcs" in fields else None,
        trigger_parameters=fields.get("trigger_parameters"),
    )
    event = EventPipeline(
        id="p",
        vcs=EventVcs(**fields["vcs"]) if "vcs" in fields else None,
        trigger_parameters=fields.get("trigger_parameters"),
    )
    assert (listed.branch, listed.tag, listed.revision) == (event.branch, event.tag, event.revision)
    return listed.branch, listed.tag, listed.revision


def test_vcs_has_the_revision_of_a_pipeline() -> None:
    assert revision(vcs=VCS | {"branch": "main"}) == ("main", None, "f00")
    assert revision(vcs=VCS | {"tag": "v1"}, trigger_parameters={"git": {"branch": "main"}}) == (None, "v1", "f00")


@pytest.mark.parametrize("provider", ["git", "gitlab", "github_app"])
def test_without_vcs_the_trigger_parameters_have_the_revision(provider: str) -> None:
    parameters = {"circleci": "x", provider: {"branch": "main", "tag": "", "checkout_sha": "f00"}}
    assert revision(trigger_parameters=parameters) == ("main", None, "f00")


def test_a_pipeline_can_have_no_revision() -> None:
    assert revision() == revision(trigger_parameters={"git": {"branch": 1}}) == (None, None, None)
