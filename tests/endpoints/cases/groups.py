"""What the calls of `circle.groups` send."""

from tests.endpoints.case import ID, ID_2, Case

GROUPS = f"/api/v2/organizations/{ID}/groups"

CASES = [
    Case("groups.create", lambda c: c.groups.create(ID, "api-team"), GROUPS, {"name": "api-team"}),
    Case(
        "groups.create",
        lambda c: c.groups.create(str(ID), "a b/c", description=""),
        GROUPS,
        {"name": "a b/c", "description": ""},
    ),
    Case("groups.list", lambda c: c.groups.list(ID), GROUPS),
    Case("groups.list", lambda c: c.groups.list(ID, limit=50), f"{GROUPS}?limit=50"),
    Case("groups.get", lambda c: c.groups.get(ID, ID_2), f"{GROUPS}/{ID_2}"),
    Case("groups.delete", lambda c: c.groups.delete(ID, str(ID_2)), f"{GROUPS}/{ID_2}"),
    Case("groups.get", lambda c: c.groups.get("a/b", "c d"), "/api/v2/organizations/a%2Fb/groups/c%20d", odd=True),
]
