"""What the API answers when it has nothing to show but that it understood."""

from attrs import frozen

__all__ = ["Message"]


@frozen(kw_only=True)
class Message:
    """A confirmation, such as "Accepted." for a cancellation; the work goes on in the background."""

    message: str = ""
    """Empty if the server confirmed without a word."""
