"""The patterns of secrets: the default ones, and those of the caller."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast

from ...errors import InvalidArgument

__all__ = ["DEFAULT_SCRUB_PATTERNS", "Scrub"]

Scrub: TypeAlias = Iterable[str | re.Pattern[str]] | Literal[False] | None
"""Patterns besides the default ones, None for those only, or False to replace nothing."""

_SEPARATOR = r"""["'\\]{0,4}\s{0,10}[:=]\s{0,10}["'\\]{0,4}"""
_KEY_SPACE = r"(?:\s|\\[nr])"

DEFAULT_SCRUB_PATTERNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "circleci-token": r"CCI(?:PAT|PRJ)_[A-Za-z0-9_]{16,}",
        "circleci-token-header": rf"(?i:circle-token){_SEPARATOR}(?P<secret>[A-Za-z0-9_]{{16,}})",
        "github-token": r"(?:gh[oprsu]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
        "gitlab-token": r"glpat-[A-Za-z0-9_-]{16,}",
        "aws-access-key-id": r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])",
        "aws-secret-access-key": rf"(?i:aws_?secret_?(?:access_?)?key){_SEPARATOR}(?P<secret>[A-Za-z0-9/+=]{{16,}})",
        "slack-token": r"xox[a-z]-[A-Za-z0-9-]{10,}",
        "google-api-key": r"AIza[A-Za-z0-9_-]{35}",
        "npm-token": r"npm_[A-Za-z0-9]{36,}",
        "pypi-token": r"pypi-AgEI[A-Za-z0-9_-]{16,}",
        "stripe-key": r"[rs]k_live_[A-Za-z0-9]{16,}",
        "jwt": r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt]))eyJ[A-Za-z0-9_-]{5,}+\.[A-Za-z0-9_-]{5,}+\.[A-Za-z0-9_-]{5,}+",
        "private-key": (
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
            rf"{_KEY_SPACE}*+(?:[A-Za-z-]{{1,20}}: [^\n\r\\]{{1,100}}{_KEY_SPACE}++)*+"
            rf"(?:[A-Za-z0-9+/=]{{16,}}+{_KEY_SPACE}*+)++"
            rf"(?:[A-Za-z0-9+/=]*+{_KEY_SPACE}*+-----END [A-Z0-9 ]{{0,40}}PRIVATE KEY(?: BLOCK)?-----)?+"
        ),
        "authorization-header": (
            rf"(?i:authorization){_SEPARATOR}(?i:bearer|basic|token)\s{{1,10}}(?P<secret>[^\s\"'\\,;]{{4,}})"
        ),
        "url-password": r"://[^\s/?#@:\"'<>]{0,256}:(?P<secret>[^\s/?#\"'<>]{1,1024})@",
    }
)
"""The regular expressions that find secrets in harvested logs, tests and builds, by their names.

Of a match, the group `secret` is replaced, or all of it if there is none.
"""

_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "circleci-token": ("CCIPAT_", "CCIPRJ_"),
    "circleci-token-header": ("circle-token",),
    "github-token": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    "gitlab-token": ("glpat-",),
    "aws-access-key-id": ("AKIA", "ASIA"),
    "aws-secret-access-key": ("aws",),
    "slack-token": ("xox",),
    "google-api-key": ("AIza",),
    "npm-token": ("npm_",),
    "pypi-token": ("pypi-AgEI",),
    "stripe-key": ("k_live_",),
    "jwt": ("eyJ",),
    "private-key": ("-----BEGIN ",),
    "authorization-header": ("authorization",),
    "url-password": ("://",),
}
"""Words of which each match contains one: text without them is not searched. Lower case ones in any case."""


class Pattern(NamedTuple):
    """A regular expression and its name. Can be sent to another process."""

    name: str
    regex: str
    flags: int = 0
    words: tuple[str, ...] = ()

    def compile(self) -> re.Pattern[str]:
        """Return the compiled expression."""
        return re.compile(self.regex, self.flags)


DEFAULTS: Final = tuple(Pattern(name, regex, 0, _WORDS[name]) for name, regex in DEFAULT_SCRUB_PATTERNS.items())


def parse_scrub(scrub: Scrub) -> tuple[Pattern, ...]:
    """Return the patterns to replace. Raises `InvalidArgument`."""
    given: Any = scrub
    if given is None:
        return DEFAULTS
    if given is False:
        return ()
    if isinstance(given, str | bytes | re.Pattern | Mapping) or not isinstance(given, Iterable):
        raise InvalidArgument(
            f"scrub must be a list of regular expressions, None for the default ones, or False, got {given!r}"
        )
    return (*DEFAULTS, *map(_parse, cast("Iterable[object]", given)))


def _parse(given: Any) -> Pattern:
    text: object = cast("re.Pattern[str]", given).pattern if isinstance(given, re.Pattern) else given
    if not isinstance(text, str):
        raise InvalidArgument(f"scrub must contain regular expressions for text, got {given!r}")
    pattern = Pattern(text, text, 0 if given is text else given.flags)
    try:
        matches_nothing = pattern.compile().search("") is not None
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidArgument(f"scrub must contain valid regular expressions, got {given!r}: {error}") from None
    if matches_nothing:
        raise InvalidArgument(f"scrub must not contain an expression that matches empty text, got {given!r}")
    return pattern
