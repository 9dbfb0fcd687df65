"""What all records of a world share: clock, ids, users, and the methods that report new and changed records."""

import string
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, overload
from uuid import UUID

from attrs import define

Json = dict[str, Any]
"""A JSON object."""


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Return the seconds from start to end, or None before the end."""
    return None if start is None or end is None else (end - start).total_seconds()


@overload
def timestamp(at: datetime) -> str: ...
@overload
def timestamp(at: datetime | None) -> str | None: ...
def timestamp(at: datetime | None) -> str | None:
    """Format a time with milliseconds."""
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@define(eq=False)
class User:
    """A user of CircleCI."""

    id: str
    login: str
    name: str | None

    @property
    def avatar_url(self) -> str:
        """URL of the user's picture."""
        return f"https://avatars.githubusercontent.com/{self.login}"


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


class Registry(ABC):
    """The part of a `World` that its records depend on.

    Records hold a reference to this class instead of `World`, so that `World` can import every record class.
    """

    def __init__(self, *, seed: int, clock: Callable[[], datetime]) -> None:
        self.random: Random = Random(seed)
        self.clock = clock
        self.users: dict[str, User] = {}
        self.listeners: list[Callable[[], None]] = []
        """Called when a webhook delivery may be due, now or later; empty while no server runs."""
        self.me: User = self.user("octo-dev", name="Octo Dev")
        """The user whom the token belongs to."""
        self.insights_retention: timedelta | None = None
        """Age at which insights drop a run; None keeps all runs. CircleCI keeps them for 90 days."""

    @abstractmethod
    def add(self, record: object) -> None:
        """Index a record: when it is created, and again when a job receives its number."""

    @abstractmethod
    def changed(self, record: object, status: str) -> None:
        """Report that the status of a record is about to change to `status`."""

    def notify(self) -> None:
        """Notify the running servers that a webhook delivery may be due."""
        for listener in self.listeners:
            listener()

    def user(self, login: str, *, name: str | None = None) -> User:
        """Create a user."""
        user = User(self.new_id(), login, name)
        self.users[user.id] = user
        return user

    def new_id(self) -> str:
        """Return the next id of the seed's sequence."""
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def new_opaque(self) -> str:
        """Return an id in the form used by the slugs of `circleci/...` organizations and projects."""
        return "".join(self.random.choices(string.ascii_letters + string.digits, k=22))

    def new_revision(self) -> str:
        """Return a commit SHA."""
        return f"{self.random.getrandbits(160):040x}"
