"""The counters of a client."""

from attrs import define, evolve

__all__ = ["Stats"]


@define
class Stats:
    """Counters of one client and all clients derived from it by `with_options`.

    `circle.stats` is live; `circle.stats()` returns a copy, to compare with a later one.
    """

    requests: int = 0
    """HTTP requests sent, each hop of a redirect included (a resend after a lost reused connection is not)."""

    retries: int = 0
    """Attempts that followed a failed one."""

    rate_limited: int = 0
    """Responses with status 429."""

    paused: float = 0.0
    """Seconds for which rate limiting paused every request."""

    received: int = 0
    """Bytes of bodies received, decompressed."""

    sent: int = 0
    """Bytes of bodies sent."""

    waits: int = 0
    """Number of times that a call waited: for the limiter, or before a retry."""

    waited: float = 0.0
    """Seconds that calls waited, summed over all calls. A wait counts when it has ended."""

    in_flight: int = 0
    """Requests in flight now, open streams included: at most the client's `concurrency`."""

    waiting: int = 0
    """Calls that wait for the limiter now."""

    def __call__(self) -> "Stats":
        """Return a copy."""
        return evolve(self)
