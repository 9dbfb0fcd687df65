"""Arguments and options that several commands declare."""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from ..core.arguments import local_path
from ..core.when import parse_length, parse_when
from ..errors import InvalidArgument

T = TypeVar("T")


def argument(metavar: str, text: str, **more: Any) -> Any:
    """Return a typer argument; `text` is its help."""
    return typer.Argument(metavar=metavar, help=text, show_default=False, **more)


def option(text: str, *names: str, metavar: str | None = None, **more: Any) -> Any:
    """Return a typer option; `text` is its help. Without `names` it is called like the parameter."""
    return typer.Option(*names, metavar=metavar, help=text, show_default=more.pop("show_default", False), **more)


def words_option(text: str, *words: str) -> Any:
    """Return the option that takes one of a few words."""

    def parse(given: str) -> str:  # not a Literal, which typer accepts only since 0.19
        if given not in words:
            raise typer.BadParameter(f"expected {' or '.join(map(repr, words))}, got {given!r}")
        return given

    return typer.Option(parser=parse, metavar=" | ".join(words), help=text)


def parse_path(text: str | os.PathLike[str]) -> Path:
    """Return the path that an argument or an option names; refuse an address as a usage error."""
    return _parsed(local_path, text)


def parse_destination(text: str | os.PathLike[str]) -> str:
    """Return a folder, or the URL of a bucket; refuse others as a usage error."""
    from ..harvest.destination.place import folder_or_url

    return str(_parsed(folder_or_url, text))


def _parsed(parse: Callable[[str, str | os.PathLike[str]], T], text: str | os.PathLike[str]) -> T:
    try:
        return parse("path", text)
    except InvalidArgument as error:
        problem = str(error).partition(" ")[2]  # typer names the option
    raise typer.BadParameter(problem)


def parse_time(name: str, text: str | None) -> datetime | timedelta | None:
    """Return the point in time that the option `name` gives, or how long ago it is; None for None."""
    try:
        return parse_when(name, text)
    except InvalidArgument:
        raise InvalidArgument(
            f"{name} must be a time such as 7d, 12h, 2026-11-24 or 2026-11-24T10:00:00Z, got {text!r}"
        ) from None


def check_length(name: str, text: str) -> str:
    """Return `text` if it is a length of time; otherwise raise an error that names the option."""
    try:
        parse_length(name, text)
    except InvalidArgument:
        raise InvalidArgument(f"{name} must be a length of time such as 90d, 2w or 12h, got {text!r}") from None
    return text


Project = Annotated[
    str,
    argument(
        "PROJECT", "Project: gh/acme/api, circleci/<organization>/<project>, or the URL of its repository or page."
    ),
]
Projects = Annotated[
    list[str], argument("PROJECT", "Projects, such as gh/acme/api, or organizations, such as gh/acme.")
]
JobUrlOrProject = Annotated[str, argument("URL | PROJECT", "Page URL of a job, or a project.")]
OptionalNumber = Annotated[int | None, argument("NUMBER", "With PROJECT: the number.", min=1)]
Interval = Annotated[
    str | None,
    option(
        "Seconds between polls: the shortest, and the longest while nothing changes. One number sets both.",
        metavar="FIRST,LONGEST",
    ),
]


def concurrency_option(text: str) -> Any:
    """Return the option that limits how much is done at once."""
    return typer.Option(min=1, max=32, metavar="N", help=text)


def polling(interval: str | None) -> dict[str, tuple[float, float]]:
    """Return the keyword argument `interval` that `--interval` stands for, or none if it is not given."""
    if interval is None:
        return {}
    try:
        first, longest = (float(number) for number in (interval.split(",") * 2)[:2])
    except ValueError:
        first = longest = 0.0
    if interval.count(",") > 1 or not 0 < first <= longest < float("inf"):
        raise InvalidArgument(
            f"--interval must be seconds, or two numbers of seconds in ascending order such as 2,30, got {interval!r}"
        )
    return {"interval": (first, longest)}
