"""What the calls of `circle.url_orb_allow_list` send."""

from circleci_async import UrlOrbAuth
from tests.endpoints.case import ID, ID_2, Case

LIST = "/api/v2/organization/gh%2Facme/url-orb-allow-list"
PREFIX = "https://raw.githubusercontent.com/acme/orbs/"

CASES = [
    Case("url_orb_allow_list.list", lambda c: c.url_orb_allow_list.list("gh/acme"), LIST),
    Case(
        "url_orb_allow_list.list",
        lambda c: c.url_orb_allow_list.list(ID),
        f"/api/v2/organization/{ID}/url-orb-allow-list",
    ),
    Case(
        "url_orb_allow_list.create",
        lambda c: c.url_orb_allow_list.create("gh/acme", name="orbs \u00e9", prefix=PREFIX, auth="none"),
        LIST,
        {"name": "orbs \u00e9", "prefix": PREFIX, "auth": "none"},
    ),
    Case(
        "url_orb_allow_list.create",
        lambda c: c.url_orb_allow_list.create(ID, name="orbs", prefix=PREFIX, auth=UrlOrbAuth.GITHUB_APP),
        f"/api/v2/organization/{ID}/url-orb-allow-list",
        {"name": "orbs", "prefix": PREFIX, "auth": "github-app"},
    ),
    Case(
        "url_orb_allow_list.delete",
        lambda c: c.url_orb_allow_list.delete("gh/acme", ID_2),
        f"{LIST}/{ID_2}",
    ),
    Case(
        "url_orb_allow_list.delete",
        lambda c: c.url_orb_allow_list.delete("gh/acme", "a/b c"),
        f"{LIST}/a%2Fb%20c",
    ),
]
