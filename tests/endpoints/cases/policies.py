"""What the calls of `circle.policies` send."""

from datetime import UTC, datetime

from circleci_async import DecisionMetadata, DecisionVcs
from tests.endpoints.case import ID, ID_2, Case

CONFIG = f"/api/v2/owner/{ID}/context/config"
OTHER = f"/api/v2/owner/{ID}/context/a%20b%2F%C3%A9"
YAML = "version: 2.1\n# \u00e9\n"

CASES = [
    Case("policies.bundle", lambda c: c.policies.bundle(ID), f"{CONFIG}/policy-bundle"),
    Case("policies.bundle", lambda c: c.policies.bundle(str(ID), context="a b/\u00e9"), f"{OTHER}/policy-bundle"),
    Case(
        "policies.push_bundle",
        lambda c: c.policies.push_bundle(ID, {"image-rules.rego": "package org\n", "a_b/c": ""}),
        f"{CONFIG}/policy-bundle",
        {"policies": {"image-rules.rego": "package org\n", "a_b/c": ""}},
    ),
    Case(
        "policies.push_bundle",
        lambda c: c.policies.push_bundle(ID, {}, context="a b/\u00e9", dry=True),
        f"{OTHER}/policy-bundle?dry=true",
        {"policies": {}},
    ),
    Case("policies.document", lambda c: c.policies.document(ID, "p.rego"), f"{CONFIG}/policy-bundle/p.rego"),
    Case(
        "policies.document",
        lambda c: c.policies.document(ID, "a b/c%d+\u00e9.rego", context="a b/\u00e9"),
        f"{OTHER}/policy-bundle/a%20b%2Fc%25d%2B%C3%A9.rego",
    ),
    Case("policies.decisions", lambda c: c.policies.decisions(ID), f"{CONFIG}/decision"),
    Case(
        "policies.decisions",
        lambda c: c.policies.decisions(
            ID,
            context="a b/\u00e9",
            status="HARD_FAIL",
            after=datetime(2026, 3, 1, tzinfo=UTC),
            before="2026-04-01T02:00:00+02:00",
            branch="feature/a+b",
            project_id=ID_2,
            build_number=42,
        ),
        f"{OTHER}/decision?status=HARD_FAIL&after=2026-03-01T00%3A00%3A00Z&before=2026-04-01T00%3A00%3A00Z"
        f"&branch=feature%2Fa%2Bb&project_id={ID_2}&build_number=42",
    ),
    Case(
        "policies.decisions",
        lambda c: c.policies.decisions(ID, project_id=str(ID_2), build_number="42"),
        f"{CONFIG}/decision?project_id={ID_2}&build_number=42",
    ),
    Case("policies.decision", lambda c: c.policies.decision(ID, ID_2), f"{CONFIG}/decision/{ID_2}"),
    Case(
        "policies.decision",
        lambda c: c.policies.decision(ID, "x/y", context="a b/\u00e9"),
        f"{OTHER}/decision/x%2Fy",
    ),
    Case(
        "policies.decision_bundle",
        lambda c: c.policies.decision_bundle(ID, ID_2),
        f"{CONFIG}/decision/{ID_2}/policy-bundle",
    ),
    Case(
        "policies.decision_bundle",
        lambda c: c.policies.decision_bundle(ID, str(ID_2), context="a b/\u00e9"),
        f"{OTHER}/decision/{ID_2}/policy-bundle",
    ),
    Case("policies.decide", lambda c: c.policies.decide(ID, YAML), f"{CONFIG}/decision", {"input": YAML}),
    Case(
        "policies.decide",
        lambda c: c.policies.decide(ID, "", context="a b/\u00e9", metadata={"build-number": 7, "any_thing": [None]}),
        f"{OTHER}/decision",
        {"input": "", "metadata": {"build-number": 7, "any_thing": [None]}},
    ),
    Case(
        "policies.decide",
        lambda c: c.policies.decide(
            ID, YAML, metadata=DecisionMetadata(project_id=str(ID_2), ssh_rerun=False, vcs=DecisionVcs(branch="main"))
        ),
        f"{CONFIG}/decision",
        {"input": YAML, "metadata": {"project_id": str(ID_2), "ssh_rerun": False, "vcs": {"branch": "main"}}},
    ),
    Case("policies.settings", lambda c: c.policies.settings(ID), f"{CONFIG}/decision/settings"),
    Case("policies.settings", lambda c: c.policies.settings(ID, context="a b/\u00e9"), f"{OTHER}/decision/settings"),
    Case(
        "policies.update_settings",
        lambda c: c.policies.update_settings(ID, enabled=True),
        f"{CONFIG}/decision/settings",
        {"enabled": True},
    ),
    Case(
        "policies.update_settings",
        lambda c: c.policies.update_settings(ID, enabled=False, context="a b/\u00e9"),
        f"{OTHER}/decision/settings",
        {"enabled": False},
    ),
]
