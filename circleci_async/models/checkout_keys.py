"""Checkout keys: the SSH keys that a project's code is checked out with."""

from datetime import datetime

from attrs import frozen

from .open_enum import OpenEnum

__all__ = ["CheckoutKey", "CheckoutKeyType", "KeyDigest"]


class CheckoutKeyType(OpenEnum):
    """Whose key it is: the repository's or a user's. A key made as `USER_KEY` is reported with the name of its host."""

    BITBUCKET_USER_KEY = "bitbucket-user-key"
    DEPLOY_KEY = "deploy-key"
    GITHUB_USER_KEY = "github-user-key"
    USER_KEY = "user-key"


class KeyDigest(OpenEnum):
    """By which digest fingerprints are written."""

    MD5 = "md5"
    SHA256 = "sha256"


@frozen(kw_only=True)
class CheckoutKey:
    """A checkout key: `GET` and `POST /project/{project-slug}/checkout-key`."""

    public_key: str
    type: CheckoutKeyType
    fingerprint: str
    """What the key is known by: colon-separated MD5, or `SHA256:` and base64 if that was asked for."""
    preferred: bool
    """Whether code is checked out with this key."""
    created_at: datetime | None = None
