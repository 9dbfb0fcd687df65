"""The diagrams of the pages, drawn as SVG: `python docs/diagrams.py` writes images/diagram-*.svg.

They need no fonts or tools. Colours follow the colour scheme of the page that embeds them.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

DOCS = Path(__file__).parent
IMAGES = DOCS / "images"

_COLOURS = {
    #         light      dark
    "ink": ("#1f2933", "#e6e9ee"),
    "soft": ("#5b6775", "#a3adba"),
    "line": ("#7b8794", "#8793a1"),
    "plain": ("#f4f6f8", "#262c34"),
    "accent": ("#d9f2ec", "#134a42"),
    "edge": ("#0f8a74", "#35c9ad"),
    "warn": ("#fdeceb", "#54231f"),
    "stop": ("#c8372d", "#ff8a80"),
}
_RULES = """\
text { font: 14px system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; fill: var(--ink) }
.b { font-weight: 600 } .s { font-size: 12.5px; fill: var(--soft) } .m { text-anchor: middle } .e { text-anchor: end }
.c { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 12.5px }
.go { fill: var(--edge) } .no { fill: var(--stop) }
rect { fill: var(--plain); stroke: var(--line) }
rect.accent { fill: var(--accent); stroke: var(--edge) } rect.warn { fill: var(--warn); stroke: var(--stop) }
rect.frame { fill: none; stroke-dasharray: 4 4 }
path { fill: none; stroke: var(--line); stroke-width: 1.5 }
path.go { stroke: var(--edge) } path.no { stroke: var(--stop); stroke-dasharray: 5 4 }
path.head { stroke: none; fill: var(--line) } path.head.go { fill: var(--edge) } path.head.no { fill: var(--stop) }"""

_LAYER = re.compile(r"^(?P<names>\S+(?: \| \S+)*) {2,}(?P<says>.+)$", re.MULTILINE)


def layers() -> str:
    """Draw the layers that docs/design.md lists."""
    page = (DOCS / "design.md").read_text("utf-8")
    listed = [*_LAYER.finditer(page.partition("## Layers")[2].partition("```text\n")[2].partition("```")[0])]
    highlighted = {"client", "resources", "endpoints", "models"}
    parts: list[str] = []
    for row, each in enumerate(listed):
        y = 8 + row * 34
        names = each["names"].split(" | ")
        width = (260 - 8 * (len(names) - 1)) / len(names) if len(names) < 5 else 0
        x = 64.0
        for name in names:
            size = width or 20 + 7.6 * len(name)
            parts.append(_box(x, y, size, 26, name, kind="accent" if name in highlighted else "", code=True))
            x += size + 8
        parts.append(_text(x + 2, y + 18, each["says"].partition(", " if x > 400 else ": ")[0], "s"))
    height = 8 + len(listed) * 34
    parts += [_arrow([(30, 28), (30, height - 12)]), _text(30, 20, "imports", "s m")]
    return _svg(720, height, "Layers", f"From the top: {'; '.join(each['names'] for each in listed)}.", parts)


def token() -> str:
    """Draw where the token is sent while an artifact is downloaded."""
    hosts = [
        ("API host", "circleci.com", "accent"),
        ("artifact host", "*.circle-artifacts.com", "accent"),
        ("storage", "signed URL", ""),
        ("any other origin", "http:// is refused", "warn"),
    ]
    parts = [_box(8, 8, 160, 408, "CircleCI client", "decides on each hop,", "by origin")]
    hops = [
        ("1  GET /api/v2/…/artifacts", "Circle-Token", "go"),
        ("2  GET the artifact's URL", "Circle-Token", "go"),
        ("3  GET the redirect's target", "no token", ""),
        ("any redirect elsewhere", "no token", "no"),
    ]
    for row, ((title, detail, kind), (label, sent, tone)) in enumerate(zip(hosts, hops, strict=True)):
        y = 8 + row * 108
        parts += [_box(480, y, 232, 84, title, detail, kind=kind)]
        parts += [_arrow([(168, y + 42), (480, y + 42)], tone)]
        parts += [_text(324, y + 32, label, "m"), _text(324, y + 62, sent, f"m b {tone}".strip())]
    return _svg(
        720,
        424,
        "A token over hops",
        "The client sends the token to the API host and to the artifact host, over https, and no token to the"
        " storage that the artifact host redirects to, nor to any other origin. It refuses redirects to http.",
        parts,
    )


def harvest() -> str:
    """Draw the four steps of a harvest."""
    steps = [
        ("discover", "pipelines, workflows,", "jobs, artifacts"),
        ("record", "each artifact once,", "in the ledger"),
        ("fetch", "into a partial file;", "length and SHA-256"),
        ("place", "one atomic rename,", "or one upload"),
    ]
    parts: list[str] = []
    for column, (title, *details) in enumerate(steps):
        x = 8 + column * 182
        parts.append(_box(x, 56, 158, 92, title, *details, kind="accent"))
        if column:
            parts.append(_arrow([(x - 24, 102), (x, 102)], "go"))
    parts += [
        _box(190, 208, 340, 52, ".harvest.sqlite", "the ledger: queue, states, sizes, hashes", code=True),
        _arrow([(269, 148), (269, 208)]),
        _arrow([(451, 208), (451, 148)]),
        _text(277, 182, "append", "s"),
        _text(459, 182, "next artifact", "s"),
        _arrow([(633, 148), (633, 234), (530, 234)]),
        _text(641, 196, "done", "s"),
        _arrow([(190, 234), (87, 234), (87, 148)]),
        _text(8, 252, "waits while downloads", "s"),
        _text(8, 268, "are behind", "s"),
        _text(87, 24, "CircleCI's API", "s m"),
        _arrow([(87, 30), (87, 56)]),
        _text(451, 24, "artifact host, storage", "s m"),
        _arrow([(451, 30), (451, 56)]),
        _text(633, 24, "folder or bucket", "s m"),
        _arrow([(633, 56), (633, 30)]),
    ]
    return _svg(
        720,
        276,
        "A harvest",
        "Discovery lists pipelines, workflows, jobs and artifacts, and appends each artifact to the ledger once."
        " Downloads take artifacts from the ledger, write a partial file, check its length and compute SHA-256, then"
        " rename it to its final name, or upload it into a bucket, and record it as done. Discovery waits while"
        " downloads are behind.",
        parts,
    )


def build() -> str:
    """Draw a pipeline with its workflows, jobs and artifacts."""
    parts = [
        _text(88, 20, "pipeline", "b m"),
        _text(268, 20, "workflow", "b m"),
        _text(448, 20, "job", "b m"),
        _text(630, 20, "artifact", "b m"),
        _box(8, 96, 160, 60, "23", "main, one commit", kind="accent"),
        _box(206, 60, 124, 48, "build", "success"),
        _box(206, 172, 124, 48, "release", "on hold"),
        *[_box(368, 36 + row * 56, 160, 44, *each) for row, each in enumerate(_JOBS)],
        *[_box(566, 36 + row * 34, 146, 26, each, code=True) for row, each in enumerate(_ARTIFACTS)],
        *_branches(168, 126, 206, (84, 196)),
        *_branches(330, 84, 368, (58, 114)),
        *_branches(330, 196, 368, (170, 226)),
        *_branches(528, 58, 566, (49,)),
        *_branches(528, 114, 566, (83, 117)),
        _text(88, 276, "pipelines.list", "s c m"),
        _text(268, 276, "pipelines.workflows", "s c m"),
        _text(448, 276, "workflows.jobs", "s c m"),
        _text(640, 276, "artifacts.list", "s c m"),
    ]
    return _svg(
        720,
        288,
        "Pipeline, workflow, job, artifact",
        "A pipeline contains workflows, a workflow contains jobs, and a job leaves artifacts. Pipeline 23 has the"
        " workflows build, with the jobs lint and test, and release, with the approval hold and the job deploy."
        " lint left lint.txt; test left junit.xml and coverage/index.html. The calls that list each level are"
        " pipelines.list, pipelines.workflows, workflows.jobs and artifacts.list.",
        parts,
    )


_JOBS = [("lint", "number 41"), ("test", "number 42"), ("hold", "approval, no number"), ("deploy", "blocked")]
_ARTIFACTS = ["lint.txt", "junit.xml", "coverage/…"]

DIAGRAMS = {"layers": layers, "token": token, "harvest": harvest, "build": build}


def images() -> dict[Path, str]:
    """Return the text of each diagram by its path."""
    return {IMAGES / f"diagram-{name}.svg": draw() for name, draw in DIAGRAMS.items()}


def _svg(width: int, height: int, title: str, description: str, parts: Iterable[str]) -> str:
    light, dark = (" ".join(f"--{name}: {pair[n]};" for name, pair in _COLOURS.items()) for n in (0, 1))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"',
        'role="img" aria-labelledby="title description">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="description">{escape(description)}</desc>',
        f"<style>:root {{ {light} }}",
        f"@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}",
        f"{_RULES}</style>",
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _box(x: float, y: float, width: float, height: float, *lines: str, kind: str = "", code: bool = False) -> str:
    """Draw a box: its first line is the title, the others are details."""
    parts = [f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6"{_class(kind)}/>']
    top = y + height / 2 - (len(lines) - 1) * 9 + 5
    for number, line in enumerate(lines):
        kinds = "m s" if number else "m b c" if code else "m b"
        parts.append(_text(x + width / 2, top + 18 * number, line, kinds))
    return "\n".join(parts)


def _text(x: float, y: float, text: str, kinds: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}"{_class(kinds)}>{escape(text)}</text>'


def _arrow(points: list[tuple[float, float]], tone: str = "") -> str:
    """Draw a line through the points, with a head at the last one."""
    (fx, fy), (x, y) = points[-2:]
    dx, dy = (x > fx) - (x < fx), (y > fy) - (y < fy)
    line = " L".join(f"{px:g} {py:g}" for px, py in [*points[:-1], (x - 6 * dx, y - 6 * dy)])
    head = (
        f"{x:g} {y:g} L{x - 9 * dx + 5 * dy:g} {y - 9 * dy + 5 * dx:g} L{x - 9 * dx - 5 * dy:g} {y - 9 * dy - 5 * dx:g}"
    )
    return f'<path d="M{line}"{_class(tone)}/>\n<path d="M{head} Z"{_class(f"head {tone}".strip())}/>'


def _branches(x: float, y: float, to: float, ends: Iterable[float]) -> list[str]:
    """Draw lines from one point to several, with a right angle halfway."""
    middle = (x + to) / 2
    return [f'<path d="M{x:g} {y:g} H{middle:g} V{end:g} H{to:g}"/>' for end in ends]


def _class(kinds: str) -> str:
    return f' class="{kinds}"' if kinds else ""


if __name__ == "__main__":
    for path, text in images().items():
        path.write_text(text, "utf-8")
