"""Where a pipeline without `vcs` has its branch, tag and commit: in the parameters of its trigger."""

from collections.abc import Mapping
from typing import Any, Protocol, cast

__all__: list[str] = []  # not public: a rule for this package


def trigger_parameter(parameters: Mapping[str, Any] | None, name: str) -> str | None:
    """Return a text from the trigger parameters of a pipeline, whichever provider's it is; None for an empty one."""
    for of_provider in (parameters or {}).values():
        value = cast(dict[str, object], of_provider).get(name) if isinstance(of_provider, dict) else None
        if isinstance(value, str) and value:
            return value
    return None


class Vcs(Protocol):
    """The revision of a pipeline, as the API describes it."""

    @property
    def branch(self) -> str | None: ...
    @property
    def tag(self) -> str | None: ...
    @property
    def revision(self) -> str | None: ...


class _Revised(Protocol):
    @property
    def vcs(self) -> Vcs | None: ...
    @property
    def trigger_parameters(self) -> Mapping[str, Any] | None: ...


class WithRevision:
    """A pipeline that has its revision in `vcs`, or without it in `trigger_parameters`."""

    __slots__ = ()

    @property
    def branch(self: _Revised) -> str | None:
        """The branch, from `vcs` or `trigger_parameters`."""
        return self.vcs.branch if self.vcs else trigger_parameter(self.trigger_parameters, "branch")

    @property
    def tag(self: _Revised) -> str | None:
        """The tag, from `vcs` or `trigger_parameters`."""
        return self.vcs.tag if self.vcs else trigger_parameter(self.trigger_parameters, "tag")

    @property
    def revision(self: _Revised) -> str | None:
        """The commit hash, from `vcs` or `trigger_parameters`."""
        return self.vcs.revision if self.vcs else trigger_parameter(self.trigger_parameters, "checkout_sha")
