"""What the calls of `circle.users` send."""

from tests.endpoints.case import ID, Case

CASES = [
    Case("users.me", lambda c: c.users.me(), "/api/v2/me"),
    Case("users.get", lambda c: c.users.get(ID), f"/api/v2/user/{ID}"),
    Case("users.get", lambda c: c.users.get("a b/c"), "/api/v2/user/a%20b%2Fc", odd=True),
    Case("users.collaborations", lambda c: c.users.collaborations(), "/api/v2/me/collaborations"),
]
