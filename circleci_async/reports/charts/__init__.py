"""The charts of a report as static SVG: the only modules that import altair and vl-convert.

Colors are CSS variables of the page, so that its style sheet decides about light and dark. No meaning is in a color
alone: lines differ in dashes and shapes, marks in stripes and shapes.
"""

from collections.abc import Callable
from typing import Any, Final

from attrs import frozen

from ...config.extras import is_installed
from ...errors import ConfigurationError
from ...untrusted_text import shown
from ..answer import InsightsAnswer
from ..svg import finished
from ..wording import BRANCHES
from .bars import MAX_BARS, credits, flaky_tests, jobs
from .over_time import failures, waits
from .parts import FONT_SIZE, NARROW, WIDE, Rows
from .usage import MAX_CLASSES, MAX_POINTS, of_classes, queue, queue_unit, sizing, with_use

_MAX_NAME: Final = 200
"""Characters of a name in a chart."""
MAX_TEXT: Final = 2_000
"""Characters of the text of an answer."""
_STYLE: Final = {
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "labelFontSize": FONT_SIZE,
        "labelPadding": 6,
        "titleColor": "var(--muted)",
        "titleFontSize": FONT_SIZE,
        "titleFontWeight": "normal",
        "gridColor": "var(--line)",
        "domainColor": "var(--axis)",
        "tickColor": "var(--axis)",
        "tickSize": 4,
    },
    "title": {
        "color": "var(--muted)",
        "fontSize": FONT_SIZE,
        "fontWeight": "normal",
        "anchor": "start",
        "frame": "group",
        "offset": 8,
    },
    "concat": {"spacing": 24},
}
"""The configuration of Vega-Lite."""


@frozen
class Drawing:
    """The chart of an answer, at two widths, and what its marks mean."""

    wide: str
    narrow: str
    legend: tuple[tuple[str, str], ...]
    """The style of a mark, and its meaning."""


def check_installed() -> None:
    """Raise a `ConfigurationError` if the extra `report` is missing. Does not import it."""
    if not are_installed():
        raise ConfigurationError(
            "the page of a report needs the extra 'report': install it with `pip install 'circleci-async[report]'`"
        )


def are_installed() -> bool:
    """Return whether charts can be drawn."""
    return is_installed("altair") and is_installed("vl_convert")


def draw(answer: InsightsAnswer) -> Drawing | None:
    """Return the chart of an answer; None without rows, and for an answer that is a table."""
    if not answer.rows or answer.key not in _CHARTS:
        return None
    make, legend = _CHARTS[answer.key]
    rows = [
        {name: shown(value, _MAX_NAME) if isinstance(value, str) else value for name, value in row.items()}
        for row in answer.rows
    ]
    wide, narrow = (make(rows, width) for width in (WIDE, NARROW))
    if wide is None:
        return None
    label = shown(answer.text, MAX_TEXT)
    return Drawing(
        wide=_svg(wide, f"{answer.key}-wide", label, WIDE),
        narrow=_svg(narrow, f"{answer.key}-narrow", label, NARROW),
        legend=legend(rows),
    )


def _svg(chart: Any, name: str, label: str, width: int) -> str:
    import altair as alt
    import vl_convert

    spec = chart.to_dict() | {"background": "transparent", "padding": 2, "config": _STYLE}
    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    known = version if version in vl_convert.get_vegalite_versions() else None  # the newest that vl-convert contains
    svg = vl_convert.vegalite_to_svg(spec, vl_version=known, allowed_base_urls=[])
    return finished(svg, name, label, width)


def _legend(*items: tuple[str, str]) -> Callable[[Rows], tuple[tuple[str, str], ...]]:
    return lambda _: items


def _legend_of_waits(rows: Rows) -> tuple[tuple[str, str], ...]:
    branches = {row["branch"] for row in rows}
    styles = {"default": "circle blue", "other": "triangle orange", "all": "diamond gray"}
    lines = (("line", "p50, the median"), ("dashed", "p95"))
    return (*lines, *((style, BRANCHES[branch]) for branch, style in styles.items() if branch in branches))


def _legend_of_flaky_tests(rows: Rows) -> tuple[tuple[str, str], ...]:
    return (("bar blue", _first(len(rows), MAX_BARS, "time wasted, and number of flakes", "tests")),)


def _legend_of_credits(rows: Rows) -> tuple[tuple[str, str], ...]:
    if all(row["failed_credits"] is None for row in rows):
        return (("bar blue", "credits, and their share of all credits"),)
    return (("hatch", "credits of failed runs"), ("bar blue", "credits of the other runs"))


def _legend_of_queue(rows: Rows) -> tuple[tuple[str, str], ...]:
    classes = len({row["resource_class"] for row in rows})
    text = f"95 % of the jobs started within this number of {queue_unit(of_classes(rows))[0]}"
    return (("heat", _first(classes, MAX_CLASSES, text, "classes, by their jobs")),)


def _legend_of_sizing(rows: Rows) -> tuple[tuple[str, str], ...]:
    other = _first(len(with_use(rows)), MAX_POINTS, "other job", "jobs, by their credits")
    return (("diamond orange", "candidate for a smaller class"), ("circle blue", other))


def _first(number: int, max_number: int, text: str, nouns: str) -> str:
    """Return the text of a legend; of a chart that shows only the first of many, also their number."""
    return text if number <= max_number else f"{text}; the first {max_number} of {number:,} {nouns}"


_CHARTS: Final[dict[str, tuple[Callable[[Rows, int], Any], Callable[[Rows], tuple[tuple[str, str], ...]]]]] = {
    "failures": (
        failures,
        _legend(
            ("bar gray", "runs that failed"),
            ("line orange", "mean of 7 days"),
            ("circle blue", "mean time to recovery, from the first failed run to the next successful one"),
        ),
    ),
    "waits": (
        waits,
        _legend_of_waits,
    ),
    "jobs": (
        jobs,
        _legend(("bar blue", "share of the time of all jobs"), ("diamond orange", "share with the jobs above")),
    ),
    "flaky_tests": (flaky_tests, _legend_of_flaky_tests),
    "credits": (credits, _legend_of_credits),
    "queue": (queue, _legend_of_queue),
    "sizing": (sizing, _legend_of_sizing),
}
"""By the key of an answer: what draws it, and its legend."""
