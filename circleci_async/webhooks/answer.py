"""The answer to a delivery."""

from collections.abc import AsyncIterable, Mapping
from typing import Protocol

from attrs import field, frozen

from .signature import Body, Headers

__all__ = ["Answer", "Answering"]


@frozen(kw_only=True)
class Answer:
    """The response to a delivery. CircleCI repeats the delivery later unless the status is 2xx."""

    status: int
    text: str
    """The reason, in one line."""
    headers: Mapping[str, str] = field(factory=dict[str, str], hash=False)


class Answering(Protocol):
    """The interface of a receiver for its servers."""

    async def receive(self, body: Body | AsyncIterable[bytes], headers: Headers) -> Answer:
        """Return the answer to a delivery."""
        ...

    async def __aenter__(self) -> object:
        """Open the receiver."""
        ...

    async def __aexit__(self, *error: object) -> None:
        """Refuse further events, and wait for the accepted ones."""
        ...
