"""Keep secrets out of tracebacks that print local variables, as those of Sentry and rich, and out of pickles.

A secret is held by a `Redacted`, or by an attribute of an object without a repr; no local variable holds it where an
error can be raised.
"""

from typing import Generic, NoReturn, TypeVar, cast

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class NotPicklable:
    """Base of objects that hold a secret: pickling and copying them raises `TypeError`."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} cannot be pickled or copied, since it contains a secret: create another one where"
            " it is needed"
        )


class Redacted(NotPicklable, Generic[T_co]):
    """A value whose repr does not show it."""

    __slots__ = ("_value",)

    def __init__(self, value: T_co) -> None:
        self._value = value

    def reveal(self) -> T_co:
        """Return the value. Use it within an expression only: a variable would show it."""
        return self._value

    def __repr__(self) -> str:
        return "Redacted()"


def redacted(value: T | Redacted[T]) -> Redacted[T]:
    """Return a value redacted, also one that is already."""
    return cast("Redacted[T]", value if isinstance(value, Redacted) else Redacted(value))


def reveal(value: T | Redacted[T]) -> T:
    """Return the value itself, whether it is redacted or not."""
    return cast("T", value.reveal() if isinstance(value, Redacted) else value)
