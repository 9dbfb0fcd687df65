"""Page tokens: opaque, and valid only for the list that they belong to."""

from hashlib import sha256


class PageTokens:
    """The page tokens that a server gave out; `size` is the number of items of a page."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._places: dict[str, tuple[str, int, str]] = {}

    def write(self, scope: str, index: int, key: str) -> str:
        """Return the token of the page after an item: its index in the list `scope`, and its key."""
        place = (scope, index, key)
        token = sha256(repr(place).encode()).hexdigest()[:32]
        self._places[token] = place
        return token

    def read(self, token: str, scope: str) -> tuple[int, str] | None:
        """Return index and key of the item that the page follows, or None if the token is not one of this list."""
        place = self._places.get(token)
        return place[1:] if place is not None and place[0] == scope else None
