"""The diagrams and terminal pictures are current, and have text alternatives."""

import re
from pathlib import Path

import pytest

from docs.diagrams import images
from docs.pictures import SESSIONS, path_of, picture, texts

from .pages import DOCS, name, pages

_IMAGE = re.compile(r"!\[(?P<text>[^\]]*)\]\((?P<target>[^)]+)\)")
_SECONDS = re.compile(r"\b\d+(\.\d+)?s\b")


@pytest.mark.parametrize("path", images(), ids=lambda path: path.name)
def test_a_diagram_is_current(path: Path) -> None:
    assert path.read_text("utf-8") == images()[path], "run `make pictures` to draw the diagrams again"


@pytest.mark.parametrize("session", SESSIONS)
async def test_a_terminal_picture_shows_what_its_commands_print(session: str) -> None:
    shown = [_SECONDS.sub("0s", text) for text in texts(path_of(session).read_text("utf-8"))]
    printed = [_SECONDS.sub("0s", text) for text in texts(await picture(session))]
    assert shown == printed, "run `make pictures` to draw the pictures again"


def test_every_image_has_a_text_alternative_and_is_shown() -> None:
    shown: set[Path] = set()
    for page in pages():
        for image in _IMAGE.finditer(page.read_text("utf-8")):
            if "://" not in image["target"]:
                assert image["text"], f"{name(page)} shows {image['target']} without a text"
                shown.add((page.parent / image["target"]).resolve())
    logo = DOCS / "images" / "logo.svg"
    assert shown == {*(DOCS / "images").iterdir()} - {logo}
