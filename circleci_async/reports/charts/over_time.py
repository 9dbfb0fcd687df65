"""Charts over days and weeks: failures and waits."""

from itertools import pairwise
from typing import Any, Final

from ..wording import count, duration, weekday
from .parts import FONT_SIZE, WIDE, Rows, at, duration_steps, inline, label_expr, share_text, time_axis

_RECOVERY_TICKS: Final = {
    60: "1 min",
    600: "10 min",
    3_600: "1 h",
    6 * 3_600: "6 h",
    86_400: "1 day",
    7 * 86_400: "7 days",
    28 * 86_400: "28 days",
}


def failures(rows: Rows, width: int) -> Any:
    """Return the chart of the answer `failures`: bars with a line, and points below."""
    import altair as alt

    each = (rows[1]["day"] - rows[0]["day"]).days if len(rows) > 1 else 1
    period = "day" if each == 1 else "week"
    values: list[dict[str, Any]] = [
        {
            "from": at(row["day"], 0.1 * each),
            "to": at(row["day"], 0.9 * each),
            "middle": at(row["day"], 0.5 * each),
            "rate": row["failure_rate"],
            "mean": row["mean_7d"],
            "recovery": None if row["recovery"] is None else max(row["recovery"], 1.0),
            "tip": f"{weekday(row['day'])}: {share_text(row['failure_rate'])} of {count(row['runs'])} runs failed",
            "recovery_tip": f"{weekday(row['day'])}: recovered in {duration(row['recovery'] or 0)}",
        }
        for row in rows
    ]
    plot = width - 68
    x = time_axis([row["day"] for row in rows], plot, each)
    top = max([row["rate"] or 0 for row in values] + [0.05])
    rate = alt.Y(
        "rate:Q",
        title=None,
        axis=alt.Axis(format=".0%", tickCount=4, domain=False, ticks=False, minExtent=48, maxExtent=48),
    )
    bars = (
        alt.Chart(inline(values))
        .mark_rect(color="var(--bar)")
        .encode(
            x=x("from"),
            x2="to:Q",
            y=rate.scale(domain=[0, top], nice=True),
            y2=alt.datum(0),
            description="tip:N",
        )
    )
    mean = (
        alt.Chart(inline(values))
        .mark_line(color="var(--orange)", strokeWidth=2.5)
        .encode(x=x("middle"), y=alt.Y("mean:Q", title=None))
    )
    rates = (bars + mean).properties(width=plot, height=180, title=f"Share of the runs that failed, by {period}")

    recovered = [row for row in values if row["recovery"] is not None]
    if not recovered:
        return alt.vconcat(rates)
    low, high = (bound(row["recovery"] for row in recovered) for bound in (min, max))
    bounds = [
        max([tick for tick in _RECOVERY_TICKS if tick <= low] or [low]),
        min([tick for tick in _RECOVERY_TICKS if tick >= high] or [high]),
    ]
    axis = alt.Axis(
        values=[tick for tick in _RECOVERY_TICKS if bounds[0] <= tick <= bounds[1]],
        labelExpr=label_expr(_RECOVERY_TICKS),
        domain=False,
        ticks=False,
        minExtent=48,
        maxExtent=48,
    )
    points = (
        alt.layer(
            alt.Chart(inline(recovered))
            .mark_point(color="var(--blue)", filled=True, size=36, opacity=1)
            .encode(
                x=x("middle"),
                y=alt.Y("recovery:Q", title=None, axis=axis, scale=alt.Scale(type="log", domain=bounds, nice=False)),
                description="recovery_tip:N",
            )
        )
    ).properties(width=plot, height=120, title=f"Mean time to recovery, by {period} (log scale)")
    return alt.vconcat(rates, points)


_BRANCHES: Final = {
    "default": ("default", "var(--blue)", "circle"),
    "other": ("others", "var(--orange)", "triangle-up"),
    "all": ("all", "var(--bar)", "diamond"),
}
"""By group of branches: its name, and the color and shape of its points."""


def waits(rows: Rows, width: int) -> Any:
    """Return the chart of the answer `waits`: a line for each branch and percentile."""
    import altair as alt

    values: list[dict[str, Any]] = [
        {
            "week": at(row["week"], 0.5),
            "seconds": row[percentile],
            "line": f"{row['branch']} {percentile}",
            "tip": f"week of {weekday(row['week'])}, {_BRANCHES[row['branch']][0]}: {percentile}"
            f" {duration(row[percentile])} of {count(row['runs'])} runs",
        }
        for row in rows
        for percentile in ("p50", "p95")
        if row[percentile] is not None
    ]
    height = 260 if width == WIDE else 240
    plot = width - 60 - (130 if width == WIDE else 100)
    step, top = duration_steps(max([row["seconds"] for row in values] + [1.0]))
    x = time_axis(sorted({row["week"] for row in rows}), plot)
    axis = alt.Axis(
        values=[step * index for index in range(round(top / step) + 1)],
        labelExpr=label_expr({step * index: duration(step * index) for index in range(round(top / step) + 1)}),
        domain=False,
        ticks=False,
        minExtent=48,
        maxExtent=48,
    )
    y = alt.Y("seconds:Q", title=None, axis=axis, scale=alt.Scale(domain=[0, top], nice=False))
    layers: list[Any] = []
    ends: list[dict[str, Any]] = []
    for branch, (name, color, shape) in _BRANCHES.items():
        for percentile, dash in (("p50", [1, 0]), ("p95", [6, 4])):
            line = [row for row in values if row["line"] == f"{branch} {percentile}"]
            if not line:
                continue
            base = alt.Chart(inline(line)).encode(x=x("week"), y=y)
            layers += [
                base.mark_line(color=color, strokeWidth=2, strokeDash=dash),
                base.mark_point(
                    color=color, fill=color if percentile == "p50" else "var(--card)", shape=shape, size=44, opacity=1
                ).encode(description="tip:N"),
            ]
            ends.append({**line[-1], "name": f"{percentile} {name}"})
    ends = _apart(ends, "seconds", 16 * top / height, top)
    layers.append(
        alt.Chart(inline(ends))
        .mark_text(align="left", baseline="middle", dx=10, fontSize=FONT_SIZE, color="var(--ink)")
        .encode(x=x("week"), y=y, text="name:N")
    )
    return alt.layer(*layers).properties(width=plot, height=height)


def _apart(rows: list[dict[str, Any]], key: str, distance: float, top: float) -> list[dict[str, Any]]:
    """Return rows whose values differ by at least a distance, so that their labels do not overlap."""
    ordered = sorted((dict(row) for row in rows), key=lambda row: row[key])
    for below, above in pairwise(ordered):
        above[key] = max(above[key], below[key] + distance)
    limit = top
    for row in reversed(ordered):
        row[key] = min(row[key], limit)
        limit = row[key] - distance
    return ordered
