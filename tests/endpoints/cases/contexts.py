"""What the calls of `circle.contexts` send."""

from circleci_async import OrgSlug, OwnerType, RestrictionType
from tests.endpoints.case import ID, ID_2, Case

CONTEXT = f"/api/v2/context/{ID}"
ODD = "a b/c%2F+\u00e9"
ODD_SENT = "a%20b%2Fc%252F%2B%C3%A9"

CASES = [
    Case("contexts.list", lambda c: c.contexts.list(owner_id=ID), f"/api/v2/context?owner-id={ID}"),
    Case(
        "contexts.list",
        lambda c: c.contexts.list(owner_id=str(ID), owner_type=OwnerType.ACCOUNT, name=ODD),
        f"/api/v2/context?owner-id={ID}&owner-type=account&name={ODD_SENT}",
    ),
    Case(
        "contexts.list",
        lambda c: c.contexts.list(owner_slug="github/acme corp", owner_type="organization"),
        "/api/v2/context?owner-slug=gh%2Facme%20corp&owner-type=organization",
    ),
    Case(
        "contexts.create",
        lambda c: c.contexts.create("aws prod/\u00e9", owner_id=ID),
        "/api/v2/context",
        {"name": "aws prod/\u00e9", "owner": {"id": str(ID), "type": "organization"}},
    ),
    Case(
        "contexts.create",
        lambda c: c.contexts.create("aws", owner_id=str(ID), owner_type=OwnerType.ACCOUNT),
        "/api/v2/context",
        {"name": "aws", "owner": {"id": str(ID), "type": "account"}},
    ),
    Case(
        "contexts.create",
        lambda c: c.contexts.create("aws", owner_slug=OrgSlug("bb", "acme"), owner_type="organization"),
        "/api/v2/context",
        {"name": "aws", "owner": {"slug": "bb/acme", "type": "organization"}},
    ),
    Case("contexts.get", lambda c: c.contexts.get(ID), CONTEXT),
    Case("contexts.get", lambda c: c.contexts.get(ODD), f"/api/v2/context/{ODD_SENT}", odd=True),
    Case("contexts.delete", lambda c: c.contexts.delete(ID), CONTEXT),
    Case("contexts.variables", lambda c: c.contexts.variables(ID), f"{CONTEXT}/environment-variable"),
    Case(
        "contexts.set_variable",
        lambda c: c.contexts.set_variable(ID, "AWS_REGION", "eu-west-1"),
        f"{CONTEXT}/environment-variable/AWS_REGION",
        {"value": "eu-west-1"},
    ),
    Case(
        "contexts.set_variable",
        lambda c: c.contexts.set_variable(str(ID), ODD, ""),
        f"{CONTEXT}/environment-variable/{ODD_SENT}",
        {"value": ""},
    ),
    Case(
        "contexts.delete_variable",
        lambda c: c.contexts.delete_variable(ID, ODD),
        f"{CONTEXT}/environment-variable/{ODD_SENT}",
    ),
    Case("contexts.restrictions", lambda c: c.contexts.restrictions(ID), f"{CONTEXT}/restrictions"),
    Case(
        "contexts.add_restriction",
        lambda c: c.contexts.add_restriction(ID, type=RestrictionType.PROJECT, value=ID_2),
        f"{CONTEXT}/restrictions",
        {"restriction_type": "project", "restriction_value": str(ID_2)},
    ),
    Case(
        "contexts.add_restriction",
        lambda c: c.contexts.add_restriction(ID, type="expression", value='pipeline.git.branch == "main"'),
        f"{CONTEXT}/restrictions",
        {"restriction_type": "expression", "restriction_value": 'pipeline.git.branch == "main"'},
    ),
    Case(
        "contexts.delete_restriction",
        lambda c: c.contexts.delete_restriction(ID, ID_2),
        f"{CONTEXT}/restrictions/{ID_2}",
    ),
]
