"""Signed URLs of the storage: each is valid for one path, for GET, for a limited time."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

_DATE = "%Y%m%dT%H%M%SZ"
_EXPIRED = timedelta(hours=1)


class Signer:
    """Signs paths (unescaped) for `lifetime` seconds."""

    def __init__(self, secret: bytes, lifetime: float, clock: Callable[[], datetime]) -> None:
        self._secret = secret
        self._lifetime = lifetime
        self._clock = clock

    def sign(self, path: str, *, expired: bool = False) -> str:
        """Return the query of a signed URL; with `expired`, of one that has expired."""
        now = self._clock().astimezone(UTC)
        if expired:
            now -= _EXPIRED + timedelta(seconds=self._lifetime)
        date = now.strftime(_DATE)
        # The date has whole seconds: add the fraction to the lifetime.
        expires = f"{self._lifetime + now.microsecond / 1e6:.6f}".rstrip("0").rstrip(".")
        return urlencode(
            {
                "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
                "X-Amz-Credential": f"FAKE/{date[:8]}/us-east-1/s3/aws4_request",
                "X-Amz-Date": date,
                "X-Amz-Expires": expires,
                "X-Amz-SignedHeaders": "host",
                "X-Amz-Signature": self._signature("GET", path, date, expires),
            }
        )

    def valid(self, method: str, path: str, query: Mapping[str, str]) -> bool:
        """Return whether the query was signed here for this method and path, at any time."""
        date, expires = query.get("X-Amz-Date", ""), query.get("X-Amz-Expires", "")
        signature = query.get("X-Amz-Signature", "").encode()
        return hmac.compare_digest(signature, self._signature(method, path, date, expires).encode())

    def expired(self, query: Mapping[str, str]) -> bool:
        """Return whether a valid query has expired."""
        begin = datetime.strptime(query["X-Amz-Date"], _DATE).replace(tzinfo=UTC)
        return self._clock() > begin + timedelta(seconds=float(query["X-Amz-Expires"]))

    def _signature(self, *parts: str) -> str:
        return hmac.digest(self._secret, "\n".join(parts).encode(), hashlib.sha256).hex()
