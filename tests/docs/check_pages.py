"""Every block of README.md and docs/ runs against `circleci-async fake` and prints what its page shows.

So do the commands of the terminal pictures. A comment in a page, such as `<!-- circleci-async fake --history -->`,
selects another world than that of the documentation.
"""

import re
from pathlib import Path

import pytest

from docs.pictures import SESSIONS, path_of, picture, texts

from .pages import blocks, examples, fake_options, name, pages
from .reader import Reader, fake_circleci

_SECONDS = re.compile(r"\b\d+(\.\d+)?s\b")


@pytest.mark.parametrize("page", [page for page in pages() if examples(page)], ids=name)
def test_the_blocks_of_a_page_run_and_print_the_shown_output(page: Path, tmp_path: Path) -> None:
    with fake_circleci(*fake_options(page)) as environment:
        count = Reader(tmp_path, environment).follow(blocks(page))
    assert count == len(examples(page))


@pytest.mark.parametrize("session", SESSIONS)
async def test_a_terminal_picture_shows_what_its_commands_print(session: str) -> None:
    shown = [_SECONDS.sub("0s", text) for text in texts(path_of(session).read_text("utf-8"))]
    printed = [_SECONDS.sub("0s", text) for text in texts(await picture(session))]
    assert shown == printed, "run `make pictures` to draw the pictures again"
