"""Detect bodies that arrive more slowly than a minimum speed."""

import math

WINDOW = 30.0
"""Seconds of waiting for the network over which the speed is measured."""


class SpeedMeter:
    """Measures the speed of one response over each `WINDOW` of waiting for it. Pauses of the reader do not count.

    `min_speed` is in bytes per second; None: any speed is enough.
    """

    def __init__(self, min_speed: float | None) -> None:
        self.min_speed: float = min_speed or 0.0
        self.received: int = 0
        """Bytes within the current window."""
        self.waited: float = 0.0
        """Seconds within the current window."""

    def restart(self) -> None:
        """Begin a window."""
        self.received, self.waited = 0, 0.0

    def add(self, received: int, waited: float) -> None:
        """Add the bytes that one read returned, and the seconds for which it waited."""
        self.received += received
        self.waited += waited
        if self.waited >= WINDOW and self.received >= self.min_speed * self.waited:
            self.restart()

    @property
    def bytes_per_second(self) -> float:
        """The speed within the current window; infinity if nothing had to be waited for."""
        return self.received / self.waited if self.waited else math.inf

    @property
    def is_too_slow(self) -> bool:
        """Whether the last window was slower than `min_speed`."""
        return self.waited >= WINDOW
