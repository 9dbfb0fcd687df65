"""The pages of the documentation and their examples."""

import re
import shlex
import tomllib
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"

_FENCE = re.compile(
    r"^(?P<fence>```+)(?P<language>[^\s`]*)[^\n]*\n(?P<text>.*?)^(?P=fence)\s*?$", re.MULTILINE | re.DOTALL
)
_CELL = "{code-cell}"
_OPTIONS = re.compile(r"\A(:\w+:[^\n]*\n)+\n*")
_WORLD = re.compile(r"^<!-- circleci-async fake (?P<options>.*) -->$", re.MULTILINE)
_CLAIM = re.compile(r"#\s+-> (?P<text>.*)$", re.MULTILINE)
_FILE = re.compile(r"# (?P<name>\w+\.(py|toml))\n")
_INSTALL = re.compile(r"^pip install (?P<arguments>.*)$", re.MULTILINE)
_OWN = re.compile(r"circleci-async(\[(?P<extras>[^\]]*)\])?")
_REQUIRED = re.compile(r"[\w.-]+")

EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
    "optional-dependencies"
]


@frozen
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    """Number of its first line in the page, from 1."""
    language: str
    text: str
    is_cell: bool = False
    """Whether it is a cell of a notebook, whose output the build of the page adds."""

    @property
    def place(self) -> str:
        """Page and line, for messages."""
        return f"{name(self.page)}:{self.line}"

    @property
    def claims(self) -> str:
        """The expected output: the texts of the comments `# -> ...`, one a line."""
        return "".join(f"{claim['text']}\n" for claim in _CLAIM.finditer(self.text))

    @property
    def file(self) -> str | None:
        """The file name in its first line, such as `# bot.py`."""
        first = _FILE.match(self.text)
        return first["name"] if first else None

    @property
    def is_program(self) -> bool:
        """Whether it starts its own event loop."""
        return "asyncio.run(" in self.text


def pages() -> list[Path]:
    """Return every page, README first."""
    return [README, *sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)]


def name(page: Path) -> str:
    """Return the path of a page in the repository."""
    return page.relative_to(ROOT).as_posix()


def examples(page: Path) -> list[Block]:
    """Return the blocks of a page that run."""
    return [block for block in blocks(page) if block.language in {"python", "console"}]


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    text = page.read_text("utf-8")
    found: list[Block] = []
    for match in _FENCE.finditer(text):
        language, code = match["language"], match["text"]
        line = text.count("\n", 0, match.start("text")) + 1
        if is_cell := language == _CELL:
            bare = _OPTIONS.sub("", code, count=1)
            line += code.count("\n") - bare.count("\n")
            language, code = "python", bare
        found.append(Block(page, line, language, code, is_cell))
    return found


def fake_options(page: Path) -> list[str]:
    """Return the options of `circleci-async fake` that serves the world of a page, from a comment in the page."""
    comment = _WORLD.search(page.read_text("utf-8"))
    return shlex.split(comment["options"]) if comment else []


def installs(page: Path) -> set[str]:
    """Return the packages that a page says to install: those of the extras that it names, without this one."""
    text = "\n".join(block.text for block in blocks(page) if block.language == "sh")
    named = {each for line in _INSTALL.finditer(text) for each in shlex.split(line["arguments"], comments=True)}
    return {package for each in named for package in _packages(each)}


def _packages(argument: str) -> list[str]:
    own = _OWN.fullmatch(argument)
    if own is None:
        return [argument]
    required = [each for extra in (own["extras"] or "").split(",") if extra for each in EXTRAS[extra]]
    return [found[0] for each in required if (found := _REQUIRED.match(each))]


if __name__ == "__main__":
    print(*sorted(set().union(*map(installs, pages()))))
