"""What the calls of `circle.projects` send."""

from typing import Any

from circleci_async import AdvancedSettingsUpdate
from tests.endpoints.case import ID, Case, P

PROJECT = f"/api/v2/project/{P}"
ODD = "circleci/9YytKzouJxzu4TjCRFqAoD/a%2Fpi+x\u00e9"
ODD_PROJECT = "/api/v2/project/circleci/9YytKzouJxzu4TjCRFqAoD/a%252Fpi%2Bx%C3%A9"
EVERY_SETTING: AdvancedSettingsUpdate = {
    "autocancel_builds": True,
    "build_fork_prs": False,
    "build_prs_only": True,
    "disable_ssh": False,
    "forks_receive_secret_env_vars": False,
    "oss": False,
    "set_github_status": True,
    "setup_workflows": True,
    "write_settings_requires_admin": False,
    "pr_only_branch_overrides": ("main", "release/\u00e9"),
}
ROLLBACK: Any = {
    "component_name": "api",
    "environment_name": "production",
    "current_version": "1.2.0",
    "target_version": "1.1.0",
}

CASES = [
    Case("projects.get", lambda c: c.projects.get(P), PROJECT),
    Case(
        "projects.create",
        lambda c: c.projects.create("gh/acme", "a b/\u00e9"),
        "/api/v2/organization/gh%2Facme/project",
        {"name": "a b/\u00e9"},
    ),
    Case(
        "projects.create",
        lambda c: c.projects.create(ID, "api"),
        f"/api/v2/organization/{ID}/project",
        {"name": "api"},
    ),
    Case("projects.delete", lambda c: c.projects.delete(P), PROJECT),
    Case("projects.set_up", lambda c: c.projects.set_up(P), PROJECT),
    Case("projects.settings", lambda c: c.projects.settings(P), f"{PROJECT}/settings"),
    Case("projects.settings", lambda c: c.projects.settings(ODD), f"{ODD_PROJECT}/settings"),
    Case(
        "projects.update_settings",
        lambda c: c.projects.update_settings(P, autocancel_builds=False),
        f"{PROJECT}/settings",
        {"advanced": {"autocancel_builds": False}},
    ),
    Case(
        "projects.update_settings",
        lambda c: c.projects.update_settings("gh%2Facme%2Fapi", **EVERY_SETTING),
        f"{PROJECT}/settings",
        {"advanced": {**EVERY_SETTING, "pr_only_branch_overrides": ["main", "release/\u00e9"]}},
    ),
    Case(
        "projects.rollback", lambda c: c.projects.rollback(ID, **ROLLBACK), f"/api/v2/projects/{ID}/rollback", ROLLBACK
    ),
    Case(
        "projects.rollback",
        lambda c: c.projects.rollback(
            str(ID), **ROLLBACK, namespace="default", parameters={"a_b": 1, "c-d": {"e-f": None}}, reason="slow"
        ),
        f"/api/v2/projects/{ID}/rollback",
        {**ROLLBACK, "namespace": "default", "parameters": {"a_b": 1, "c-d": {"e-f": None}}, "reason": "slow"},
    ),
]
