"""What the calls of `circle.deploys` send."""

from tests.endpoints.case import ID, ID_2, Case

DEPLOY = "/api/v2/deploy"

CASES = [
    Case(
        "deploys.environments",
        lambda c: c.deploys.environments(ID),
        f"{DEPLOY}/environments?org-id={ID}&page-size=20",
    ),
    Case(
        "deploys.environments",
        lambda c: c.deploys.environments(str(ID), page_size=100),
        f"{DEPLOY}/environments?org-id={ID}&page-size=100",
    ),
    Case("deploys.environment", lambda c: c.deploys.environment(ID), f"{DEPLOY}/environments/{ID}"),
    Case("deploys.components", lambda c: c.deploys.components(ID), f"{DEPLOY}/components?org-id={ID}&page-size=20"),
    Case(
        "deploys.components",
        lambda c: c.deploys.components(ID, project_id=ID_2, name="api & web/\u00e9+", page_size=1),
        f"{DEPLOY}/components?org-id={ID}&page-size=1&project-id={ID_2}&component-name=api%20%26%20web%2F%C3%A9%2B",
    ),
    Case("deploys.component", lambda c: c.deploys.component(ID), f"{DEPLOY}/components/{ID}"),
    Case("deploys.component", lambda c: c.deploys.component("a/b c"), f"{DEPLOY}/components/a%2Fb%20c"),
    Case("deploys.versions", lambda c: c.deploys.versions(ID), f"{DEPLOY}/components/{ID}/versions"),
    Case(
        "deploys.versions",
        lambda c: c.deploys.versions("a/b", environment_id=ID_2),
        f"{DEPLOY}/components/a%2Fb/versions?environment-id={ID_2}",
    ),
]
