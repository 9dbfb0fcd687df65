"""Draw the plots of the docs page "Rate limits" from the simulation: `python -m benchmarks.limiter_plots`."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.core.simulation import Client, Server, Simulation

FOLDER = Path(__file__).parent.parent / "docs" / "images"

WIDTH, HEIGHT = 720, 230
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 28, 44
BIN = 1.0
"""Seconds over which accepted requests are averaged."""

LIMIT, PACE, REFUSED = "#888888", "#c9a227", "#c0392b"
ACCEPTED = ("#1f6feb", "#2e8b57")
"""One color for each client."""

Point = tuple[float, float]


def main() -> None:
    """Write the four plots."""
    FOLDER.mkdir(exist_ok=True)
    small = Simulation(Server(20, 5)).run(seconds=60)
    write("small-burst", "20 requests per second, burst 5, Retry-After in whole seconds", small, [(0, 20), (60, 20)])
    stated = Simulation(Server(20, 5, headers=True)).run(seconds=60)
    write("headers", "The same with RateLimit headers", stated, [(0, 20), (60, 20)])
    server = Server(20, 20)
    changed = Simulation(server, tasks=64, concurrency=64)
    changed.run(
        seconds=120,
        at={
            40: lambda: server.change_rate(80, asyncio.get_running_loop().time()),
            80: lambda: server.change_rate(20, asyncio.get_running_loop().time()),
        },
    )
    limits: list[Point] = [(0, 20), (40, 20), (40, 80), (80, 80), (80, 20), (120, 20)]
    write("changed-limit", "A limit that rises to 80 per second and falls back to 20", changed, limits)
    shared = Simulation(Server(40, 20), clients=2, tasks=16, concurrency=16).run(seconds=120)
    write("two-clients", "Two clients that share 40 requests per second", shared, [(0, 40), (120, 40)])


def write(name: str, title: str, simulation: Simulation, limits: Sequence[Point]) -> None:
    """Write one plot: accepted requests per second, the pace, and a mark for each refusal."""
    seconds = limits[-1][0]
    top = 1.5 * max(rate for _, rate in limits)
    parts = [_axes(title, seconds, top), _line(limits, seconds, top, LIMIT, dashes="5 4")]
    for client, color in zip(simulation.members, ACCEPTED, strict=False):
        if len(simulation.members) == 1:
            parts.append(_line(_paces(client, simulation.began), seconds, top, PACE))
        parts.append(_line(_per_second(client.accepted, simulation.began, seconds), seconds, top, color))
    parts += [_mark(moment - simulation.began, seconds) for moment in simulation.server.refused]
    parts.append(_legend(len(simulation.members)))
    content = "\n".join(["<svg " + _attributes() + ">", *parts, "</svg>", ""])
    (FOLDER / f"limiter-{name}.svg").write_text(content, encoding="utf-8")


def _attributes() -> str:
    return (
        f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="12"'
    )


def _paces(client: Client, began: float) -> list[Point]:
    points: list[Point] = []
    for moment, pace in client.rates:
        if pace < 1e6 and (not points or moment - began - points[-1][0] > 0.1):
            points.append((moment - began, pace))
    return points


def _per_second(moments: Iterable[float], began: float, seconds: float) -> list[Point]:
    counts = [0] * int(seconds / BIN)
    for moment in moments:
        if moment - began < seconds:
            counts[min(len(counts) - 1, int((moment - began) / BIN))] += 1
    return [((number + 0.5) * BIN, count / BIN) for number, count in enumerate(counts)]


def _x(moment: float, seconds: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * moment / seconds


def _y(rate: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(rate, top) / top


def _line(points: Sequence[Point], seconds: float, top: float, color: str, dashes: str = "none") -> str:
    path = " ".join(f"{_x(moment, seconds):.1f},{_y(rate, top):.1f}" for moment, rate in points)
    return f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.5" stroke-dasharray="{dashes}"/>'


def _mark(moment: float, seconds: float) -> str:
    x, y = _x(moment, seconds), HEIGHT - BOTTOM
    return f'<line x1="{x:.1f}" y1="{y}" x2="{x:.1f}" y2="{y - 10}" stroke="{REFUSED}" stroke-width="1.5"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "middle", color: str = "#666666") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}">{text}</text>'


def _axes(title: str, seconds: float, top: float) -> str:
    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>', _text(LEFT, 16, title, anchor="start")]
    for share in (0.0, 1 / 3, 2 / 3, 1.0):
        y = _y(share * top, top)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#e5e5e5"/>')
        parts.append(_text(LEFT - 6, y + 4, f"{share * top:.0f}", anchor="end"))
    for moment in range(0, int(seconds) + 1, 20):
        parts.append(_text(_x(moment, seconds), HEIGHT - BOTTOM + 16, f"{moment} s"))
    return "\n".join(parts)


def _legend(clients: int) -> str:
    entries = [("limit", LIMIT), ("accepted per second", ACCEPTED[0]), ("pace", PACE), ("refused", REFUSED)]
    if clients > 1:
        entries[1:3] = [("client 1, accepted per second", ACCEPTED[0]), ("client 2", ACCEPTED[1])]
    parts: list[str] = []
    x = LEFT
    for label, color in entries:
        parts.append(f'<rect x="{x}" y="{HEIGHT - 16}" width="12" height="4" fill="{color}"/>')
        parts.append(_text(x + 17, HEIGHT - 10, label, anchor="start"))
        x += 40 + 7 * len(label)
    return "\n".join(parts)


if __name__ == "__main__":
    main()
