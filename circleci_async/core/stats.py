"""What a client has done so far, in numbers."""

from attrs import define, evolve

__all__ = ["Stats"]


@define
class Stats:
    """Counters of one client, shared by everything made from it with `with_options`.

    `circle.stats` is live; `circle.stats()` is a copy as of now, to compare with a later one.
    """

    requests: int = 0
    """HTTP requests sent, each hop of a redirect counted (what is sent anew after a kept connection died is not)."""

    retries: int = 0
    """Attempts that were made because an earlier one failed."""

    rate_limited: int = 0
    """Answers with status 429."""

    paused: float = 0.0
    """Seconds for which the gate held back every request, because the server asked for it."""

    received: int = 0
    """Bytes of bodies received, decompressed."""

    sent: int = 0
    """Bytes of bodies sent."""

    waits: int = 0
    """How often a call waited: at the gate, or before it was tried again."""

    waited: float = 0.0
    """Seconds that calls waited, added up over all of them; a wait counts when it has ended."""

    in_flight: int = 0
    """Requests that are out now, open streams included: no more than the client's `concurrency`."""

    waiting: int = 0
    """Calls that wait at the gate now."""

    def __call__(self) -> "Stats":
        """Return a copy, which stays as it is."""
        return evolve(self)
