"""A clock that only tests advance."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Returns a time that only `wait` changes."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 4, 10, 0, 0, 250_000, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
