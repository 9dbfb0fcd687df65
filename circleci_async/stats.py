"""What a client has done so far, in numbers."""

from attrs import define


@define
class Stats:
    """Live counters of one client, shared by everything made from it with `with_options`."""

    requests: int = 0
    """HTTP requests sent, each hop of a redirect counted (what is sent anew after a kept connection died is not)."""

    retries: int = 0
    """Attempts that were made because an earlier one failed."""

    rate_limited: int = 0
    """Answers with status 429."""

    held: float = 0.0
    """Seconds for which the gate held back every request, because the server asked for it."""

    received: int = 0
    """Bytes of bodies received, decompressed."""
