"""Charts of horizontal bars: jobs, flaky tests and credits."""

from typing import Any, Final

from ...untrusted_text import shown
from ..svg import HATCH
from ..wording import count, duration
from .parts import CHARACTER_WIDTH, FONT_SIZE, HALO, WIDE, Rows, inline, row_names, share_text, short_names

MAX_BARS: Final = 12
_MAX_GROUP: Final = 6


def _bars(values: list[dict[str, Any]], width: int, top: float, *, title: str = "", beside: int = 0) -> Any:
    """Return a chart with one bar per row below its name.

    `values`: `name`, `value`, `text` and `tip`; also `failed`, a part of the value, and `cumulative`, for a line.
    `beside`: the width of a column for the texts, instead of beside the names.
    """
    import altair as alt

    height, plot = 40, width - beside
    for rank, row in enumerate(values):
        row["rank"] = rank
        row["name"] = shown(row["name"], int(width / CHARACTER_WIDTH) - len(row["text"]) - 2)
    axis = None
    if "cumulative" in values[0]:
        quarters = [0, 0.25, 0.5, 0.75, 1]
        axis = alt.Axis(orient="top", format=".0%", values=quarters, domain=False, ticks=False, title=None)
    x = alt.X("value:Q", axis=axis, scale=alt.Scale(domain=[0, top or 1], nice=False))
    base = alt.Chart(inline(values)).encode(
        y=alt.Y("rank:O", axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    )
    text: dict[str, Any] = {"baseline": "middle", "dy": -9, "fontSize": FONT_SIZE, "color": "var(--ink)", **HALO}
    beside_text: dict[str, Any] = text | ({"dy": 8} if beside else {})
    layers: list[Any] = [
        base.mark_bar(color="var(--blue)", size=12, yOffset=8).encode(x=x, description="tip:N"),
        base.mark_text(align="left", **text).encode(x=alt.value(0), text="name:N"),
        base.mark_text(align="right", **beside_text).encode(x=alt.value(width), text="text:N"),
    ]
    if any(row.get("failed") for row in values):
        failed = base.transform_filter("datum.failed > 0").mark_bar(
            color=HATCH, stroke="var(--orange)", strokeWidth=1, size=12, yOffset=8
        )
        layers.insert(1, failed.encode(x=alt.X("failed:Q"), description="tip:N"))
    if "cumulative" in values[0]:
        sums = base.encode(x=alt.X("cumulative:Q", title=None))
        line = sums.mark_line(color="var(--orange)", strokeWidth=1.5, yOffset=8)
        points = sums.mark_point(
            color="var(--orange)", fill="var(--card)", shape="diamond", size=50, opacity=1, yOffset=8
        )
        layers[1:1] = [line, points.encode(description="tip:N")]
    titled: dict[str, Any] = {"title": title} if title else {}
    return alt.layer(*layers).properties(width=plot, height=height * len(values), **titled)


def jobs(rows: Rows, width: int) -> Any:
    """Return the chart of the answer `jobs`: bars, and a line of their sum."""
    rows = _first(rows)
    labels = row_names(rows, ("job", "workflow", "project"))
    values: list[dict[str, Any]] = [
        {
            "name": name,
            "value": row["share"],
            "cumulative": row["cumulative_share"],
            "text": f"{duration(row['total'])} · {share_text(row['share'])}",
            "tip": f"{name}: {duration(row['total'])}, {share_text(row['share'])};"
            f" with those above {share_text(row['cumulative_share'])}",
        }
        for name, row in zip(labels, rows, strict=True)
    ]
    if width != WIDE:
        for row in values:
            row["text"] = share_text(row["value"])
    return _bars(values, width - 12, 1.0, beside=150 if width == WIDE else 56)


def _first(rows: Rows) -> Rows:
    """Return the first rows of jobs, and one for all others."""
    if len(rows) <= MAX_BARS + 1:
        return rows
    others = {name: sum(row[name] for row in rows[MAX_BARS:]) for name in ("total", "share")}
    names = {"project": "", "workflow": "", "job": "others"}
    return [*rows[:MAX_BARS], {**names, **others, "cumulative_share": rows[-1]["cumulative_share"]}]


def flaky_tests(rows: Rows, width: int) -> Any:
    """Return the chart of the answer `flaky_tests`: a bar for each test."""
    labels = row_names(rows, ("test", "job", "project") if width == WIDE else ("test", "project"))
    values: list[dict[str, Any]] = [
        {
            "name": name,
            "value": row["time_wasted"] or 0,
            "text": f"{wasted} · {count(row['times_flaked'])}x",
            "tip": f"{name}: flaked {count(row['times_flaked'])} times, time wasted: {wasted}",
        }
        for name, row in zip(labels, rows, strict=True)
        for wasted in ["unknown" if row["time_wasted"] is None else duration(row["time_wasted"])]
    ][:MAX_BARS]
    return _bars(values, width - 12, max(row["value"] for row in values))


def credits(rows: Rows, width: int) -> Any:
    """Return the chart of the answer `credits`: bars for each group, with the part of failed runs."""
    import altair as alt

    gap = 32
    inner = (width - 12 - gap) // 2 if width == WIDE else width - 12
    panels: list[Any] = []
    for by in dict.fromkeys(row["by"] for row in rows):
        group = [row for row in rows if row["by"] == by]
        values: list[dict[str, Any]] = [
            {
                "name": name,
                "value": row["credits"],
                "failed": row["failed_credits"],
                "text": f"{count(row['credits'])} · {share_text(row['share'])}",
                "tip": f"{row['name']}: {count(row['credits'])} credits"
                + ("" if row["failed_credits"] is None else f", {count(row['failed_credits'])} on failed runs"),
            }
            for name, row in zip(short_names([row["name"] for row in group]), group, strict=True)
        ][:_MAX_GROUP]
        title = f"By {by}" + (f" (the first {_MAX_GROUP})" if len(group) > _MAX_GROUP else "")
        panels.append(_bars(values, inner, max(row["value"] for row in values), title=title))
    if width != WIDE:
        return alt.vconcat(*panels)
    pairs = [alt.hconcat(*panels[start : start + 2], spacing=gap) for start in range(0, len(panels), 2)]
    return alt.vconcat(*pairs)
