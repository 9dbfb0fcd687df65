"""What the calls of `circle.workflows` send."""

from tests.endpoints.case import ID, ID_2, Case

CASES = [
    Case("workflows.get", lambda c: c.workflows.get(ID), f"/api/v2/workflow/{ID}"),
    Case("workflows.jobs", lambda c: c.workflows.jobs(ID), f"/api/v2/workflow/{ID}/job"),
    Case("workflows.cancel", lambda c: c.workflows.cancel(ID), f"/api/v2/workflow/{ID}/cancel"),
    Case("workflows.rerun", lambda c: c.workflows.rerun(ID), f"/api/v2/workflow/{ID}/rerun", {}),
    Case(
        "workflows.rerun",
        lambda c: c.workflows.rerun(ID, from_failed=True, sparse_tree=False),
        f"/api/v2/workflow/{ID}/rerun",
        {"from_failed": True, "sparse_tree": False},
    ),
    Case(
        "workflows.rerun",
        lambda c: c.workflows.rerun(ID, jobs=[ID, str(ID_2)], enable_ssh=True, sparse_tree=True),
        f"/api/v2/workflow/{ID}/rerun",
        {"jobs": [str(ID), str(ID_2)], "enable_ssh": True, "sparse_tree": True},
    ),
    Case("workflows.approve", lambda c: c.workflows.approve(ID, ID_2), f"/api/v2/workflow/{ID}/approve/{ID_2}"),
]
