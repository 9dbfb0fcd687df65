"""The kinds of files that a harvest takes of each job."""

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias, cast, get_args

from ..core.arguments import check_words
from ..errors import InvalidArgument

HarvestKind: TypeAlias = Literal["artifacts", "logs", "tests", "builds"]
"""What `harvest` takes of each job."""

KINDS: tuple[HarvestKind, ...] = get_args(HarvestKind)
"""In the order in which the files of a job get their paths."""


def parse_kinds(name: str, given: str | Iterable[str]) -> tuple[HarvestKind, ...]:
    """Return the kinds without duplicates, in the order of `KINDS`. Raises `InvalidArgument`."""
    what: Any = given
    words: list[object] = [what]
    if isinstance(what, Iterable) and not isinstance(what, str):
        words = list(cast("Iterable[object]", what))
    if not words:
        raise InvalidArgument(f"{name} must contain at least one of {', '.join(map(repr, KINDS))}, got {what!r}")
    check_words(name, words, KINDS)
    return tuple(kind for kind in KINDS if kind in words)


def file_kind(kind: str) -> str:
    """Return the kind of a file in failures: `artifact`, `log`, `test` or `build`."""
    return kind.removesuffix("s")
