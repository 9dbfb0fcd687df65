"""Checkout keys: the SSH keys used to check out a project's code."""

from datetime import datetime

from attrs import frozen

from .open_enum import OpenEnum

__all__ = ["CheckoutKey", "CheckoutKeyType", "KeyDigest"]


class CheckoutKeyType(OpenEnum):
    """The owner of a key: the repository or a user. A `USER_KEY` is returned as the type of its host."""

    BITBUCKET_USER_KEY = "bitbucket-user-key"
    DEPLOY_KEY = "deploy-key"
    GITHUB_USER_KEY = "github-user-key"
    USER_KEY = "user-key"


class KeyDigest(OpenEnum):
    """The hash of fingerprints."""

    MD5 = "md5"
    SHA256 = "sha256"


@frozen(kw_only=True)
class CheckoutKey:
    """A checkout key: `GET` and `POST /project/{project-slug}/checkout-key`."""

    public_key: str
    type: CheckoutKeyType
    fingerprint: str
    """Identifies the key: colon-separated MD5, or `SHA256:` and base64 if `digest` requested it."""
    preferred: bool
    """Whether CircleCI checks out code with this key."""
    created_at: datetime | None = None
