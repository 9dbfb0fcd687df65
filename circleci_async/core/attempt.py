"""What the client's `on_attempt` function receives."""

from attrs import frozen

__all__ = ["Attempt"]


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
