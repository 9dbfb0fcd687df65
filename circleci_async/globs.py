"""Globs of names (branches, workflows, jobs) and of paths."""

import re
from fnmatch import translate
from functools import lru_cache

from .errors import InvalidArgument

_MAGIC = re.compile(r"[*?[]")
_ANY_FOLDERS = re.compile(r"(?<![^/])\*\*/|/\*\*\Z|\A\*\*\Z")


def check_glob(name: str, glob: object) -> None:
    """Raise `InvalidArgument` if the argument `name` is no glob, nor None."""
    if glob is not None and not (isinstance(glob, str) and glob.strip()):
        raise InvalidArgument(f"{name}={glob!r}: give a name, or a glob such as 'test-*'")


def is_plain(glob: str | None) -> bool:
    """Say whether this is a name and no glob: the API can look for that. None is neither."""
    return glob is not None and _MAGIC.search(glob) is None


def matches(glob: str | None, name: str | None) -> bool:
    """Say whether a name is one that the glob asks for; None asks for all."""
    return glob is None or (name is not None and _name_pattern(glob).match(name) is not None)


def matches_path(glob: str | None, path: str) -> bool:
    """Say whether a path is one that the glob asks for; None asks for all."""
    return glob is None or _path_pattern(glob).fullmatch(path) is not None


@lru_cache(maxsize=64)
def _name_pattern(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob))


@lru_cache(maxsize=64)
def _path_pattern(glob: str) -> re.Pattern[str]:
    """Translate piece by piece: `**/` into any folders, and of a name's own pattern `.` into all but a slash."""
    pattern = ""
    begin = 0
    for found in _ANY_FOLDERS.finditer(glob):
        pattern += _within_names(glob[begin : found.start()])
        pattern += "(?:.*/)?" if found[0] == "**/" else "/.*" if found[0] == "/**" else ".*"
        begin = found.end()
    return re.compile(pattern + _within_names(glob[begin:]), re.DOTALL)


def _within_names(glob: str) -> str:
    pattern = ""
    place = 0
    while place < len(glob):
        letter = glob[place]
        place += 1
        if letter == "*":
            pattern += "[^/]*"
        elif letter == "?":
            pattern += "[^/]"
        elif letter == "[" and (end := glob.find("]", place + 1 + (glob[place : place + 1] == "!"))) > 0:
            pattern += "(?!/)" + translate(glob[place - 1 : end + 1])[len("(?s:") : -len(r")\Z")]
            place = end + 1
        else:
            pattern += re.escape(letter)
    return pattern
