"""What the client's `on_attempt` function receives."""

from typing import Literal, TypeAlias

from attrs import frozen

from ..errors import ApiError, RateLimited, RequestTimeout, ServerError, TransportError

__all__ = ["Attempt"]

AttemptOutcome: TypeAlias = Literal[
    "success",
    "rate_limited",
    "client_error",
    "server_error",
    "timeout",
    "connection_error",
    "cancelled",
    "error",
]
"""How an attempt ended, as a label of a metric:

- `success`: with a success, or with a 404 that shows that a repeated DELETE has succeeded.
- `rate_limited`: with a 429.
- `client_error`: with another 4xx, an unexpected redirect, or a success that created nothing.
- `server_error`: with a 5xx.
- `timeout`: without a response within the timeout or the deadline.
- `connection_error`: without a complete response: the connection failed or was lost, or the body was truncated,
  malformed or too large.
- `cancelled`: because its task was cancelled or its client closed.
- `error`: with any other error, such as one of a middleware or the token function.
"""


@frozen
class Attempt:
    """One completed attempt of a call. A call that is retried has several.

    It starts when the limiter admits it, and ends when the response has been read or the attempt has failed. It
    includes the redirects it followed and, for an artifact, the time in which the body is read.
    """

    method: str
    """Such as `GET`."""

    route: str | None
    """The operation's path as the API documents it, such as `/project/{project-slug}/job/{job-number}`; None for files
    and undocumented operations. Its few values fit a metric's label."""

    url: str
    """The address of the request, without signatures and tokens."""

    number: int
    """1 for the first attempt of a call."""

    status: int | None
    """Status of the last response, or None if there was none."""

    error: BaseException | None
    """What the attempt failed with: a `CircleCIError`, or `asyncio.CancelledError` if it was cancelled or reached the
    deadline of its call. None if it succeeded."""

    outcome: AttemptOutcome
    """How it ended, as one of few words, which fit a metric's label."""

    seconds: float
    """Duration."""

    waited: float
    """Seconds of waiting before the attempt: for the retry delay and for the limiter."""

    retry_after: float | None
    """Seconds that the server asked to wait, or None."""

    sent: int
    """Bytes of the request's body."""

    received: int
    """Bytes of the response's body, decompressed."""


def outcome_of(error: BaseException | None, *, is_late: bool) -> AttemptOutcome:
    """Return the outcome of an attempt that failed with an error, or succeeded. `is_late`: its deadline has passed."""
    match error:
        case None:
            return "success"
        case RateLimited():
            return "rate_limited"
        case ServerError():
            return "server_error"
        case ApiError():
            return "client_error"
        case RequestTimeout():
            return "timeout"
        case TransportError():
            return "connection_error"
        case Exception():
            return "error"
        case _:  # the deadline cancels an attempt too
            return "timeout" if is_late else "cancelled"
