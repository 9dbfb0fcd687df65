"""What the calls of `circle.pipelines` send."""

from circleci_async import OrgSlug, Ref
from tests.endpoints.case import ID, Case, P

PROJECT = f"/api/v2/project/{P}"

CASES = [
    Case("pipelines.list", lambda c: c.pipelines.list(P), f"{PROJECT}/pipeline"),
    Case(
        "pipelines.list",
        lambda c: c.pipelines.list(P, branch="feature/a+b &c=d%2F\u00e9"),
        f"{PROJECT}/pipeline?branch=feature%2Fa%2Bb%20%26c%3Dd%252F%C3%A9",
    ),
    Case("pipelines.mine", lambda c: c.pipelines.mine(P), f"{PROJECT}/pipeline/mine"),
    Case("pipelines.list_for_org", lambda c: c.pipelines.list_for_org(), "/api/v2/pipeline"),
    Case(
        "pipelines.list_for_org",
        lambda c: c.pipelines.list_for_org("github/acme corp", mine=False),
        "/api/v2/pipeline?org-slug=gh%2Facme%20corp&mine=false",
    ),
    Case(
        "pipelines.list_for_org",
        lambda c: c.pipelines.list_for_org(OrgSlug("bb", "acme"), mine=True),
        "/api/v2/pipeline?org-slug=bb%2Facme&mine=true",
    ),
    Case("pipelines.get", lambda c: c.pipelines.get(ID), f"/api/v2/pipeline/{ID}"),
    Case("pipelines.get_by_number", lambda c: c.pipelines.get_by_number(P, 25), f"{PROJECT}/pipeline/25"),
    Case("pipelines.config", lambda c: c.pipelines.config(ID), f"/api/v2/pipeline/{ID}/config"),
    Case("pipelines.values", lambda c: c.pipelines.values(ID), f"/api/v2/pipeline/{ID}/values"),
    Case("pipelines.workflows", lambda c: c.pipelines.workflows(ID), f"/api/v2/pipeline/{ID}/workflow"),
    Case("pipelines.trigger", lambda c: c.pipelines.trigger(P), f"{PROJECT}/pipeline", {}),
    Case(
        "pipelines.trigger",
        lambda c: c.pipelines.trigger(P, branch="b/1", parameters={"a_b": 1, "c-d": True, "e": "\u00e9"}),
        f"{PROJECT}/pipeline",
        {"branch": "b/1", "parameters": {"a_b": 1, "c-d": True, "e": "\u00e9"}},
    ),
    Case(
        "pipelines.trigger",
        lambda c: c.pipelines.trigger(P, tag="v1", parameters={}),
        f"{PROJECT}/pipeline",
        {"tag": "v1", "parameters": {}},
    ),
    Case("pipelines.run", lambda c: c.pipelines.run(P), f"{PROJECT}/pipeline/run", {}),
    Case(
        "pipelines.run",
        lambda c: c.pipelines.run(
            "gh%2Facme%2Fapi",
            definition_id=ID,
            config=Ref(branch="main"),
            checkout=Ref(tag="v1/\u00e9"),
            parameters={"a_b": 1, "c-d": True, "e": "\u00e9"},
        ),
        f"{PROJECT}/pipeline/run",
        {
            "definition_id": str(ID),
            "config": {"branch": "main"},
            "checkout": {"tag": "v1/\u00e9"},
            "parameters": {"a_b": 1, "c-d": True, "e": "\u00e9"},
        },
    ),
    Case(
        "pipelines.run",
        lambda c: c.pipelines.run(
            "circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat",
            definition_id=str(ID),
            config={"tag": "v1"},
            checkout={"branch": "a b"},
        ),
        "/api/v2/project/circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat/pipeline/run",
        {"definition_id": str(ID), "config": {"tag": "v1"}, "checkout": {"branch": "a b"}},
    ),
    Case(
        "pipelines.continue_",
        lambda c: c.pipelines.continue_("key", configuration="version: 2.1\n"),
        "/api/v2/pipeline/continue",
        {"continuation-key": "key", "configuration": "version: 2.1\n"},
    ),
    Case(
        "pipelines.continue_",
        lambda c: c.pipelines.continue_("key", configuration="", parameters={"n": 0}),
        "/api/v2/pipeline/continue",
        {"continuation-key": "key", "configuration": "", "parameters": {"n": 0}},
    ),
]
