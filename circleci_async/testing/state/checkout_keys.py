"""Checkout keys, with SSH public keys and fingerprints."""

import hashlib
from base64 import b64encode
from datetime import datetime
from random import Random

from attrs import frozen

_ALGORITHM = b"ssh-ed25519"


@frozen(eq=False)
class CheckoutKey:
    """A checkout key of a project: `type` is `deploy-key`, or `github-user-key` and the like."""

    type: str
    blob: bytes
    """The public key that the fingerprints are computed from."""
    created_at: datetime

    @property
    def public_key(self) -> str:
        """The public key as a line of an `authorized_keys` file."""
        return f"{_ALGORITHM.decode()} {b64encode(self.blob).decode()}"

    @property
    def md5(self) -> str:
        """The MD5 fingerprint."""
        return hashlib.md5(self.blob, usedforsecurity=False).digest().hex(":")

    @property
    def sha256(self) -> str:
        """The SHA256 fingerprint."""
        return f"SHA256:{b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip('=')}"


def make_key(type: str, created_at: datetime, random: Random) -> CheckoutKey:
    """Create a key whose SHA256 fingerprint contains `/` and `+`, so that a client that does not escape them fails."""
    while True:
        parts = (_ALGORITHM, random.randbytes(32))
        key = CheckoutKey(type, b"".join(len(part).to_bytes(4) + part for part in parts), created_at)
        if "/" in key.sha256 and "+" in key.sha256:
            return key
