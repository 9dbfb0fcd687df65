"""`trigger`: set a pipeline going, and wait for its end if asked."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InvalidArgument
from . import watch
from .account import Slug
from .build_view import ResultView, view_of
from .output import Output
from .watch import Every, Grace, OnHold, Within

if TYPE_CHECKING:
    from ..client import CircleCI

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_WORDS = {"true": True, "false": False}


async def trigger(
    circle: "CircleCI",
    out: Output,
    slug: Slug,
    branch: Annotated[
        str | None, typer.Option(help="Of this branch; the default branch unless given.", show_default=False)
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Of this tag.", show_default=False)] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter",
            "-p",
            metavar="KEY=VALUE",
            help="A pipeline parameter. true, false and whole numbers are sent as such, all else as text. Repeatable.",
            show_default=False,
        ),
    ] = None,
    string: Annotated[
        list[str] | None,
        typer.Option(
            "--string",
            "-s",
            metavar="KEY=VALUE",
            help="A pipeline parameter that is sent as text, whatever it looks like. Repeatable.",
            show_default=False,
        ),
    ] = None,
    wait: Annotated[
        bool,
        typer.Option("--wait", "-w", "--follow", "-f", help="Show it until it has ended.", show_default=False),
    ] = False,
    on_hold: OnHold = "return",
    every: Every = None,
    within: Within = None,
    grace: Grace = 30.0,
) -> int | None:
    """Set a pipeline going.

    With --wait the exit code tells how it ended: 0 success, 1 otherwise, 3 it waits for an approval, 4 it has not ended
    in time.
    """
    created = await circle.pipelines.trigger(
        slug, branch=branch, tag=tag, parameters=parameters(parameter or [], string or []) or None
    )
    if not wait:
        out.record(created, [("Number", created.number), ("State", created.state), ("Id", created.id)])
        return None
    title = watch.title_of(created.number, slug)
    with ResultView(out, title) if out.is_json else view_of(out, title) as view:
        return await watch.show(
            circle, out, view, "pipeline", created.id, on_hold=on_hold, every=every, within=within, grace=grace
        )


def parameters(typed: Iterable[str], strings: Iterable[str]) -> dict[str, str | int | bool]:
    """Read `key=value` pairs: of `typed`, `true`, `false` and whole numbers are what they look like."""
    found: dict[str, str | int | bool] = {}
    for pair, is_text in [*((pair, False) for pair in typed), *((pair, True) for pair in strings)]:
        key, equals, text = pair.partition("=")
        if not key or not equals:
            raise InvalidArgument(f"{pair!r}: give key=value")
        if key in found:
            raise InvalidArgument(f"{key!r} is given twice")
        found[key] = text if is_text else _value(text)
    return found


def _value(text: str) -> str | int | bool:
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _INTEGER.fullmatch(text) else text
