"""The base of every vocabulary of the API: known words are members, and unknown ones survive."""

from enum import StrEnum
from typing import Self

__all__ = ["OpenEnum"]


class OpenEnum(StrEnum):
    """A string enumeration that accepts words it does not know, since the API adds words without notice.

    `WorkflowStatus("never")` is an instance of `WorkflowStatus`, equals the string `"never"` and keeps it as its value.
    It is made afresh on each call and never listed among the members, so compare with `==`, not with `is`.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        word = str.__new__(cls, value)
        word._name_ = word._value_ = str(value)
        return word

    @property
    def is_known(self) -> bool:
        """Whether this version of the package lists the word."""
        return type(self).__members__.get(self._name_) is self
