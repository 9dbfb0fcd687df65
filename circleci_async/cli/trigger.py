"""`trigger`: trigger a pipeline, and optionally wait until it is finished."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Literal

from ..errors import InvalidArgument
from . import watch
from .arguments import Interval, Project, option, polling, words_option
from .build_view import ResultView, view_of
from .output import Output
from .watch import Grace, OnHold, Within

if TYPE_CHECKING:
    from .. import CircleCI

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,99})")
_WORDS = {"true": True, "false": False}


async def trigger(
    circle: "CircleCI",
    out: Output,
    slug: Project,
    branch: Annotated[str | None, option("Branch to build; by default the default branch.", metavar="BRANCH")] = None,
    tag: Annotated[str | None, option("Tag to build.", metavar="TAG")] = None,
    parameter: Annotated[
        list[str] | None,
        option(
            "Pipeline parameter; true, false and integers are sent typed, anything else as a string. Repeatable.",
            "--parameter",
            "-p",
            metavar="KEY=VALUE",
        ),
    ] = None,
    string: Annotated[
        list[str] | None,
        option("Pipeline parameter, always sent as a string. Repeatable.", "--string", "-s", metavar="KEY=VALUE"),
    ] = None,
    if_lost: Annotated[
        Literal["raise", "find"],
        words_option("If the response is lost: fail, or find the pipeline that was triggered.", "raise", "find"),
    ] = "raise",
    wait: Annotated[bool, option("Show the pipeline until it is finished.", "--wait", "-w", "--follow", "-f")] = False,
    on_hold: OnHold = "return",
    interval: Interval = None,
    within: Within = None,
    grace: Grace = 30.0,
) -> int | None:
    """Trigger a pipeline.

    Exit codes with --wait: 0 success, 1 any other result, 3 on hold for an approval, 4 not finished within the timeout.
    """
    polls = polling(interval)
    created = await circle.pipelines.trigger(
        slug,
        branch=branch,
        tag=tag,
        parameters=parameters(parameter or [], string or []) or None,
        if_lost=if_lost,
    )
    if not wait:
        out.record(created, [("Number", created.number), ("State", created.state), ("Id", created.id)])
        return None
    title = watch.title_of(created.number, slug)
    with ResultView(out, title) if out.is_json else view_of(out, title) as view:
        return await watch.show(
            out, view, circle.pipelines, created.id, timeout=within, on_hold=on_hold, grace=grace, **polls
        )


def parameters(typed: Iterable[str], strings: Iterable[str]) -> dict[str, str | int | bool]:
    """Parse `key=value` pairs; in `typed`, `true`, `false` and integers become values of their type."""
    parsed: dict[str, str | int | bool] = {}
    for pair, is_string in [*((pair, False) for pair in typed), *((pair, True) for pair in strings)]:
        key, equals, text = pair.partition("=")
        if not key or not equals:
            raise InvalidArgument(f"a parameter must be KEY=VALUE, got {pair!r}")
        if key in parsed:
            raise InvalidArgument(f"parameter {key!r} is given twice")
        parsed[key] = text if is_string else _value(text)
    return parsed


def _value(text: str) -> str | int | bool:
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _INTEGER.fullmatch(text) else text
