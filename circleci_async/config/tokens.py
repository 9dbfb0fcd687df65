"""Tokens: their type, and the check that a header can carry one."""

import inspect
import re
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from ..errors import ConfigurationError
from .redacted import Redacted, reveal

__all__ = ["Token"]

Token: TypeAlias = str | Callable[[], str | Awaitable[str | None] | None]
"""A token, or a function (plain or async) without arguments that returns one and is called before each request."""

_TOKEN = re.compile(r"[!-~]+")


def clean_token(text: str | Redacted[str | None] | None, source: str) -> str | None:
    """Return the token without surrounding white space, or None if it is blank.

    Raises `ConfigurationError`, which names `source` and never shows the token, if no header can carry it.
    """
    token = (reveal(text) or "").strip()
    if not token:
        return None
    if _TOKEN.fullmatch(token):
        return token
    del text, token  # a traceback that prints local variables must not print them
    raise ConfigurationError(
        f"the token from {source} is invalid: it contains white space, control or non-ASCII characters"
    )


async def call_token(token: Callable[[], str | Awaitable[str | None] | None]) -> str | None:
    """Call a token function and return its token. Raises `ConfigurationError` for an invalid one."""
    given = token()
    if inspect.isawaitable(given):
        given = await given
    try:
        return clean_token(given, "the token function")
    except ConfigurationError as caught:
        error = caught.with_traceback(None)
    except (AttributeError, TypeError):
        error = ConfigurationError("the token function must return a string, or None for no token")
    finally:
        del given  # a traceback that prints local variables must not print the value
    raise error
