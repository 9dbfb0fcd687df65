"""The `User-Agent` header."""

from typing import Any, Final

from ..errors import InvalidArgument

VERSION: Final = "0.1.0"
"""The version of this package."""

USER_AGENT = f"circleci-async/{VERSION}"


def user_agent_header(user_agent: Any, *, is_set: bool) -> dict[str, str]:
    """Return the header for a client whose aiohttp session sets it already (`is_set`), which is then kept.

    `user_agent` is put before the package's own, in any case. Raises `InvalidArgument`.
    """
    if user_agent is None:
        return {} if is_set else {"User-Agent": USER_AGENT}
    if not isinstance(user_agent, str) or not (
        user_agent.isascii() and user_agent.isprintable() and user_agent.strip()
    ):
        raise InvalidArgument(f"user_agent must be printable ASCII text such as 'my-bot/1.2', got {user_agent!r}")
    return {"User-Agent": f"{user_agent.strip()} {USER_AGENT}"}
