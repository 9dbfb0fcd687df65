"""Globs of names (branches, workflows, jobs) and of paths."""

import re
from fnmatch import translate
from functools import lru_cache

from .errors import InvalidArgument

_MAGIC = re.compile(r"[*?[]")
_ANY_FOLDERS = re.compile(r"(?<![^/])\*\*/|/\*\*\Z|\A\*\*\Z")


def check_glob(name: str, glob: object) -> None:
    """Raise `InvalidArgument` unless the argument `name` is a glob or None."""
    if glob is not None and not (isinstance(glob, str) and glob.strip()):
        raise InvalidArgument(f"{name} must be a name or a glob such as 'test-*', got {glob!r}")


def is_plain(glob: str | None) -> bool:
    """Return whether this is a plain name, without glob characters. False for None."""
    return glob is not None and _MAGIC.search(glob) is None


def matches(glob: str | None, name: str | None) -> bool:
    """Return whether a name matches the glob. None matches every name."""
    return glob is None or (name is not None and _name_pattern(glob).match(name) is not None)


def matches_path(glob: str | None, path: str) -> bool:
    """Return whether a path matches the glob. None matches every path."""
    return glob is None or _path_pattern(glob).fullmatch(path) is not None


@lru_cache(maxsize=64)
def _name_pattern(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob))


@lru_cache(maxsize=64)
def _path_pattern(glob: str) -> re.Pattern[str]:
    """Translate a glob of paths: `**` matches across folders, `*`, `?` and `[...]` within a name.

    What follows a `**/` or a `*` is matched at its first occurrence, without backtracking, so that matching takes
    linear time: builds choose the paths.
    """
    parts: list[str] = []
    begin = 0
    anywhere = ""
    for match in _ANY_FOLDERS.finditer(glob):
        part = anywhere + _translate_within_names(glob[begin : match.start()])
        begin = match.end()
        if match[0] == "**/":
            parts.append(f"(?>{part})")
            anywhere = "(?:[^/]*+/)*?"
        else:
            parts.append(part + match[0].replace("**", ".*"))
            anywhere = ""
    return re.compile("".join(parts) + anywhere + _translate_within_names(glob[begin:]), re.DOTALL)


def _translate_within_names(glob: str) -> str:
    pattern = ""
    fixed = [""]  # the parts of a name between its stars
    index = 0
    while index < len(glob):
        letter = glob[index]
        index += 1
        if letter == "*":
            fixed.append("")
        elif letter == "/":
            pattern += f"{_translate_name(fixed)}/"
            fixed = [""]
        elif letter == "?":
            fixed[-1] += "[^/]"
        elif letter == "[" and (end := glob.find("]", index + 1 + (glob[index : index + 1] == "!"))) > 0:
            fixed[-1] += "(?!/)" + translate(glob[index - 1 : end + 1])[len("(?s:") : -len(r")\Z")]
            index = end + 1
        else:
            fixed[-1] += re.escape(letter)
    return pattern + _translate_name(fixed)


def _translate_name(fixed: list[str]) -> str:
    first, *others = fixed
    if not others:
        return first
    *middle, last = others
    return f"{first}{''.join(f'(?>[^/]*?{part})' for part in middle if part)}[^/]*{last}"
