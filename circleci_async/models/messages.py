"""What the API answers when it has nothing to show but that it understood."""

from typing import ClassVar

from attrs import frozen

__all__ = ["Message"]


@frozen(kw_only=True)
class Message:
    """A confirmation, such as "Accepted." for a cancellation; the work goes on in the background."""

    IS_CONFIRMATION: ClassVar[bool] = True
    """An empty body of a 2xx response is one too."""

    message: str = ""
    """Empty if the server confirmed without a word."""
