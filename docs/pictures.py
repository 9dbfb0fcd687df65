"""Pictures of terminals and of the page of a report, made from real runs by `python -m docs.pictures`.

- images/terminal-*.svg: commands run on a pseudo-terminal against an embedded CircleCI, which serves the world of the
  documentation. Two runs differ only in the seconds that a command took.
- images/report.png: the installed Chromium opens the page of a report of a generated history. The picture is kept if
  Chromium or a package is missing.
"""

import asyncio
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from io import StringIO
from pathlib import Path
from xml.sax.saxutils import escape

from rich.console import Console
from rich.text import Text

from circleci_async.testing import FakeCircleCI, World, example_world
from tests.cli.process import run_on_terminal
from tests.reports import chromium

IMAGES = Path(__file__).parent / "images"

COLUMNS = 96

SESSIONS = {
    "failure": ("watch gh/acme/infra 1", "logs gh/acme/infra 2 --failed"),
    "pipelines": ("pipelines gh/acme/api --limit 6", "trigger gh/acme/web --wait --interval 0.1"),
    "harvest": (*["harvest run gh/acme/api --into harvest"] * 2, "harvest verify harvest"),
}
"""The commands of each picture, without the name of the program."""

REPORT = IMAGES / "report.png"
REPORT_SIZE = (960, 752)
"""Width and height of the picture of a report, in pixels of CSS."""
SCALE = 1.5
"""Pixels of the picture for each of CSS."""

_CONTROL = re.compile(r"(\n|\r|\x1b\[\d*[ABCDHJK]|\x1b\[\?\d+[hl])")
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_TEXT = re.compile(r"<text\b[^>]*>(.*?)</text>")


async def picture(name: str) -> str:
    """Run the commands of a picture in an empty folder, and return its SVG text."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        async with FakeCircleCI(example_world(), run_time=0.5) as fake:
            env = {**fake.environment, "TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": str(COLUMNS)}
            session = [(command, await asyncio.to_thread(_run, command, env)) for command in SESSIONS[name]]
    return _draw(name, session)


async def photograph_report() -> bytes:
    """Return a picture of the top of the page of a report, as PNG."""
    from playwright.async_api import async_playwright

    width, height = REPORT_SIZE
    with tempfile.TemporaryDirectory() as folder:
        async with FakeCircleCI(World.history(), record=False) as fake, fake.client() as circle:
            report = await circle.insights.report(["gh/acme/api", "gh/acme/web"])
        page_file = await asyncio.to_thread(report.save, Path(folder, "report.html"))
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium.path(), args=["--no-sandbox"])
            page = await browser.new_page(
                viewport={"width": width, "height": height}, device_scale_factor=SCALE, color_scheme="light"
            )
            await page.goto(page_file.as_uri())
            picture = await page.screenshot()
            await browser.close()
    return picture


def path_of(name: str) -> Path:
    """Return the path of a picture."""
    return IMAGES / f"terminal-{name}.svg"


def texts(svg: str) -> list[str]:
    """Return the texts of a picture."""
    return _TEXT.findall(svg)


def _run(command: str, env: dict[str, str]) -> str:
    return run_on_terminal(*shlex.split(command), columns=COLUMNS, env=env).out


def _draw(name: str, session: list[tuple[str, str]]) -> str:
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor")
    for command, output in session:
        console.print(Text.assemble(("$ ", "bold green"), (f"circleci-async {command}", "bold")))
        for line in _screen(output):
            console.print(Text.from_ansi(line), soft_wrap=True)
    svg = _FONTS.sub("", console.export_svg(title="", unique_id=f"terminal-{name}"))
    title = escape("; ".join(f"circleci-async {command}" for command in SESSIONS[name]))
    return svg.replace(">", f' role="img">\n    <title>{title}</title>', 1)


def _screen(output: str) -> Iterator[str]:
    """Iterate the lines that remain on a screen after live displays were redrawn."""
    lines, row = [""], 0
    for part in _CONTROL.split(output):
        if part == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif part.startswith("\x1b[") and part.endswith("A"):
            row -= int(part[2:-1] or 1)
        elif part == "\x1b[2K":
            lines[row] = ""
        elif not _CONTROL.fullmatch(part):
            lines[row] += part
    yield from "\n".join(lines).rstrip().split("\n")


if __name__ == "__main__":
    for name in SESSIONS:
        path_of(name).write_text(asyncio.run(picture(name)), "utf-8")
    if reason := chromium.missing():
        print(f"{REPORT.name} is kept: {reason}", file=sys.stderr)
    else:
        REPORT.write_bytes(asyncio.run(photograph_report()))
