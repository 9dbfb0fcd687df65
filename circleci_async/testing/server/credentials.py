"""Reads the token of a request, in the three ways that the API accepts."""

import base64
import binascii
from collections.abc import Mapping


def sent_token(headers: Mapping[str, str]) -> str | None:
    """Return the token of a request: blank if the header has none, None without a header.

    `Circle-Token` takes precedence over `Authorization`, which is `Bearer` or the user name of `Basic`. A token in the
    query is ignored.
    """
    if (token := headers.get("Circle-Token")) is not None:
        return token.strip()
    if (authorization := headers.get("Authorization")) is None:
        return None
    scheme, _, rest = authorization.strip().partition(" ")
    rest = rest.strip()
    match scheme.lower():
        case "bearer":
            return rest
        case "basic":
            try:
                return base64.b64decode(rest, validate=True).decode().partition(":")[0]
            except (binascii.Error, ValueError):
                return ""
        case _:
            return ""
