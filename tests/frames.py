"""What tools that print the local variables of a traceback, such as Sentry and rich, show of this package's frames."""

from collections import deque
from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from typing import Any

from attrs import fields, has

from circleci_async import PartialFailure

DEPTH = 4
"""How deep containers and attrs classes are printed."""


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error with all its causes, contexts and parts."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        error = waiting.pop()
        if error is not None and id(error) not in seen:
            seen.add(id(error))
            yield error
            waiting += [error.__cause__, error.__context__]
            if isinstance(error, BaseExceptionGroup):
                waiting += error.exceptions
            if isinstance(error, PartialFailure):
                waiting += error.failed.values()


def shown(error: BaseException) -> Iterator[tuple[str, str]]:
    """Yield where and what: the texts of an error, and the local variables of each frame of this package."""
    for one in chain(error):
        kind = type(one).__name__
        yield kind, f"{one} {one!r} {one.args!r} {vars(one)!r}"
        for note in getattr(one, "__notes__", ()):
            yield kind, note
        traceback = one.__traceback__
        while traceback is not None:
            frame = traceback.tb_frame
            module = str(frame.f_globals.get("__name__"))
            if module.startswith("circleci_async.") and not module.startswith("circleci_async.testing"):
                for name, value in frame.f_locals.items():
                    for text in printed(value):
                        yield f"{kind}: {module}.{frame.f_code.co_name}: {name}", text
            traceback = traceback.tb_next


def printed(value: Any, depth: int = DEPTH) -> Iterator[str]:
    """Yield the repr of a value, and of what it contains."""
    with suppress(AttributeError):  # an object whose creation failed
        yield repr(value)
    if depth == 0:
        return
    if isinstance(value, Mapping):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | Set | deque):
        parts = [*value]
    elif has(type(value)):
        parts = [getattr(value, each.name, None) for each in fields(type(value)) if each.repr]
    elif is_dataclass(value):
        parts = [getattr(value, each.name, None) for each in dataclass_fields(value) if each.repr]
    else:
        parts = []
    for part in parts:
        yield from printed(part, depth - 1)


def exposed(error: BaseException, *secrets: str) -> list[str]:
    """Return where an error and the frames of this package show one of the secrets."""
    return sorted({where for where, text in shown(error) for secret in secrets if secret in text})
