"""Charts of usage exports: the queue and the sizes of jobs."""

from typing import Any, Final

from ...untrusted_text import shown
from ..wording import count, duration
from .parts import CHARACTER_WIDTH, FONT_SIZE, HALO, WIDE, Rows, inline, label_expr, row_names

MAX_POINTS: Final = 200
_MAX_LABELS: Final = 8
MAX_CLASSES: Final = 8
_HEAT_LEVELS: Final = 6


def queue(rows: Rows, width: int) -> Any:
    """Return the chart of the answer `queue`: a heat map of hours and resource classes, with numbers."""
    import altair as alt

    rows = of_classes(rows)
    is_wide = width == WIDE
    longest = max([row["p95"] or 0 for row in rows] + [1.0])
    unit = queue_unit(rows)
    hours = list(range(24))
    classes = sorted({str(row["resource_class"]) for row in rows})
    limit = 17 if is_wide else max(6, int(300 / len(classes) / CHARACTER_WIDTH * 1.6))
    named = {name: shown(name, limit) for name in classes}
    values: list[dict[str, Any]] = [
        {
            "hour": row["hour"],
            "class": str(row["resource_class"]),
            "level": min(_HEAT_LEVELS - 1, int((row["p95"] or 0) / longest * _HEAT_LEVELS)),
            "text": _short(row["p95"], unit),
            "tip": f"{row['resource_class']}, {row['hour']}:00 UTC: p95 {duration(row['p95'] or 0)}, p50"
            f" {duration(row['p50'] or 0)}, {count(row['jobs'])} jobs",
        }
        for row in rows
    ]
    domain = list(range(_HEAT_LEVELS))
    by_hour: dict[str, Any] = {
        "scale": alt.Scale(domain=hours, paddingInner=0.06),
        "title": "Hour of the day (UTC)" if is_wide else None,
    }
    by_class: dict[str, Any] = {"scale": alt.Scale(domain=classes, paddingInner=0.06), "title": None}
    quiet: dict[str, Any] = {"domain": False, "ticks": False}
    class_names = label_expr(named)
    if is_wide:
        x: Any = alt.X("hour:O", axis=alt.Axis(labelAngle=0, **quiet), **by_hour)
        y: Any = alt.Y(
            "class:N",
            axis=alt.Axis(labelExpr=class_names, labelLimit=0, minExtent=118, maxExtent=118, **quiet),
            **by_class,
        )
        size = {"width": width - 130, "height": 34 * len(classes)}
    else:
        top = alt.Axis(orient="top", labelAngle=-40, labelAlign="left", labelExpr=class_names, labelLimit=0, **quiet)
        x = alt.X("class:N", axis=top, **by_class)
        hour_words = label_expr({hour: f"{hour:02}:00" for hour in hours})
        y = alt.Y("hour:O", axis=alt.Axis(labelExpr=hour_words, **quiet), **by_hour)
        size = {"width": min(width - 66, 70 * len(classes)), "height": 24 * 24}
    base = alt.Chart(inline(values)).encode(x=x, y=y)
    cells = base.mark_rect(stroke="var(--axis)", strokeWidth=0.5).encode(
        color=alt.Color(
            "level:O", legend=None, scale=alt.Scale(domain=domain, range=[f"var(--heat-{level})" for level in domain])
        ),
        description="tip:N",
    )
    numbers = base.mark_text(baseline="middle", fontSize=11).encode(
        text="text:N",
        fill=alt.Fill(
            "level:O",
            legend=None,
            scale=alt.Scale(domain=domain, range=[f"var(--on-heat-{level})" for level in domain]),
        ),
    )
    layers: Any = alt.layer(cells, numbers)
    return layers.resolve_scale(color="independent", fill="independent").properties(**size)


def of_classes(rows: Rows) -> Rows:
    """Return the rows of the resource classes with the most jobs."""
    jobs: dict[str, int] = {}
    for row in rows:
        jobs[row["resource_class"]] = jobs.get(row["resource_class"], 0) + row["jobs"]
    kept = sorted(jobs, key=lambda name: -jobs[name])[:MAX_CLASSES]
    return [row for row in rows if row["resource_class"] in kept]


def queue_unit(rows: Rows) -> tuple[str, int]:
    """Return the unit of the numbers, and its seconds."""
    longest = max([row["p95"] or 0 for row in rows] + [1.0])
    return ("hours", 3_600) if longest >= 5_940 else ("minutes", 60) if longest >= 100 else ("seconds", 1)


def _short(seconds: float | None, unit: tuple[str, int]) -> str:
    if seconds is None:
        return "-"
    value = seconds / unit[1]
    return f"{value:.1f}" if value < 9.95 and unit[1] > 1 else f"{value:.0f}"


def sizing(rows: Rows, width: int) -> Any:
    """Return the chart of the answer `sizing`: a point for each job, candidates with names."""
    import altair as alt

    known = sorted(with_use(rows), key=lambda row: (not row["is_candidate"], -(row["credits"] or 0)))[:MAX_POINTS]
    if not known:
        return None
    labels = row_names(known, ("job", "workflow", "project") if width == WIDE else ("job",))
    values: list[dict[str, Any]] = [
        {
            "name": name,
            "cpu": min(row["max_cpu"], 100) / 100,
            "ram": min(row["max_ram"], 100) / 100,
            "is_candidate": bool(row["is_candidate"]),
            "tip": f"{name} on {row['resource_class']}: at most {row['max_cpu']:.0f} % of the CPU"
            f" and {row['max_ram']:.0f} % of the RAM" + (", a candidate" if row["is_candidate"] else ""),
        }
        for name, row in zip(labels, known, strict=True)
    ]
    plot, height = width - 62, 320
    scale = alt.Scale(domain=[0, 1], nice=False)
    axis: dict[str, Any] = {"format": ".0%", "values": [0, 0.25, 0.5, 0.75, 1]}
    x = alt.X("cpu:Q", scale=scale, title="Highest use of the CPU", axis=alt.Axis(**axis))
    y = alt.Y("ram:Q", scale=scale, title=None, axis=alt.Axis(minExtent=40, maxExtent=40, **axis))
    layers: list[Any] = [
        alt.Chart(inline([row for row in values if row["is_candidate"] is is_candidate]))
        .mark_point(shape=shape, size=size, fill=fill, color=color, strokeWidth=1.5, opacity=1)
        .encode(x=x, y=y, description="tip:N")
        for is_candidate, shape, size, fill, color in (
            (False, "circle", 50, "var(--card)", "var(--blue)"),
            (True, "diamond", 110, "var(--orange)", "var(--card)"),
        )
    ]
    for align, dx, named in _labels(values, plot, height, 40 if width == WIDE else 18):
        style: dict[str, Any] = {"align": align, "dx": dx, "baseline": "middle", "fontSize": FONT_SIZE, **HALO}
        text = alt.Chart(inline(named)).mark_text(color="var(--ink)", **style)
        layers.append(text.encode(x=x, y=y, text="name:N"))
    return alt.layer(*layers).properties(width=plot, height=height, title="Highest use of the memory")


def with_use(rows: Rows) -> Rows:
    """Return the rows whose CPU and memory use are known."""
    return [row for row in rows if row["max_cpu"] is not None and row["max_ram"] is not None]


def _labels(
    values: list[dict[str, Any]], width: int, height: int, length: int
) -> list[tuple[str, int, list[dict[str, Any]]]]:
    """Return the names of candidates that fit beside their points without touching another name or candidate."""
    points = [(row["cpu"] * width, (1 - row["ram"]) * height) for row in values if row["is_candidate"]]
    taken = [(x - 7, y - 7, x + 7, y + 7) for x, y in points]
    sides: dict[str, list[dict[str, Any]]] = {"left": [], "right": []}
    for row, (x, y) in zip([row for row in values if row["is_candidate"]], points, strict=True):
        name = shown(row["name"], length)
        size = len(name) * CHARACTER_WIDTH
        for align, left in (("left", x + 10), ("right", x - 10 - size)):
            box = (left, y - 8, left + size, y + 8)
            is_inside = left >= 0 and left + size <= width
            if is_inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                sides[align].append({**row, "name": name})
                break
        if len(sides["left"]) + len(sides["right"]) == _MAX_LABELS:
            break
    return [(align, dx, sides[align]) for align, dx in (("left", 10), ("right", -10)) if sides[align]]


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
