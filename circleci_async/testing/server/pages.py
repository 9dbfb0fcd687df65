"""Page tokens: opaque, and valid only for the list that they belong to."""

import base64
import binascii
import hashlib
import hmac

_MAC = 12  # bytes
_POSITION = 6  # bytes


class PageTokens:
    """Encodes and decodes page tokens; `size` is the number of items of a page."""

    def __init__(self, size: int, secret: bytes) -> None:
        self.size = size
        self._secret = secret

    def write(self, position: int, scope: str) -> str:
        """Return the token of the page that starts at `position` of the list `scope`."""
        mac = self._mac(position, scope)
        masked = position ^ int.from_bytes(mac[:_POSITION])
        return base64.urlsafe_b64encode(mac + masked.to_bytes(_POSITION)).decode()

    def read(self, token: str, scope: str) -> int | None:
        """Return the position of a token, or None if it does not belong to this list."""
        try:
            raw = base64.b64decode(token, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        mac, masked = raw[:_MAC], raw[_MAC:]
        position = int.from_bytes(masked) ^ int.from_bytes(mac[:_POSITION])
        valid = len(raw) == _MAC + _POSITION and hmac.compare_digest(mac, self._mac(position, scope))
        return position if valid else None

    def _mac(self, position: int, scope: str) -> bytes:
        return hmac.digest(self._secret, f"{position} {scope}".encode(), hashlib.sha256)[:_MAC]
