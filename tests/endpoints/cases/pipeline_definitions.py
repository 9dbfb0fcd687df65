"""What the calls of `circle.pipeline_definitions` send."""

import circleci_async as ca
from tests.endpoints.case import ID, ID_2, Case

LIST = f"/api/v2/projects/{ID}/pipeline-definitions"
ONE = f"{LIST}/{ID_2}"

REPO = ca.Repository(external_id="123456789")
CONFIG = ca.ConfigSource(provider="github_app", repo=REPO, file_path=".circleci/config.yml")
CHECKOUT = ca.CheckoutSource(provider="github_app", repo=ca.Repository(full_name="acme/api", external_id="123456789"))

CASES = [
    Case("pipeline_definitions.list", lambda c: c.pipeline_definitions.list(ID), LIST),
    Case(
        "pipeline_definitions.list",
        lambda c: c.pipeline_definitions.list("a b/c+%2F\u00e9"),
        "/api/v2/projects/a%20b%2Fc%2B%252F%C3%A9/pipeline-definitions",
        odd=True,
    ),
    Case(
        "pipeline_definitions.create",
        lambda c: c.pipeline_definitions.create(ID, name="api", config_source=CONFIG, checkout_source=CHECKOUT),
        LIST,
        {
            "name": "api",
            "config_source": {
                "provider": "github_app",
                "repo": {"external_id": "123456789"},
                "file_path": ".circleci/config.yml",
            },
            "checkout_source": {"provider": "github_app", "repo": {"external_id": "123456789"}},
        },
    ),
    Case(
        "pipeline_definitions.create",
        lambda c: c.pipeline_definitions.create(
            str(ID),
            name="l'\u00e9t\u00e9",
            config_source=ca.ConfigSource(provider="circleci", file_path="build and test.yml"),
            checkout_source={"provider": "github_app", "repo": {"external_id": "1"}, "depth-limit": 1},
            description="",
        ),
        LIST,
        {
            "name": "l'\u00e9t\u00e9",
            "config_source": {"provider": "circleci", "file_path": "build and test.yml"},
            "checkout_source": {"provider": "github_app", "repo": {"external_id": "1"}, "depth-limit": 1},
            "description": "",
        },
    ),
    Case("pipeline_definitions.get", lambda c: c.pipeline_definitions.get(ID, ID_2), ONE),
    Case("pipeline_definitions.update", lambda c: c.pipeline_definitions.update(ID, ID_2), ONE, {}),
    Case(
        "pipeline_definitions.update",
        lambda c: c.pipeline_definitions.update(
            ID,
            ID_2,
            name="web",
            description="Of the web team",
            config_source=ca.ConfigSource(file_path=".circleci/web.yml"),
            checkout_source=CHECKOUT,
        ),
        ONE,
        {
            "name": "web",
            "description": "Of the web team",
            "config_source": {"file_path": ".circleci/web.yml"},
            "checkout_source": {"provider": "github_app", "repo": {"external_id": "123456789"}},
        },
    ),
    Case(
        "pipeline_definitions.update",
        lambda c: c.pipeline_definitions.update(
            ID,
            ID_2,
            config_source={"file_path": "a.yml", "provider": "new"},
            checkout_source=ca.CheckoutSource(repo=REPO),
        ),
        ONE,
        {
            "config_source": {"file_path": "a.yml", "provider": "new"},
            "checkout_source": {"repo": {"external_id": "123456789"}},
        },
    ),
    Case("pipeline_definitions.delete", lambda c: c.pipeline_definitions.delete(ID, ID_2), ONE),
]
