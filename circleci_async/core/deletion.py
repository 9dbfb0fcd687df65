"""When a DELETE that was sent again has succeeded."""

from ..errors import CircleCIError, ServerError, TransportError


def is_deleted(method: str, status: int, *, is_repeated: bool) -> bool:
    """Return whether a refusal shows that an earlier attempt, whose response was lost, has deleted.

    Not 410, by which CircleCI says that it has removed the operation itself.
    """
    return method == "DELETE" and status == 404 and is_repeated


def may_be_done(error: CircleCIError) -> bool:
    """Return whether an attempt that failed with this error may have been carried out, and only its response was lost.

    A gateway answers 5xx for a server whose response it lost. A 429 or 408 states that nothing was done.
    """
    return isinstance(error, ServerError) or (isinstance(error, TransportError) and error.sent)
