"""Log what the API deprecates: once for each operation."""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from ..config.log import log
from ..untrusted_text import shown
from .routes import route_of

MAX_OPERATIONS = 200
"""Operations that are remembered by a client; more are not logged, since undocumented paths are unlimited."""

MAX_HEADER = 200
"""Characters of a header that are logged."""

_HEADERS = ("Deprecation", "Sunset", "Link")


class Deprecations:
    """Logs each operation whose responses have a `Deprecation` or `Sunset` header."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def log(self, api: str, method: str, url: str, headers: Mapping[str, str], *, redact: Callable[[str], str]) -> None:
        """Log the operation of an address below `api` at WARNING, unless it has been logged."""
        path = urlsplit(url.removeprefix(api)).path
        operation = f"{method} {route_of(path) or path}"
        if operation in self._logged or len(self._logged) >= MAX_OPERATIONS:
            return
        self._logged.add(operation)
        stated = [f"{name}: {shown(redact(headers[name]), MAX_HEADER)}" for name in _HEADERS if name in headers]
        log.warning("%s is deprecated (%s)", operation, "; ".join(stated))
