"""Decide whether a repeated DELETE has succeeded."""

from ..errors import CircleCIError, ServerError, TransportError


def is_deleted(method: str, status: int, *, is_repeated: bool) -> bool:
    """Return whether an error status shows that an earlier attempt, whose response was lost, deleted the object.

    410 does not: CircleCI sends it if the operation itself was removed.
    """
    return method == "DELETE" and status == 404 and is_repeated


def may_be_done(error: CircleCIError) -> bool:
    """Return whether an attempt that failed with this error may have been carried out, and only its response was lost.

    A gateway sends a 5xx if it lost the response of the server. A 429 or 408 means that nothing was done.
    """
    return isinstance(error, ServerError) or (isinstance(error, TransportError) and error.sent)
