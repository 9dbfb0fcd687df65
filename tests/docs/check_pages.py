"""Every block of README.md and docs/ runs against `circleci-async fake` and prints what its page shows."""

from pathlib import Path

import pytest

from .pages import blocks, examples, name, pages
from .reader import Reader, fake_circleci


@pytest.mark.parametrize("page", [page for page in pages() if examples(page)], ids=name)
def test_the_blocks_of_a_page_run_and_print_the_shown_output(page: Path, tmp_path: Path) -> None:
    with fake_circleci() as environment:
        count = Reader(tmp_path, environment).follow(blocks(page))
    assert count == len(examples(page))
