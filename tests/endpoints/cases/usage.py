"""What the calls of `circle.usage` send."""

from datetime import UTC, datetime, timedelta, timezone

from tests.endpoints.case import ID, ID_2, Case

EXPORTS = f"/api/v2/organizations/{ID}/usage_export_job"
# The client refuses what is older than a year; these will be new for a while.
START = datetime(2099, 3, 1, tzinfo=UTC)
END = datetime(2099, 4, 1, 2, tzinfo=timezone(timedelta(hours=2)))

CASES = [
    Case(
        "usage.create_export",
        lambda c: c.usage.create_export(ID, start=START, end=END),
        EXPORTS,
        {"start": "2099-03-01T00:00:00Z", "end": "2099-04-01T00:00:00Z"},
    ),
    Case(
        "usage.create_export",
        lambda c: c.usage.create_export(
            str(ID), start="2099-03-01T00:00:00Z", end="2099-03-31T23:59:59Z", shared_org_ids=[ID_2, str(ID)]
        ),
        EXPORTS,
        {"start": "2099-03-01T00:00:00Z", "end": "2099-03-31T23:59:59Z", "shared_org_ids": [str(ID_2), str(ID)]},
    ),
    Case(
        "usage.create_export",
        lambda c: c.usage.create_export("a/b", start=START, end=START, shared_org_ids=()),
        "/api/v2/organizations/a%2Fb/usage_export_job",
        {"start": "2099-03-01T00:00:00Z", "end": "2099-03-01T00:00:00Z", "shared_org_ids": []},
    ),
    Case("usage.get_export", lambda c: c.usage.get_export(ID, ID_2), f"{EXPORTS}/{ID_2}"),
    Case("usage.get_export", lambda c: c.usage.get_export(str(ID), str(ID_2)), f"{EXPORTS}/{ID_2}"),
]
