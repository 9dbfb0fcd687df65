"""Confirmations without further data."""

from typing import ClassVar

from attrs import frozen

__all__ = ["Message"]


@frozen(kw_only=True)
class Message:
    """A confirmation, such as "Accepted." for a cancellation. The work itself can be asynchronous."""

    _IS_CONFIRMATION: ClassVar[bool] = True
    """Whether an empty body of a 2xx response is decoded as this class."""

    message: str = ""
    """Empty if the response has no message."""
