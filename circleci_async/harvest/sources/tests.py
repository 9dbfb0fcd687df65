"""Test results: `tests.jsonl` as the API returns them, and `tests.xml` for tools that read JUnit."""

import re
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from ...core.paging import Page, Paged
from ...core.session import Session
from ...models.artifacts import Artifact
from ...slug import project_path, segment
from ..layout import JobRef
from ..ledger.records import QueuedArtifact
from .body import FileList, TextBody, json_text
from .patterns import Pattern
from .request_cache import RequestCache
from .scrub import Scrubber

JSON_LINES: Final = "tests.jsonl"
JUNIT: Final = "tests.xml"

MAX_KEPT: Final = 8 * 1024 * 1024
"""Characters, approximately, of the pages of test results that are kept in memory."""

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML 1.0 cannot contain."""

_Test = dict[str, Any]


class TestSource:
    """The test results of a job, which are read page by page. Its two files share the pages that are in memory."""

    __test__ = False  # pytest would collect a class of this name

    def __init__(self, session: Session, patterns: Iterable[Pattern]) -> None:
        self._session = session
        self._patterns = tuple(patterns)
        self._cache = RequestCache[tuple[str, str | None], Page[_Test]](MAX_KEPT, _weight)

    def files(self, job: JobRef) -> FileList:
        """Return the two files of a job that has tests."""
        path = _path(job.project, job.number)
        address = self._session.api_url(path)

        async def fetch(_: str | None) -> Page[Artifact]:
            page = await self._request(path, None)
            self._cache.put((path, None), page)
            has_tests = page.items or page.next_page_token is not None
            names = (JSON_LINES, JUNIT) if has_tests else ()
            return Page(tuple(Artifact(path=name, node_index=0, url=address) for name in names), None)

        return FileList(Paged(fetch).empty_if_missing())

    @asynccontextmanager
    async def open(self, file: QueuedArtifact, *, offset: int = 0, etag: str | None = None) -> AsyncGenerator[TextBody]:
        """Return one of the files, from its start."""
        scrubber = Scrubber(self._patterns)
        write = _junit if file.path == JUNIT else _json_lines
        pages = self._pages(file.project, file.job, scrubber)
        async with aclosing(pages), aclosing(write(pages)) as pieces:
            yield TextBody(pieces, scrubber)

    async def _pages(self, project: str, number: int, scrubber: Scrubber) -> AsyncGenerator[list[_Test]]:
        """Iterate the pages, with scrubbed texts."""
        path = _path(project, number)

        async def fetch(token: str | None) -> Page[_Test]:
            return await self._cache.get((path, token), lambda: self._request(path, token))

        async with aclosing(Paged(fetch).pages()) as pages:
            async for page in pages:
                yield [scrubber.value(each) for each in page.items]

    async def _request(self, path: str, token: str | None) -> Page[_Test]:
        async with aclosing(self._session.paged_json(path).pages(start=token)) as pages:
            return await anext(pages)


def _path(project: str, number: int) -> str:
    return f"/project/{project_path(project)}/{segment(number)}/tests"


def _weight(page: Page[_Test]) -> int:
    return 100 + sum(500 + len(str(each.get("message") or "")) for each in page.items)


async def _json_lines(pages: AsyncGenerator[list[_Test]]) -> AsyncGenerator[str]:
    async for tests in pages:
        yield "".join(f"{json_text(test)}\n" for test in tests)


async def _junit(pages: AsyncGenerator[list[_Test]]) -> AsyncGenerator[str]:
    """Write JUnit XML, one `testsuite` for the tests of each page, so that its counts are known."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n'
    async for tests in pages:
        if tests:
            yield "".join(_suite(tests))
    yield "</testsuites>\n"


def _suite(tests: list[_Test]) -> Iterator[str]:
    results = [_outcome(test) for test in tests]
    counts = {
        "name": "tests",
        "tests": len(tests),
        "failures": results.count("failure"),
        "errors": results.count("error"),
        "skipped": results.count("skipped"),
        "time": f"{sum(map(_seconds, tests)):.6f}",
    }
    yield f"  <testsuite{_attributes(counts)}>\n"
    for test, outcome in zip(tests, results, strict=True):
        case = {"classname": test.get("classname"), "name": test.get("name"), "time": f"{_seconds(test):.6f}"}
        if test.get("file"):
            case["file"] = test["file"]
        if outcome is None:
            yield f"    <testcase{_attributes(case)}/>\n"
        else:
            message = {"message": test.get("message")}
            yield f"    <testcase{_attributes(case)}>\n      <{outcome}{_attributes(message)}/>\n    </testcase>\n"
    yield "  </testsuite>\n"


def _outcome(test: _Test) -> str | None:
    """Return the element for a test that did not pass. CircleCI passes on results as test runners write them."""
    result = str(test.get("result") or "").lower()
    if result.startswith("fail"):
        return "failure"
    if result.startswith("err"):
        return "error"
    return "skipped" if result.startswith("skip") else None


def _seconds(test: _Test) -> float:
    seconds = test.get("run_time")
    is_valid = isinstance(seconds, int | float) and -1e15 < seconds < 1e15
    return float(seconds) if is_valid and seconds is not None else 0.0


def _attributes(values: dict[str, Any]) -> str:
    return "".join(f" {name}={_quoted(value)}" for name, value in values.items())


def _quoted(value: Any) -> str:
    text = _FORBIDDEN.sub("", "" if value is None else str(value))
    return quoteattr(text, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
