"""What the calls of `circle.artifacts` send."""

from tests.endpoints.case import Case, P

PROJECT = f"/api/v2/project/{P}"

CASES = [
    Case("artifacts.list", lambda c: c.artifacts.list(P, 42), f"{PROJECT}/42/artifacts"),
]
