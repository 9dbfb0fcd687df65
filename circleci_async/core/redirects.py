"""Follow the redirects of one attempt."""

from collections.abc import Callable

from ..config.redacted import Redacted
from ..errors import ApiError
from .response import Response

MAX_REDIRECTS = 10

FOLLOWED_METHODS = frozenset({"GET", "HEAD"})


class Redirects:
    """Counts the redirects of one attempt, and remembers whether they led to another origin."""

    __slots__ = ("_count", "is_cross_origin")

    def __init__(self) -> None:
        self._count = 0
        self.is_cross_origin: bool = False
        """Whether the last response came from another origin than the first."""

    def target_of(self, response: Response, method: str, *, public_url: Callable[[str], str]) -> Redacted[str] | None:
        """Return the address to request next, or None if the response is not a redirect that is followed.

        `public_url`: a function that removes secrets from an address. Raises `ApiError` for a redirect from https to
        http, and for more than `MAX_REDIRECTS`.
        """
        target = response.redirect if method in FOLLOWED_METHODS else None
        if target is None:
            return None
        self._count += 1
        problem = None
        if target.is_downgrade:
            problem = "refused to follow a redirect from https to http"
        elif self._count > MAX_REDIRECTS:
            problem = f"more than {MAX_REDIRECTS} redirects"
        if problem is not None:
            raise ApiError(response.status, problem, method=method, url=public_url(response.url))
        self.is_cross_origin |= target.is_cross_origin
        return target.url
