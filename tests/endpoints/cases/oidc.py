"""What the calls of `circle.oidc` send."""

from datetime import timedelta

from circleci_async import OidcClaim
from tests.endpoints.case import ID, ID_2, Case

ORG = f"/api/v2/org/{ID}/oidc-custom-claims"
PROJECT = f"/api/v2/org/{ID}/project/{ID_2}/oidc-custom-claims"

CASES = [
    Case("oidc.org_claims", lambda c: c.oidc.org_claims(ID), ORG),
    Case(
        "oidc.update_org_claims",
        lambda c: c.oidc.update_org_claims(ID, audience=("sts.amazonaws.com", "\u00e9"), ttl="1h30m"),
        ORG,
        {"audience": ["sts.amazonaws.com", "\u00e9"], "ttl": "1h30m"},
    ),
    Case(
        "oidc.update_org_claims",
        lambda c: c.oidc.update_org_claims(str(ID), ttl=timedelta(hours=1, minutes=30)),
        ORG,
        {"ttl": "5400s"},
    ),
    Case(
        "oidc.update_org_claims",
        lambda c: c.oidc.update_org_claims(ID, ttl=timedelta(seconds=1.5)),
        ORG,
        {"ttl": "1500ms"},
    ),
    Case("oidc.update_org_claims", lambda c: c.oidc.update_org_claims(ID, audience=[]), ORG, {"audience": []}),
    Case("oidc.delete_org_claims", lambda c: c.oidc.delete_org_claims(ID, "ttl"), f"{ORG}?claims=ttl"),
    Case(
        "oidc.delete_org_claims",
        lambda c: c.oidc.delete_org_claims(ID, OidcClaim.AUDIENCE),
        f"{ORG}?claims=audience",
    ),
    Case(
        "oidc.delete_org_claims",
        lambda c: c.oidc.delete_org_claims(ID, (OidcClaim.AUDIENCE, "ttl")),
        f"{ORG}?claims=audience%2Cttl",
    ),
    Case("oidc.project_claims", lambda c: c.oidc.project_claims(ID, ID_2), PROJECT),
    Case(
        "oidc.update_project_claims",
        lambda c: c.oidc.update_project_claims(ID, ID_2, audience=["vault"]),
        PROJECT,
        {"audience": ["vault"]},
    ),
    Case(
        "oidc.update_project_claims",
        lambda c: c.oidc.update_project_claims(ID, str(ID_2), audience=["vault"], ttl="500ms"),
        PROJECT,
        {"audience": ["vault"], "ttl": "500ms"},
    ),
    Case(
        "oidc.delete_project_claims",
        lambda c: c.oidc.delete_project_claims(ID, ID_2, ["ttl", "audience"]),
        f"{PROJECT}?claims=ttl%2Caudience",
    ),
]
