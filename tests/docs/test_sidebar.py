"""The sidebar of the documentation shows each title once."""

import re
from collections import Counter

from .pages import DOCS

_LIST = re.compile(r"^```\{toctree\}\n(?P<lines>.*?)^```", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r"^# (?P<title>.+)$", re.MULTILINE)


def test_no_title_is_shown_twice() -> None:
    lists = _LIST.findall((DOCS / "index.md").read_text("utf-8"))
    pages = [line for each in lists for line in each.splitlines() if line and not line.startswith(":")]
    titles = [title["title"] for page in pages if (title := _TITLE.search((DOCS / f"{page}.md").read_text("utf-8")))]
    assert len(titles) >= len(pages) - 1  # the changelog is included from another file
    assert [title for title, count in Counter(map(str.lower, titles)).items() if count > 1] == []
