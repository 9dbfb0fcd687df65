"""Where a pipeline without `vcs` has its branch, tag and commit: in the parameters of its trigger."""

from collections.abc import Mapping
from typing import Any, cast

__all__: list[str] = []  # not public: a rule for this package


def trigger_parameter(parameters: Mapping[str, Any] | None, name: str) -> str | None:
    """Return a text from the trigger parameters of a pipeline, whichever provider's it is; None for an empty one."""
    for of_provider in (parameters or {}).values():
        value = cast(dict[str, object], of_provider).get(name) if isinstance(of_provider, dict) else None
        if isinstance(value, str) and value:
            return value
    return None
