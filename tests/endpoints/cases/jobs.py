"""What the calls of `circle.jobs` send."""

from tests.endpoints.case import ID, Case, P

PROJECT = f"/api/v2/project/{P}"

CASES = [
    Case("jobs.get", lambda c: c.jobs.get(P, 42), f"{PROJECT}/job/42"),
    Case("jobs.get", lambda c: c.jobs.get(P, 0), f"{PROJECT}/job/0"),
    Case("jobs.tests", lambda c: c.jobs.tests(P, 42), f"{PROJECT}/42/tests"),
    Case("jobs.cancel", lambda c: c.jobs.cancel(P, 42), f"{PROJECT}/job/42/cancel"),
    Case("jobs.cancel_by_id", lambda c: c.jobs.cancel_by_id(ID), f"/api/v2/jobs/{ID}/cancel"),
]
