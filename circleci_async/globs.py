"""Globs of names (branches, workflows, jobs) and of paths."""

import re
from fnmatch import fnmatchcase

from .errors import InvalidArgument

_MAGIC = re.compile(r"[*?[]")


def check_glob(name: str, glob: object) -> None:
    """Raise `InvalidArgument` unless the argument `name` is a glob or None."""
    if glob is not None and not (isinstance(glob, str) and glob.strip()):
        raise InvalidArgument(f"{name} must be a name or a glob such as 'test-*', got {glob!r}")


def is_plain(glob: str | None) -> bool:
    """Return whether this is a plain name, without glob characters. False for None."""
    return glob is not None and _MAGIC.search(glob) is None


def matches(glob: str | None, name: str | None) -> bool:
    """Return whether a name matches the glob. None matches every name."""
    return glob is None or (name is not None and fnmatchcase(name, glob))


def matches_path(glob: str | None, path: str) -> bool:
    """Return whether a path matches the glob name by name, where `**` matches any number of names. None matches all.

    A final `**` matches at least one name.
    """
    if glob is None:
        return True
    globs = glob.split("/")
    last = len(globs) - 1
    positions = {0}  # indexes of the globs that the next name can match
    for name in path.split("/"):
        for at in sorted(positions):
            while at < last and globs[at] == "**":  # it matches no name
                at += 1  # noqa: PLW2901
                positions.add(at)
        following: set[int] = set()
        for at in positions:
            if at <= last and globs[at] == "**":
                following |= {at, at + 1} if at == last else {at}
            elif at <= last and fnmatchcase(name, globs[at]):
                following.add(at + 1)
        positions = following
    return last + 1 in positions
