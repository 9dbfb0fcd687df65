"""Signed URLs of storage services: errors that can mean an expired one, and redaction of its query."""

from urllib.parse import unquote, urlsplit

from ..errors import AuthenticationError, BadRequest, Gone, NotFound, PermissionDenied

REFUSALS = (BadRequest, AuthenticationError, PermissionDenied, NotFound, Gone)
"""Errors that can mean an expired signature or a deleted file, so that a new URL can help."""

MIN_QUOTED = 8
"""Characters. Shorter values of a query, such as a version, are not secret."""


def redact_query(text: str, url: str) -> str:
    """Replace the values of the query of a signed address in a text of its storage, which may quote them."""
    for pair in urlsplit(url).query.split("&"):
        value = pair.partition("=")[2] or pair
        for quoted in {value, unquote(value)}:
            if len(quoted) >= MIN_QUOTED:
                text = text.replace(quoted, "[query]")
    return text
