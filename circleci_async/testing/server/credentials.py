"""Who sent a request: the three ways to send a token, told apart as the real API tells them."""

import base64
import binascii
from collections.abc import Mapping


def sent_token(headers: Mapping[str, str]) -> str | None:
    """Give the token of a request: blank if the header is there but holds none, None without any header.

    `Circle-Token` comes first; then `Authorization`, as `Bearer` or as the user name of `Basic`. A token in the query
    counts for nothing.
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
