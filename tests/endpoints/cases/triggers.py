"""What the calls of `circle.triggers` send."""

import circleci_async as ca
from tests.endpoints.case import ID, ID_2, Case

LIST = f"/api/v2/projects/{ID}/pipeline-definitions/{ID_2}/triggers"
ONE = f"/api/v2/projects/{ID}/triggers/{ID_2}"

CASES = [
    Case("triggers.list", lambda c: c.triggers.list(ID, ID_2), LIST),
    Case(
        "triggers.create",
        lambda c: c.triggers.create(ID, ID_2, event_source=ca.RepositorySource(external_id="123456789")),
        LIST,
        {"event_source": {"provider": "github_app", "repo": {"external_id": "123456789"}}},
    ),
    Case(
        "triggers.create",
        lambda c: c.triggers.create(
            ID,
            ID_2,
            event_source=ca.RepositorySource(external_id="1", provider="github_oauth"),
            event_preset=ca.EventPreset.ONLY_BUILD_PRS,
            checkout_ref="main",
            config_ref="v1/\u00e9",
            disabled=False,
        ),
        LIST,
        {
            "event_source": {"provider": "github_oauth", "repo": {"external_id": "1"}},
            "event_preset": "only-build-prs",
            "checkout_ref": "main",
            "config_ref": "v1/\u00e9",
            "disabled": False,
        },
    ),
    Case(
        "triggers.create",
        lambda c: c.triggers.create(ID, ID_2, event_source=ca.WebhookSource()),
        LIST,
        {"event_source": {"provider": "webhook", "webhook": {}}},
    ),
    Case(
        "triggers.create",
        lambda c: c.triggers.create(
            ID,
            ID_2,
            event_source=ca.WebhookSource(sender="registry"),
            event_name="image pushed",
            checkout_ref="main",
            config_ref="main",
        ),
        LIST,
        {
            "event_source": {"provider": "webhook", "webhook": {"sender": "registry"}},
            "event_name": "image pushed",
            "checkout_ref": "main",
            "config_ref": "main",
        },
    ),
    Case(
        "triggers.create",
        lambda c: c.triggers.create(
            ID,
            ID_2,
            event_source=ca.ScheduleSource(cron_expression="0 3 * * 1-5", attribution_actor=ca.AttributionActor.SYSTEM),
            event_name="nightly",
            checkout_ref="main",
            config_ref="main",
            disabled=True,
            parameters={"a_b": 1, "c-d": [True, None]},
        ),
        LIST,
        {
            "event_source": {
                "provider": "schedule",
                "schedule": {"cron_expression": "0 3 * * 1-5", "attribution_actor": "system"},
            },
            "event_name": "nightly",
            "checkout_ref": "main",
            "config_ref": "main",
            "disabled": True,
            "parameters": {"a_b": 1, "c-d": [True, None]},
        },
    ),
    Case(
        "triggers.create",
        lambda c: c.triggers.create(
            ID,
            ID_2,
            event_source={"provider": "bitbucket_dc", "repo": {"external_id": "7", "host-name": "git"}},
            event_preset="all-pushes",
            event_name="as it is",
        ),
        LIST,
        {
            "event_source": {"provider": "bitbucket_dc", "repo": {"external_id": "7", "host-name": "git"}},
            "event_preset": "all-pushes",
            "event_name": "as it is",
        },
    ),
    Case("triggers.get", lambda c: c.triggers.get(ID, ID_2), ONE),
    Case("triggers.update", lambda c: c.triggers.update(ID, ID_2), ONE, {}),
    Case(
        "triggers.update",
        lambda c: c.triggers.update(
            ID,
            ID_2,
            event_source=ca.ScheduleSource(cron_expression="0 3 * * 1", attribution_actor="current"),
            event_name="weekly",
            checkout_ref="v2",
            config_ref="main",
            disabled=False,
            parameters={},
        ),
        ONE,
        {
            "event_source": {
                "provider": "schedule",
                "schedule": {"cron_expression": "0 3 * * 1", "attribution_actor": "current"},
            },
            "event_name": "weekly",
            "checkout_ref": "v2",
            "config_ref": "main",
            "disabled": False,
            "parameters": {},
        },
    ),
    Case(
        "triggers.update",
        lambda c: c.triggers.update(ID, ID_2, event_source=ca.WebhookSource(sender="")),
        ONE,
        {"event_source": {"provider": "webhook", "webhook": {"sender": ""}}},
    ),
    Case(
        "triggers.update",
        lambda c: c.triggers.update(ID, ID_2, event_source={"new": 1}, event_preset=ca.EventPreset.ONLY_TAGS),
        ONE,
        {"event_source": {"new": 1}, "event_preset": "only-tags"},
    ),
    Case("triggers.delete", lambda c: c.triggers.delete(ID, ID_2), ONE),
    Case(
        "triggers.delete",
        lambda c: c.triggers.delete("a b", "c/d+%2F\u00e9"),
        "/api/v2/projects/a%20b/triggers/c%2Fd%2B%252F%C3%A9",
        odd=True,
    ),
]
