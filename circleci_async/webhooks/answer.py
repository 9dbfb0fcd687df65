"""What a delivery is answered, and what gives the answer."""

from collections.abc import AsyncIterable, Mapping
from typing import Protocol

from attrs import field, frozen

from .signature import Body, Headers

__all__ = ["Answer", "Answering"]


@frozen(kw_only=True)
class Answer:
    """What is to be answered to a delivery. Any status but a 2xx makes CircleCI deliver again later."""

    status: int
    text: str
    """One line that says why."""
    headers: Mapping[str, str] = field(factory=dict[str, str], hash=False)


class Answering(Protocol):
    """A receiver, as those see it who serve it."""

    async def receive(self, body: Body | AsyncIterable[bytes], headers: Headers) -> Answer:
        """Return what to answer to a delivery."""
        ...

    async def __aenter__(self) -> object:
        """Open it."""
        ...

    async def __aexit__(self, *error: object) -> None:
        """Accept nothing more, and work off what was accepted."""
        ...
