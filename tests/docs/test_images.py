"""The diagrams and terminal pictures are current, and have text alternatives."""

import re
from html import unescape
from pathlib import Path

import pytest

from docs.diagrams import images
from docs.pictures import REPORT, REPORT_SIZE, SCALE, SESSIONS, path_of, texts

from .pages import DOCS, name, pages

_IMAGE = re.compile(r"!\[(?P<text>[^\]]*)\]\((?P<target>[^)]+)\)")


@pytest.mark.parametrize("path", images(), ids=lambda path: path.name)
def test_a_diagram_is_current(path: Path) -> None:
    assert path.read_text("utf-8") == images()[path], "run `make pictures` to draw the diagrams again"


@pytest.mark.parametrize("session", SESSIONS)
def test_a_terminal_picture_shows_its_commands(session: str) -> None:
    """`check_pages.py` runs the commands again and compares what they print."""
    shown = unescape("\n".join(texts(path_of(session).read_text("utf-8")))).replace("\N{NO-BREAK SPACE}", " ")
    program = "circleci-async "
    commands = [line.removeprefix(program) for line in shown.splitlines() if line.startswith(program)]
    assert tuple(commands) == SESSIONS[session], "run `make pictures` to draw the pictures again"


def test_the_picture_of_a_report_is_small() -> None:
    header = REPORT.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    size = [int.from_bytes(header[start : start + 4]) for start in (16, 20)]
    assert size == [round(SCALE * side) for side in REPORT_SIZE], "run `make pictures` to draw the pictures again"
    assert REPORT.stat().st_size < 300_000


def test_every_image_has_a_text_alternative_and_is_shown() -> None:
    shown: set[Path] = set()
    for page in pages():
        for image in _IMAGE.finditer(page.read_text("utf-8")):
            if "://" not in image["target"]:
                assert image["text"], f"{name(page)} shows {image['target']} without a text"
                shown.add((page.parent / image["target"]).resolve())
    logo = DOCS / "images" / "logo.svg"
    assert shown == {*(DOCS / "images").iterdir()} - {logo}
