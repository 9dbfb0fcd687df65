"""What the calls of `circle.checkout_keys` send."""

from circleci_async import CheckoutKeyType, KeyDigest
from tests.endpoints.case import Case, P

KEYS = f"/api/v2/project/{P}/checkout-key"
MD5 = "94:19:ab:a9:f4:2b:21:1c:a5:87:dd:ee:3d:c2:90:4e"
MD5_SENT = MD5.replace(":", "%3A")
SHA256 = "SHA256:NPj4IcXxqQEKGXOghi/QbG2sohoNfvZ30JwCcdSSNM+"
SHA256_SENT = "SHA256%3ANPj4IcXxqQEKGXOghi%2FQbG2sohoNfvZ30JwCcdSSNM%2B"

CASES = [
    Case("checkout_keys.list", lambda c: c.checkout_keys.list(P), KEYS),
    Case("checkout_keys.list", lambda c: c.checkout_keys.list(P, digest="md5"), f"{KEYS}?digest=md5"),
    Case("checkout_keys.list", lambda c: c.checkout_keys.list(P, digest=KeyDigest.SHA256), f"{KEYS}?digest=sha256"),
    Case(
        "checkout_keys.create",
        lambda c: c.checkout_keys.create(P, CheckoutKeyType.DEPLOY_KEY),
        KEYS,
        {"type": "deploy-key"},
    ),
    Case("checkout_keys.create", lambda c: c.checkout_keys.create(P, "user-key"), KEYS, {"type": "user-key"}),
    Case("checkout_keys.get", lambda c: c.checkout_keys.get(P, MD5), f"{KEYS}/{MD5_SENT}"),
    Case("checkout_keys.get", lambda c: c.checkout_keys.get(P, SHA256), f"{KEYS}/{SHA256_SENT}"),
    Case("checkout_keys.delete", lambda c: c.checkout_keys.delete(P, MD5), f"{KEYS}/{MD5_SENT}"),
    Case("checkout_keys.delete", lambda c: c.checkout_keys.delete(P, SHA256), f"{KEYS}/{SHA256_SENT}"),
]
