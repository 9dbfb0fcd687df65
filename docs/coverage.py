"""Makes the table of all calls from the code: `python docs/coverage.py` writes reference/coverage.md anew."""

import inspect
import re
from functools import cached_property
from pathlib import Path
from typing import Any

from attrs import frozen

import circleci_async as ca

DOCS = Path(__file__).parent
PAGE = DOCS / "reference" / "coverage.md"

_OPERATION = re.compile(r"^`(?P<method>[A-Z]+) (?P<path>/\S*)`$", re.MULTILINE)

_TOP = """\
<!-- Made from the code by docs/coverage.py. Don't edit this page: run `python docs/coverage.py`. -->

# All calls

Each group of calls is an attribute of the client, such as `circle.pipelines`. Together they cover API v2:
{operations} operations in {groups} groups. Each call leads to its group's page, with examples, arguments and models.

A call that returns a list in pages is not awaited but [iterated](../guide/paging.md). A `project` is given by its
[slug](../guide/slugs.md); a `project_id` is the project's UUID. An argument that can't be right is refused with
`InvalidArgument` before anything is sent; the [other errors](../guide/errors.md) come after.

There is no method for the seven operations that CircleCI does not document: certificates, signing configurations, and
the settings of deploys. [`circle.request`](../guide/quickstart.md#call-other-endpoints) reaches them, and
whatever comes next.
"""


@frozen
class Call:
    """A public method of a group."""

    group: str
    name: str
    summary: str
    """The first line of its docstring."""
    operation: str | None
    """What it sends, as `METHOD /path`; None for a method beyond the API, which is made of other calls."""

    @property
    def link(self) -> str:
        return f"[`circle.{self.group}.{self.name}`](../groups/{page_of(self.group)})"


def groups() -> list[str]:
    """Return the names of the client's groups of calls, sorted."""
    return sorted(name for name, value in vars(ca.CircleCI).items() if isinstance(value, cached_property))


def page_of(group: str) -> str:
    """Return the file name of a group's page."""
    return f"{group.replace('_', '-')}.md"


def calls(group: str) -> list[Call]:
    """Return the public methods of a group, in the order in which they are written."""
    kind = type(getattr(ca.CircleCI("", host="https://ci.example.com"), group))
    names = {name: None for each in reversed(kind.__mro__) for name in vars(each) if not name.startswith("_")}
    methods = {name: getattr(kind, name) for name in names}
    return [_call(group, name, method) for name, method in methods.items() if inspect.isfunction(method)]


def _call(group: str, name: str, method: Any) -> Call:
    text = inspect.getdoc(method) or ""
    found = _OPERATION.search(text)
    return Call(group, name, text.partition("\n")[0], f"{found['method']} {found['path']}" if found else None)


def table() -> str:
    """Return the text of the page."""
    by_group = {group: calls(group) for group in groups()}
    operations = sum(call.operation is not None for each in by_group.values() for call in each)
    sections = [_TOP.format(operations=operations, groups=len(by_group))]
    for group, each in by_group.items():
        rows = [f"| {call.link} | `{call.operation}` |" for call in each if call.operation]
        sections.append(_section(f"{group} ({len(rows)})", "| call | what it sends |", rows))
    rows = [f"| {call.link} | {call.summary} |" for each in by_group.values() for call in each if not call.operation]
    sections.append(_section("Beyond the API", "| call | what it does |", rows))
    return "\n".join(sections)


def _section(title: str, head: str, rows: list[str]) -> str:
    return "\n".join([f"## {title}", "", head, "|---|---|", *rows, ""])


if __name__ == "__main__":
    PAGE.write_text(table(), "utf-8")
