"""Page tokens: opaque, and good for nothing but the list that they were made for."""

import base64
import binascii
import hashlib
import hmac

_MAC = 12
_PLACE = 6


class PageTokens:
    """Writes and reads page tokens; `size` is how many items a page has."""

    def __init__(self, size: int, secret: bytes) -> None:
        self.size = size
        self._secret = secret

    def write(self, place: int, scope: str) -> str:
        """Make the token of the page that begins at `place` of the list `scope`."""
        mac = self._mac(place, scope)
        hidden = place ^ int.from_bytes(mac[:_PLACE])
        return base64.urlsafe_b64encode(mac + hidden.to_bytes(_PLACE)).decode()

    def read(self, token: str, scope: str) -> int | None:
        """Give the place that a token stands for, or None if it is not one of this list."""
        try:
            raw = base64.b64decode(token, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        mac, hidden = raw[:_MAC], raw[_MAC:]
        place = int.from_bytes(hidden) ^ int.from_bytes(mac[:_PLACE])
        valid = len(raw) == _MAC + _PLACE and hmac.compare_digest(mac, self._mac(place, scope))
        return place if valid else None

    def _mac(self, place: int, scope: str) -> bytes:
        return hmac.digest(self._secret, f"{place} {scope}".encode(), hashlib.sha256)[:_MAC]
