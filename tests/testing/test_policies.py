"""Policy bundles, decisions and settings."""

from datetime import timedelta
from typing import Any

import pytest

from circleci_async.testing import Organization, Verdict, World

from .caller import Caller
from .clock import Clock

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
RULE = 'package org\n\npolicy_name["image"]\n\nenable_rule["check_image"]\nenable_rule contains "check_size"\n'


@pytest.fixture
def organization(world: World) -> Organization:
    return world.project("gh/acme/api").organization


@pytest.fixture
def config(organization: Organization) -> str:
    return f"/owner/{organization.id}/context/config"


async def push(api: Caller, config: str, policies: dict[str, Any]) -> Any:
    return await api.post(f"{config}/policy-bundle", {"policies": policies}, status=201)


async def test_a_push_replaces_the_bundle_and_reports_the_changes(api: Caller, config: str, clock: Clock) -> None:
    assert await api.get(f"{config}/policy-bundle") == {}
    assert await push(api, config, {"b.rego": "package org", "a.rego": "package org"}) == {
        "created": ["a.rego", "b.rego"]
    }
    before = await api.get(f"{config}/policy-bundle")
    clock.wait(60)
    changed = await push(api, config, {"a.rego": "package org", "b.rego": "package org # 2", "c d/\u00e9": ""})
    assert changed == {"created": ["c d/\u00e9"], "modified": ["b.rego"]}
    after = await api.get(f"{config}/policy-bundle")
    assert after["a.rego"] == before["a.rego"]
    assert after["b.rego"]["content"] == "package org # 2"
    assert after["b.rego"]["created_at"] > before["b.rego"]["created_at"]
    assert after["b.rego"]["created_by"] == api.fake.world.me.id
    assert (await api.get(f"{config}/policy-bundle/c%20d%2F%C3%A9"))["name"] == "c d/\u00e9"
    assert await push(api, config, {}) == {"deleted": ["a.rego", "b.rego", "c d/\u00e9"]}
    await api.get(f"{config}/policy-bundle/a.rego", status=404)
    assert await push(api, config, {}) == {}


async def test_a_dry_run_reports_the_same_and_changes_nothing(api: Caller, config: str) -> None:
    body = {"policies": {"a.rego": "package org"}}
    assert await api.post(f"{config}/policy-bundle?dry=true", body, status=200) == {"created": ["a.rego"]}
    assert await api.get(f"{config}/policy-bundle") == {}
    assert await api.post(f"{config}/policy-bundle?dry=false", body, status=201) == {"created": ["a.rego"]}


@pytest.mark.parametrize(
    "body", [None, {}, {"policies": []}, {"policies": {"a.rego": 1}}, {"policies": {"a.rego": None}}, []], ids=str
)
async def test_an_invalid_bundle_is_rejected_and_changes_nothing(api: Caller, config: str, body: Any) -> None:
    await push(api, config, {"a.rego": "package org"})
    await api.post(f"{config}/policy-bundle", body, status=400)
    await api.post(f"{config}/policy-bundle?dry=yes", {"policies": {}}, status=400)
    assert list(await api.get(f"{config}/policy-bundle")) == ["a.rego"]


async def test_a_decision_passes_with_the_rules_of_the_bundle(api: Caller, world: World, config: str) -> None:
    world.policy("gh/acme", "image.rego", RULE)
    assert await api.post(f"{config}/decision", {"input": "version: 2.1", "metadata": {"n": 1}}, status=200) == {
        "status": "PASS",
        "enabled_rules": ["check_image", "check_size"],
        "hard_failures": [],
        "soft_failures": [],
        "reason": "",
    }
    assert await api.get(f"{config}/decision") == [], "only decisions of pipelines are logged"


async def test_decide_with_sets_the_decision(api: Caller, organization: Organization, config: str) -> None:
    organization.decide_with(
        "HARD_FAIL", hard_failures={"a": "no"}, soft_failures={"b": "hm"}, enabled_rules=["a", "b"], reason="x"
    )
    assert await api.post(f"{config}/decision", {"input": ""}, status=200) == {
        "status": "HARD_FAIL",
        "enabled_rules": ["a", "b"],
        "hard_failures": [{"rule": "a", "reason": "no"}],
        "soft_failures": [{"rule": "b", "reason": "hm"}],
        "reason": "x",
    }
    organization.decide_with("PASS")
    assert (await api.post(f"{config}/decision", {"input": ""}, status=200))["hard_failures"] == []


@pytest.mark.parametrize("body", [{}, {"input": {}}, {"input": "x", "metadata": "y"}], ids=str)
async def test_a_decision_requires_an_input(api: Caller, config: str, body: Any) -> None:
    await api.post(f"{config}/decision", body, status=400)


async def test_decisions_are_logged_with_the_policies_of_their_time(
    api: Caller, world: World, config: str, clock: Clock
) -> None:
    world.policy("gh/acme", "image.rego", RULE)
    project = world.projects["gh/acme/api"]
    record = project.decision(branch="fix", build_number=42, ssh_rerun=True)
    clock.wait(1)
    await push(api, config, {})
    log = await api.get(f"{config}/decision/{record.id}")
    assert log == {
        "id": record.id,
        "created_at": "2026-05-04T10:00:00.250Z",
        "decision": {
            "status": "PASS",
            "enabled_rules": ["check_image", "check_size"],
            "hard_failures": [],
            "soft_failures": [],
            "reason": "",
        },
        "metadata": {
            "build_number": 42,
            "project_id": project.id,
            "ssh_rerun": True,
            "vcs": {
                "branch": "fix",
                "origin_repository_url": "https://github.com/acme/api",
                "target_repository_url": "https://github.com/acme/api",
            },
        },
        "policies": {"image.rego": log["policies"]["image.rego"]},
        "time_taken_ms": 4,
    }
    assert len(log["policies"]["image.rego"]) == 128
    assert (await api.get(f"{config}/decision/{record.id}/policy-bundle"))["image.rego"]["content"] == RULE
    await api.get(f"{config}/decision/{UNKNOWN_ID}", status=404)
    await api.get(f"{config}/decision/{UNKNOWN_ID}/policy-bundle", status=404)
    await api.get(f"{config}/decision/none", status=400)


async def test_decisions_are_filtered_and_paged_by_offset_newest_first(
    api: Caller, world: World, config: str, clock: Clock
) -> None:
    api_project, web = world.projects["gh/acme/api"], world.project("gh/acme/web", default_branch="master")
    begin = clock()
    for number in range(45):
        project = web if number % 3 == 0 else api_project
        verdict = Verdict("HARD_FAIL") if number % 2 else None
        project.decision(verdict, build_number=number, created_at=begin - timedelta(hours=number))

    async def found(query: str) -> list[int]:
        return [each["metadata"]["build_number"] for each in await api.get(f"{config}/decision{query}")]

    assert await found("") == list(range(20))
    assert await found("?offset=20") == list(range(20, 40))
    assert await found("?offset=40") == list(range(40, 45))
    assert await found("?offset=45") == []
    assert await found("?status=HARD_FAIL&branch=master") == [3, 9, 15, 21, 27, 33, 39]
    assert await found(f"?project_id={web.id}&offset=14") == [42]
    assert await found("?build_number=7") == [7]
    assert await found("?after=2026-05-04T08:00:00.250Z") == [0, 1]
    assert await found("?before=2026-05-02T15:30:00Z&after=2026-05-02T14:30:00Z") == [43]
    for query in ("?offset=-1", "?offset=x", "?after=2026-05-04", "?before=soon"):
        await api.get(f"{config}/decision{query}", status=400)


async def test_settings_can_be_read_and_set(api: Caller, config: str) -> None:
    assert await api.get(f"{config}/decision/settings") == {"enabled": False}
    assert await api.patch(f"{config}/decision/settings", {"enabled": True}) == {"enabled": True}
    assert await api.get(f"{config}/decision/settings") == {"enabled": True}
    for body in ({}, {"enabled": "no"}, {"enabled": None}):
        await api.patch(f"{config}/decision/settings", body, status=400)
    assert await api.get(f"{config}/decision/settings") == {"enabled": True}


@pytest.mark.parametrize(
    "path", ["policy-bundle", "policy-bundle/a", "decision", f"decision/{UNKNOWN_ID}", "decision/settings"]
)
async def test_a_missing_owner_or_context_is_rejected(api: Caller, organization: Organization, path: str) -> None:
    await api.get(f"/owner/{organization.id}/context/other/{path}", status=400)
    await api.get(f"/owner/{UNKNOWN_ID}/context/config/{path}", status=404)
    await api.get(f"/owner/gh%2Facme/context/config/{path}", status=400)
    await api.get(f"/owner/{organization.id}/context/config/{path}", status=401, headers={})
