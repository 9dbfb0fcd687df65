"""What the calls of `circle.organizations` send."""

from circleci_async import OrgSlug, VcsType
from tests.endpoints.case import ID, Case

CASES = [
    Case(
        "organizations.create",
        lambda c: c.organizations.create("acme", vcs_type=VcsType.CIRCLECI),
        "/api/v2/organization",
        {"name": "acme", "vcs_type": "circleci"},
    ),
    Case(
        "organizations.create",
        lambda c: c.organizations.create("acme co\u00e9", vcs_type="github"),
        "/api/v2/organization",
        {"name": "acme co\u00e9", "vcs_type": "github"},
    ),
    Case("organizations.get", lambda c: c.organizations.get("github/acme"), "/api/v2/organization/gh%2Facme"),
    Case("organizations.get", lambda c: c.organizations.get(ID), f"/api/v2/organization/{ID}"),
    Case("organizations.get", lambda c: c.organizations.get(str(ID)), f"/api/v2/organization/{ID}"),
    Case(
        "organizations.get",
        lambda c: c.organizations.get("bb/ac me+%2F\u00e9"),
        "/api/v2/organization/bb%2Fac%20me%2B%252F%C3%A9",
    ),
    Case(
        "organizations.delete",
        lambda c: c.organizations.delete(OrgSlug("circleci", "9YytKzouJxzu4TjCRFqAoD")),
        "/api/v2/organization/circleci%2F9YytKzouJxzu4TjCRFqAoD",
    ),
    Case("organizations.delete", lambda c: c.organizations.delete(ID), f"/api/v2/organization/{ID}"),
]
