"""The base class of all enums of the API, which accepts unknown values."""

from enum import StrEnum
from typing import Self

__all__ = ["OpenEnum"]


class OpenEnum(StrEnum):
    """A string enum that accepts unknown values, because the API adds values without notice.

    `WorkflowStatus("new")` is an instance of `WorkflowStatus` and equals the string `"new"`. Each call returns a new
    object that is not a member of the enum, so compare with `==`, not with `is`.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_ = unknown._value_ = str(value)
        return unknown

    @property
    def is_known(self) -> bool:
        """Whether the value is a member of the enum."""
        return type(self).__members__.get(self._name_) is self
